from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.config.keyring import KEY_BYTES, key_line, read_key_ring
from syncd.config.models import Config

KEY = b"canary-key-of-32-bytes-of-length"
OTHER = b"canary-another-key-of-32-bytes-!"
LINE = key_line("one", KEY)
ENCODED = base64.b64encode(KEY).decode()


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_bytes(text.encode("latin-1"))
    path.chmod(mode)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        read_key_ring(path)
    told = str(caught.value)
    assert "canary" not in told
    assert ENCODED not in told
    return told.replace(str(path), "FILE")


def test_the_last_key_of_the_file_is_the_newest(tmp_path: Path) -> None:
    text = f"# ours\n\n{LINE}  two   {base64.b64encode(OTHER).decode()}  \n# end"
    path = written(tmp_path / "keys", text)

    ring = read_key_ring(path)

    assert ring is not None
    assert dict(ring.keys) == {"one": KEY, "two": OTHER}
    assert ring.newest == "two"
    assert "canary" not in repr(ring)


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_key_ring(tmp_path / "keys") is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o610])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "keys", LINE, mode)

    assert refusal(path) == "others can read FILE: run chmod 600 FILE"


def test_of_a_systemd_credential_systemd_keeps_the_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where it lets one user read by a list, the file shows as readable by its group, root.
    path = written(tmp_path / "keys", LINE, 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    ring = read_key_ring(path)

    assert ring is not None
    assert ring.newest == "one"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "FILE holds no key; add a line"),
        ("# nothing\n", "FILE holds no key; add a line"),
        (f"# head\n{ENCODED}\n", "line 2 of FILE is not a key; write KEY_ID and a key"),
        (f"one {ENCODED} more\n", "line 1 of FILE is not a key"),
        (f"o/ne {ENCODED}\n", "line 1 of FILE begins with no key id"),
        (f"{ENCODED} one\n", "line 1 of FILE begins with no key id"),
        (f"\xfc {ENCODED}\n", "line 1 of FILE begins with no key id"),
        (f"one {ENCODED[:-2]}!=\n", "line 1 of FILE holds a key that is not base64"),
        (f"one {ENCODED[:-3]}\n", "line 1 of FILE holds a key that is not base64"),
        (key_line("one", KEY[:16]), "line 1 of FILE holds a key of 16 bytes, not of 32"),
        (key_line("one", KEY + b"!"), "line 1 of FILE holds a key of 33 bytes, not of 32"),
        (LINE + "\n" + LINE, "line 3 of FILE has the key id of line 1; give it an id of its own"),
        ("#" * 70_000, "FILE is larger than 64 kB"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_line_without_a_word_of_it(
    tmp_path: Path, text: str, told: str
) -> None:
    assert refusal(written(tmp_path / "keys", text)).startswith(told)


def test_a_folder_is_no_key_file(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "FILE is not a plain file; name a file that holds the keys"


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True),
        st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES),
        min_size=1,
        max_size=5,
    )
)
def test_every_ring_that_is_written_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, keys: dict[str, bytes]
) -> None:
    path = tmp_path_factory.mktemp("ring") / "keys"
    written(path, "".join(key_line(key_id, key) for key_id, key in keys.items()))

    ring = read_key_ring(path)

    assert ring is not None
    assert list(ring.keys.items()) == list(keys.items())


def test_the_keys_are_in_the_state_directory_unless_a_file_is_named(
    loaded: Callable[..., Config], config_file: Path
) -> None:
    folder = config_file.parent
    written(folder / "keys", LINE)

    assert loaded("").tokens.key_file == folder / "state" / "token-keys"
    assert loaded('[tokens]\nkey_file = ""\n').tokens.key_file == folder / "state" / "token-keys"
    assert loaded('[tokens]\nkey_file = "keys"\n').tokens.key_file == folder / "keys"
    named = f'[tokens]\nkey_file = "{folder}/keys"\n'
    assert loaded(named).tokens.key_file == folder / "keys"


def test_a_name_without_a_path_is_a_systemd_credential_where_there_is_one(
    loaded: Callable[..., Config], tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    path = written(credentials / "token-keys", LINE)

    config = loaded(
        '[tokens]\nkey_file = "token-keys"\n', {"CREDENTIALS_DIRECTORY": str(credentials)}
    )

    assert config.tokens.key_file == path


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (LINE, 0o644, "others can read keys: run chmod 600 keys"),
        (key_line("one", KEY[:8]), 0o600, "line 1 of keys holds a key of 8 bytes, not of 32"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_a_problem_of_the_configuration(
    problems: Callable[..., list[str]], config_file: Path, content: str, mode: int, told: str
) -> None:
    written(config_file.parent / "keys", content, mode)

    [problem] = problems('[tokens]\nkey_file = "keys"\n')

    assert problem.startswith(f"config.toml:2: tokens.key_file: {told}")


def test_the_key_file_that_syncd_made_is_looked_at_too(
    problems: Callable[..., list[str]], config_file: Path
) -> None:
    state = config_file.parent / "state"
    state.mkdir()
    written(state / "token-keys", "half a li")

    [problem] = problems("[daemon]\n")

    assert "tokens.key_file: line 1 of state/token-keys begins with no key id" not in problem
    assert "tokens.key_file: line 1 of state/token-keys is not a key" in problem


@pytest.mark.parametrize("name", ["keys", "x" * 300, "a\\u0000b"])
def test_a_file_that_is_named_must_be_there(
    problems: Callable[..., list[str]], config_file: Path, name: str
) -> None:
    [problem] = problems(f'[tokens]\nkey_file = "{name}"\n')

    assert problem.startswith("config.toml:2: tokens.key_file: ")
    assert ("there is no file keys; put it back" in problem) == (name == "keys")
