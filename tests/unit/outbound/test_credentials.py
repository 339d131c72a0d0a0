from __future__ import annotations

from pathlib import Path

import pytest

from syncd.errors import ConfigError
from syncd.outbound.credentials import Credential

TOKEN = "ghp_s3cretOfTheTest"


def test_a_bearer_token_goes_into_the_authorization_header() -> None:
    credential = Credential.bearer("main", f" {TOKEN}\n")

    assert credential.headers() == {"Authorization": f"Bearer {TOKEN}"}


def test_the_anonymous_credential_sends_nothing() -> None:
    credential = Credential.anonymous()

    assert credential.is_anonymous
    assert credential.headers() == {}
    assert credential.redact("text") == "text"


def test_neither_its_text_nor_its_fingerprint_tell_the_token() -> None:
    credential = Credential.bearer("main", TOKEN)

    told = f"{credential!r} {credential} {credential.fingerprint}"

    assert TOKEN not in told


def test_the_fingerprint_follows_the_token_and_nothing_else() -> None:
    one = Credential.bearer("main", TOKEN)
    renamed = Credential.bearer("other", TOKEN)
    rotated = Credential.bearer("main", TOKEN + "2")

    assert one.fingerprint == renamed.fingerprint != rotated.fingerprint


@pytest.mark.parametrize("token", ["", " \n", "a b", "a\r\nX-Evil: 1", "tökén", "a\0b"])
def test_what_cannot_stand_in_a_header_is_refused_without_being_told(token: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        Credential.bearer("main", token)

    assert token.strip() == "" or token not in str(refusal.value)


def test_a_token_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")

    credential = Credential.from_file("main", tmp_path / "token")

    assert credential == Credential.bearer("main", TOKEN)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"credential main: cannot read .*token"):
        Credential.from_file("main", tmp_path / "token")


def test_a_token_that_a_server_echoes_is_blanked() -> None:
    credential = Credential.bearer("main", TOKEN)

    assert credential.redact(f"bad token {TOKEN}!") == "bad token ***!"
