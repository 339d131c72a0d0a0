from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.config.models import Config

DATABASE = '[database]\nhost = "db"\n'


def test_a_secret_file_beside_the_config_is_read_without_its_newline(
    loaded: Callable[..., Config], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("hunter2\n")

    config = loaded(DATABASE + 'password_file = "secret"\n')

    assert config.database.password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(config)


def test_a_credential_of_systemd_is_found_by_its_name(
    loaded: Callable[..., Config], tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "github").write_text("t0ken")
    (tmp_path / "github").write_text("the wrong one")

    config = loaded(
        '[platforms.github]\ncredentials = [{ token_file = "github" }]\n',
        {"CREDENTIALS_DIRECTORY": str(credentials)},
    )

    [credential] = config.platforms["github"].credentials
    assert credential.token.get_secret_value() == "t0ken"


def test_a_url_is_read_from_its_file(loaded: Callable[..., Config], tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgres://u:p@db/d\n")

    address = loaded('[database]\nurl_file = "url"\n').database.address()

    assert str(address) == "u@db:5432/d"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nothing", None, "there is no file nothing"),
        ("folder", None, "folder cannot be read: Is a directory"),
        ("empty", b"\n", "empty is empty"),
        ("binary", b"\xff", "binary is not UTF-8 text"),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_one_sentence(
    problems: Callable[..., list[str]],
    tmp_path: Path,
    name: str,
    content: bytes | None,
    message: str,
) -> None:
    (tmp_path / "folder").mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content)

    said = problems(DATABASE + f'password_file = "{name}"\n')

    assert said == [f"config.toml:3: database.password_file: {message}"]


def test_a_secret_and_a_file_for_it_cannot_both_be_given(
    problems: Callable[..., list[str]],
) -> None:
    said = problems(DATABASE + 'password = "${P}"\npassword_file = "p"\n', {"P": "x"})

    assert said == [
        "config.toml:4: database.password_file: cannot stand beside password; leave one of them"
    ]


OPEN = [
    ('[database]\nhost = "db"\npassword = "hunter2"\n', "config.toml:3: database.password"),
    ('[database]\nhost = "db"\npassword = "${P:-hunter2}"\n', "config.toml:3: database.password"),
    ('[database]\nurl = "postgres://u:hunter2@db/d"\n', "config.toml:2: database.url"),
    ('[redis]\nurl = "redis://:hunter2@${H}"\n', "config.toml:2: redis.url"),
    (
        '[platforms.github]\ncredentials = [\n{ token = "hunter2" }]\n',
        "config.toml:3: platforms.github.credentials[0].token",
    ),
]


@pytest.mark.parametrize(("text", "place"), OPEN)
def test_a_secret_in_a_file_that_others_can_read_is_refused(
    problems: Callable[..., list[str]], config_file: Path, text: str, place: str
) -> None:
    config_file.chmod(0o640)

    [said] = problems(text, {"H": "cache"})

    assert said.startswith(
        f"{place}: a secret stands in a file that others can read: run chmod 600"
    )
    assert "hunter2" not in said


@pytest.mark.parametrize("text", [text for text, _ in OPEN])
def test_a_secret_in_a_file_of_mode_600_is_taken(
    loaded: Callable[..., Config], config_file: Path, text: str
) -> None:
    config_file.chmod(0o600)

    assert "hunter2" not in repr(loaded(text, {"H": "cache"}))


def test_a_secret_out_of_the_environment_may_stand_in_an_open_file(
    loaded: Callable[..., Config], config_file: Path
) -> None:
    config_file.chmod(0o644)

    config = loaded(
        '[database]\nurl = "postgres://${U}:${P}@${H}/d"\n', {"U": "u", "P": "p", "H": "db"}
    )

    assert str(config.database.address()) == "u@db:5432/d"
