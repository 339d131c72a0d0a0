from __future__ import annotations

import base64

import pytest
from fakes.keys import private_pem, rsa_key

from syncd.errors import ConfigError
from syncd.model.scheme import Scheme
from syncd.outbound.credentials import Credential
from syncd.outbound.installation import Installation

TOKEN = "ghp_s3cretOfTheTest"


def test_a_bearer_token_goes_into_the_authorization_header() -> None:
    credential = Credential.bearer("main", f" {TOKEN}\n")

    assert credential.headers() == {"Authorization": f"Bearer {TOKEN}"}


def test_the_anonymous_credential_sends_nothing() -> None:
    credential = Credential.anonymous()

    assert credential.is_anonymous
    assert credential.headers() == {}
    assert credential.redact(b"text", "") == b"text"


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


def test_a_token_that_a_server_echoes_is_blanked() -> None:
    credential = Credential.bearer("main", TOKEN)

    assert credential.redact(f"bad token {TOKEN}!".encode(), "") == b"bad token ***!"


def test_an_app_without_a_secret_sends_no_header_and_tells_its_id() -> None:
    credential = Credential.public("main", "app1")

    assert (credential.scheme, credential.client_id) == (Scheme.PUBLIC, "app1")
    assert credential.headers() == {}
    assert "client_id of the credential main" in credential.mend


def test_a_companion_uses_a_credential_under_its_own_name_and_is_mended_under_the_first() -> None:
    credential = Credential.basic("main", "app1", TOKEN).at("accounts")

    assert (credential.name, credential.owner) == ("accounts", "main")
    assert credential.mend == "check client_id and client_secret of the credential main"


def test_what_a_request_was_sent_with_is_blanked_however_it_is_written() -> None:
    credential = Credential.anonymous()

    told = credential.redact(rb"a/b+c=d a\/b+c=d a%2Fb%2Bc%3Dd", "a/b+c=d")

    assert told == b"*** *** ***"


def test_an_oauth_app_is_proven_by_its_id_and_secret() -> None:
    credential = Credential.basic("oauth", "Iv1.ab", TOKEN)

    code = base64.b64encode(f"Iv1.ab:{TOKEN}".encode()).decode()
    assert credential.headers() == {"Authorization": f"Basic {code}"}
    assert (credential.scheme, credential.has_etags) == (Scheme.BASIC, True)
    assert credential.redact(f"{TOKEN} {code}".encode(), "") == b"*** ***"
    assert TOKEN not in f"{credential!r}"
    assert code not in f"{credential!r}"


def installed(app_id: str = "12", number: str = "34") -> Credential:
    return Credential.of_installation("app", Installation(app_id, number, rsa_key()))


def test_an_installation_has_no_header_of_its_own_and_no_etags() -> None:
    credential = installed()

    assert (credential.headers(), credential.has_etags) == ({}, False)
    assert "RSAPrivateKey" not in f"{credential!r}"
    assert private_pem().splitlines()[3] not in f"{credential!r}"


def test_the_fingerprint_of_an_installation_is_the_installation() -> None:
    one = installed()

    assert one.fingerprint == installed().fingerprint
    assert one.fingerprint != installed("13").fingerprint != installed("12", "35").fingerprint


def test_a_key_with_its_user_is_introduced_as_the_platform_wants_and_blanked_alone() -> None:
    credential = Credential.bearer("main", "ada:s3cretKey", "ApiKey")

    assert credential.headers() == {"Authorization": "ApiKey ada:s3cretKey"}
    assert credential.redact(b"no such key: s3cretKey") == b"no such key: ***"
