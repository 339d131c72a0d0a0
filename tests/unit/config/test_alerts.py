"""What a person can get wrong about [alerts]: one sentence each, without the address."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.config.models import Config

HOOK = "https://hooks.example.com/services/T0000/B0000/XXXXXXXX"
WRONG = [
    ("hooks.example.com/XXXXXXXX", "must be an address, https://host/path"),
    ("ftp://hooks.example.com/XXXXXXXX", "must be an address, https://host/path"),
    ("https://", "must be an address, https://host/path"),
    ("https://hooks.example.com:99999/XXXXXXXX", "must be an address, https://host/path"),
    ("https://hooks.example.com/XXXX XXXX", "must be an address, https://host/path"),
    ("https://[::1/XXXXXXXX", "must be an address, https://host/path"),
    (
        "https://me:XXXXXXXX@hooks.example.com/",
        "must hold neither a user or password nor a fragment",
    ),
    (
        "http://hooks.example.com/XXXXXXXX",
        "must begin with https://; set allow_private = true if plain http is meant",
    ),
    (
        "https://127.0.0.1/XXXXXXXX",
        "127.0.0.1 is not a public address; set allow_private = true if it is meant",
    ),
    (
        "https://localhost/XXXXXXXX",
        "localhost is not a public address; set allow_private = true if it is meant",
    ),
]


@pytest.mark.parametrize(("url", "message"), WRONG)
def test_an_address_that_cannot_be_used_is_one_sentence_without_it(
    problems: Callable[..., list[str]], url: str, message: str
) -> None:
    said = problems('[alerts]\nwebhook_url = "${HOOK}"\n', {"HOOK": url})

    assert said == [f"config.toml:2: alerts.webhook_url: {message}"]


def test_a_number_in_place_of_an_address_is_not_repeated(
    problems: Callable[..., list[str]],
) -> None:
    [said] = problems("[alerts]\nwebhook_url = 4711\n")

    assert said.startswith("config.toml:2: alerts.webhook_url: must be")
    assert "4711" not in said


def test_a_private_address_and_plain_http_are_taken_where_they_are_meant(
    loaded: Callable[..., Config],
) -> None:
    text = '[alerts]\nwebhook_url = "${HOOK}"\nallow_private = true\n'

    alerts = loaded(text, {"HOOK": "http://127.0.0.1:9/XXXXXXXX"}).alerts

    assert alerts.webhook_url.get_secret_value() == "http://127.0.0.1:9/XXXXXXXX"
    assert "XXXXXXXX" not in repr(alerts)


def test_the_address_is_read_from_a_file_of_mode_600_and_not_shown(
    loaded: Callable[..., Config], tmp_path: Path
) -> None:
    (tmp_path / "hook").write_text(f"{HOOK}\n")
    (tmp_path / "hook").chmod(0o600)

    config = loaded('[alerts]\nwebhook_url_file = "hook"\n')

    assert config.alerts.webhook_url.get_secret_value() == HOOK
    assert config.redacted()["alerts"]["webhook_url"] == "***"


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_file_that_others_can_read_is_refused(
    problems: Callable[..., list[str]], tmp_path: Path, mode: int
) -> None:
    (tmp_path / "hook").write_text(HOOK)
    (tmp_path / "hook").chmod(mode)

    said = problems('[alerts]\nwebhook_url_file = "hook"\n')

    assert said == [
        "config.toml:2: alerts.webhook_url_file: others can read hook: run chmod 600 hook"
    ]


def test_a_credential_of_systemd_may_have_the_rights_that_systemd_gives_it(
    loaded: Callable[..., Config], tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "hook").write_text(HOOK)
    (credentials / "hook").chmod(0o440)

    config = loaded(
        '[alerts]\nwebhook_url_file = "hook"\n', {"CREDENTIALS_DIRECTORY": str(credentials)}
    )

    assert config.alerts.webhook_url.get_secret_value() == HOOK


@pytest.mark.parametrize(
    ("name", "message"), [("absent", "there is no file absent"), ("empty", "empty is empty")]
)
def test_a_file_that_holds_no_address_is_one_sentence(
    problems: Callable[..., list[str]], tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "empty").touch(mode=0o600)

    said = problems(f'[alerts]\nwebhook_url_file = "{name}"\n')

    assert said == [f"config.toml:2: alerts.webhook_url_file: {message}"]


def test_an_address_that_stands_in_an_open_file_is_refused(
    problems: Callable[..., list[str]], config_file: Path
) -> None:
    config_file.chmod(0o644)

    [said] = problems(f'[alerts]\nwebhook_url = "{HOOK}"\n')

    assert "a secret stands in a file that others can read" in said
    assert HOOK not in said


def test_a_job_has_alerts_unless_it_says_otherwise(loaded: Callable[..., Config]) -> None:
    job = '[jobs.{}]\nkind = "profiles"\nplatforms = ["github"]\n'

    jobs = loaded(job.format("a") + job.format("b") + "alerts = false\n").jobs

    assert (jobs["a"].alerts, jobs["b"].alerts) == (True, False)


def test_a_misspelled_key_is_named(problems: Callable[..., list[str]]) -> None:
    [said] = problems('[alerts]\nwebhok_url = "x"\n')

    assert said.endswith('unknown key, did you mean "webhook_url"?')
