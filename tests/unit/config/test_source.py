from __future__ import annotations

from pathlib import Path

import pytest

from syncd.config.source import default_state_dir, find_config, read_source
from syncd.errors import ConfigError


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_source(path, {})
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[web]\nlisten 5\n", "config.toml:2: is not valid TOML: expected '=' after a key"),
        ("[web\n", "config.toml:1: is not valid TOML"),
        ('[web]\n\nlisten = "\n', "config.toml:3: is not valid TOML"),
        ("a = 1\n\nb = ", "config.toml:3: is not valid TOML"),
        ("a = 1\na = 2\n", "config.toml:2: a key is set a second time"),
        (
            "[web]\n\n[web]\n",
            "config.toml:3: web: this table stands here twice, the first at line 1",
        ),
        (
            '[jobs.x]\nkind = "a"\n[jobs.y]\n\n[jobs.x]\n',
            "config.toml:5: jobs.x: two jobs are named x, the first at line 1: rename one",
        ),
        (
            '[jobs."a b"]\n[jobs."a b"]\n',
            'config.toml:2: jobs."a b": two jobs are named "a b", the first at line 1: rename one',
        ),
    ],
)
def test_broken_toml_is_refused_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)

    assert refusal(path).startswith(sentence)


def test_a_file_that_is_not_text_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"a = 1\nb = '\xff'\n")

    assert refusal(path) == "config.toml:2: is not UTF-8 text"


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    assert refusal(tmp_path / "nothing.toml") == "nothing.toml: no such file"
    assert refusal(folder) == "folder: cannot be read: Is a directory"


def test_a_file_written_on_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf[web]\r\nlisten = 'x'\r\n")

    assert read_source(path, {}).document == {"web": {"listen": "x"}}


def test_dotenv_fills_up_the_environment_and_does_not_win_over_it(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("")
    (tmp_path / ".env").write_text("# secrets\nA=file\nexport B='fi le'\nC=${A}\nlonely\n")

    environ = read_source(path, {"A": "environment"}).environ

    assert environ == {"A": "environment", "B": "fi le", "C": "${A}"}


def test_the_config_is_searched_from_the_most_to_the_least_explicit_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nothing = find_config(None, {})
    (tmp_path / "config.toml").touch()

    assert nothing is None
    assert find_config(None, {}) == Path("config.toml")
    assert find_config(None, {"SYNCD_CONFIG": "/a.toml"}) == Path("/a.toml")
    assert find_config("/b.toml", {"SYNCD_CONFIG": "/a.toml"}) == Path("/b.toml")


@pytest.mark.parametrize(
    ("folder", "given", "state"),
    [
        ("/srv/app", "", "/srv/app/state"),
        ("/etc/syncd", "", "/var/lib/syncd"),
        ("/etc/syncd", "/var/lib/other:/second", "/var/lib/other"),
    ],
)
def test_state_lies_where_systemd_says_or_near_the_config(
    folder: str, given: str, state: str
) -> None:
    environ = {"STATE_DIRECTORY": given}

    assert default_state_dir(Path(folder), environ) == Path(state)
