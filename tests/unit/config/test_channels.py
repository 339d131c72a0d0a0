"""[channels.NAME] and [notify]: what a person can get wrong there, one sentence each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.config.keyring import HOW_TO_MAKE
from syncd.config.load import load
from syncd.config.models import Config
from syncd.daemon.settings import load_config, secrets_of
from syncd.errors import ConfigError

HEAD = '[channels.email]\nhost = "mail.example.org"\nsender = "notify@example.org"\n'
LOGIN = 'username = "syncd"\npassword = "${SECRET}"\n'
IN_CLEAR = "must begin with https://: what a link does is nobody else's to read"
KEY = "k-1 " + "A" * 43 + "="


@pytest.fixture
def said(config_file: Path) -> Callable[[str], list[str]]:
    def problems_of(text: str) -> list[str]:
        config_file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load(config_file, {"SECRET": "open sesame"})
        return [line.replace(f"{config_file.parent}/", "") for line in caught.value.problems]

    return problems_of


@pytest.fixture
def read(config_file: Path) -> Callable[[str], Config]:
    def load_text(text: str) -> Config:
        config_file.write_text(text)
        return load(config_file, {"SECRET": "open sesame"})

    return load_text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[channels.emial]\n", '1: channels.emial: unknown channel, did you mean "email"?'),
        (HEAD + "prot = 25\n", '4: channels.email.prot: unknown key, did you mean "port"?'),
        (
            HEAD + 'port = "many"\n',
            '4: channels.email.port: must be a whole number, not "many"',
        ),
        (HEAD + "slots = 0\n", "4: channels.email.slots: must be greater than 0, not 0"),
        (
            '[channels.email]\nhost = "mail.example.org"\n',
            "1: channels.email: sender is missing; name the address that mail comes from",
        ),
        (
            HEAD + 'username = "syncd"\n',
            "1: channels.email: username and password belong together; give both, or neither",
        ),
        ("channels = 1\n", "1: channels: must be a table"),
        (
            '[notify]\npublic_url = "notify.example.org"\n',
            "2: notify.public_url: must be the address that users reach syncd under, https://host",
        ),
        (
            '[notify]\npublic_url = "http://notify.example.org"\n',
            f"2: notify.public_url: {IN_CLEAR}",
        ),
        (
            '[notify]\npublic_url = "https://me:x@notify.example.org"\n',
            "2: notify.public_url: must hold neither a user or password nor a query or fragment",
        ),
        (
            '[notify]\nkey_file = "keys"\n',
            f"2: notify.key_file: there is no file keys; put it back, or make it: {HOW_TO_MAKE}",
        ),
        ("[notify]\nonly = []\n", '2: notify.only: unknown key, did you mean "only_to"?'),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_line(
    said: Callable[[str], list[str]], text: str, problem: str
) -> None:
    assert said(text) == [f"config.toml:{problem}"]


def test_a_key_that_others_can_read_is_refused(
    said: Callable[[str], list[str]], tmp_path: Path
) -> None:
    key = tmp_path / "keys"
    key.write_text(KEY)
    key.chmod(0o640)

    assert said('[notify]\nkey_file = "keys"\n') == [
        "config.toml:2: notify.key_file: others can read keys: run chmod 600 keys"
    ]


def test_a_password_is_shown_nowhere_and_blanked_in_the_logs(
    read: Callable[[str], Config],
) -> None:
    config = read(HEAD + LOGIN)

    assert config.redacted()["channels"]["email"]["password"] == "***"
    assert "sesame" not in str(config.redacted()) + repr(config)
    assert "open sesame" in secrets_of(config)


def test_a_password_may_lie_in_a_file_of_its_own(
    read: Callable[[str], Config], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("open sesame\n")

    config = read(HEAD + 'username = "syncd"\npassword_file = "secret"\n')

    assert secrets_of(config) == ["open sesame"]


def test_files_are_looked_for_beside_the_config(
    read: Callable[[str], Config], tmp_path: Path
) -> None:
    (tmp_path / "words").mkdir()

    config = read(HEAD + 'ca_file = "ca.pem"\n[notify]\ntemplates = "words"\n')

    settings = config.channels["email"]
    assert getattr(settings, "ca_file", None) == tmp_path / "ca.pem"
    assert config.notify.templates == tmp_path / "words"
    assert config.notify.key_file == config.daemon.state_dir / "notify-key"


def test_a_template_that_cannot_be_used_is_found_by_the_check(
    config_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "words").mkdir()
    file = tmp_path / "words" / "reminder.text.j2"
    file.write_text("{{ contst }}")
    config_file.write_text('[notify]\ntemplates = "words"\n')

    with pytest.raises(ConfigError) as caught:
        load_config(config_file, {})

    said = f"{file}: there is no field 'contst', did you mean \"contest\"?"
    assert caught.value.problems == (f"{config_file}:2: notify.templates: {said}",)


def test_without_tables_there_is_no_channel(read: Callable[[str], Config]) -> None:
    config = read("")

    assert config.channels == {}
    assert config.notify.public_url == ""
