from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.keys import ec_pem, ed25519_pem, private_pem, public_pem, rsa_key

from syncd.config.models import Config
from syncd.model.scheme import Scheme
from syncd.plugins import find

PLACE = "config.toml:{}: platforms.github.credentials[{}]"
AGAIN = "download it again from the app's settings page"
APP = 'app_id = 12, installation_id = "34", private_key_file = "app.pem"'


@pytest.fixture(autouse=True)
def every_scheme(folders: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform of these tests takes every kind of credential, as GitHub does."""
    platform = find("config_test_platforms")["github"]
    schemes = tuple(scheme for scheme in Scheme if scheme is not Scheme.PUBLIC)
    monkeypatch.setattr(platform, "schemes", schemes, raising=False)


def github(*credentials: str) -> str:
    lines = ",\n".join(f"  {{ {each} }}" for each in credentials)
    return f"[platforms.github]\ncredentials = [\n{lines}\n]\n"


def test_a_token_an_oauth_app_and_a_github_app_stand_side_by_side(
    loaded: Callable[..., Config], config_file: Path
) -> None:
    (config_file.parent / "app.pem").write_text(private_pem())
    text = github(
        'name = "personal", token = "${T}"',
        'name = "oauth", client_id = "Iv1.ab", client_secret = "${S}"',
        f'name = "app", {APP}',
    )

    config = loaded(text, {"T": "ghp_hunter2", "S": "hunter2"})

    personal, oauth, app = config.platforms["github"].credentials
    assert [each.scheme for each in (personal, oauth, app)] == ["bearer", "basic", "installation"]
    assert (oauth.client_id, oauth.text("client_secret")) == ("Iv1.ab", "hunter2")
    assert (app.app_id, app.installation_id) == ("12", 34)
    assert app.text("private_key").startswith("-----BEGIN RSA PRIVATE KEY-----")


def test_what_is_shown_of_credentials_holds_no_secret(
    loaded: Callable[..., Config], config_file: Path
) -> None:
    pem = private_pem()
    (config_file.parent / "app.pem").write_text(pem)
    config = loaded(
        github(f'name = "app", {APP}', 'name = "o", client_id = "i", client_secret = "hunter2"')
    )

    shown = config.redacted()["platforms"]["github"]["credentials"]

    assert shown == [
        {
            "name": "app",
            "app_id": "12",
            "installation_id": 34,
            "private_key": "***",
            "private_key_file": "app.pem",
        },
        {"name": "o", "client_id": "i", "client_secret": "***"},
    ]
    told = json.dumps(shown) + repr(config)
    assert "hunter2" not in told
    assert pem.splitlines()[5] not in told


@pytest.mark.parametrize(
    "empty",
    [
        'name = "x", token = "${T:-}"',
        'name = "x", client_id = "${T:-}", client_secret = "${T:-}"',
        'name = "x", app_id = "${T:-}", installation_id = "${T:-}", private_key = "${T:-}"',
    ],
)
def test_a_credential_whose_variables_are_unset_is_none(
    loaded: Callable[..., Config], empty: str
) -> None:
    config = loaded(github(empty, 'name = "main", token = "t"'))

    assert [each.name for each in config.platforms["github"].credentials] == ["main"]


@pytest.mark.parametrize(
    ("credentials", "problem"),
    [
        (
            ('name = "a", token = "1"', 'name = "a", token = "2"'),
            PLACE.format(4, 1) + ".name: a is the name of another one; give each a name of its own",
        ),
        (
            ('name = "a", token = "1"', 'name = "b", token = " 1 "'),
            PLACE.format(4, 1) + ": is the same as a, and its budget is there only once; leave one",
        ),
        (
            ('token = "1", client_id = "2"',),
            PLACE.format(3, 0) + ".client_id: holds two things; leave a token, or a client_id with "
            "its client_secret, or an app_id with installation_id and private_key",
        ),
        (
            ('client_id = "2"',),
            PLACE.format(3, 0)
            + ".client_secret: is missing; give a client_id with its client_secret",
        ),
        (
            ('app_id = 1, private_key = "${PEM}"',),
            PLACE.format(3, 0)
            + ".installation_id: is missing; give an app_id with installation_id and private_key",
        ),
        (
            ('app_id = 1, installation_id = 0, private_key = "${PEM}"',),
            PLACE.format(3, 0) + ".installation_id: must be greater than 0",
        ),
        (
            ('token = "two words"',),
            PLACE.format(3, 0) + ".token: holds characters that no secret of an API has",
        ),
        (
            ('app_id = "../1", installation_id = 1, private_key = "${PEM}"',),
            PLACE.format(3, 0) + ".app_id: must be an id as the platform shows it",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(
    problems: Callable[..., list[str]], credentials: tuple[str, ...], problem: str
) -> None:
    said = problems(github(*credentials), {"PEM": private_pem()})

    assert said == [problem]


@pytest.mark.parametrize(
    ("pem", "what"),
    [
        ("not a key\n", f"holds no RSA private key in PEM form; {AGAIN}"),
        (public_pem(), f"holds no RSA private key in PEM form but a public one; {AGAIN}"),
        (private_pem()[:900], f"holds no RSA private key in PEM form; {AGAIN}"),
        (ec_pem(), f"holds a private key that is not RSA; {AGAIN}"),
        (ed25519_pem(), f"holds a private key that is not RSA; {AGAIN}"),
        (private_pem(rsa_key(1024)), f"holds an RSA key of 1024 bits, too short; {AGAIN}"),
        (
            private_pem(is_encrypted=True),
            "holds an encrypted private key; take the passphrase off it",
        ),
    ],
    ids=["text", "public", "cut", "ec", "ed25519", "short", "encrypted"],
)
def test_a_key_that_is_no_rsa_private_key_is_named_with_what_it_is(
    problems: Callable[..., list[str]], config_file: Path, pem: str, what: str
) -> None:
    (config_file.parent / "app.pem").write_text(pem)

    said = problems(github('name = "main", token = "t"', f'name = "app", {APP}'))

    assert said == [PLACE.format(4, 1) + f".private_key_file: {what}"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "there is no file app.pem"),
        (b"", "app.pem is empty"),
        (b"\x80\x02", "app.pem is not UTF-8 text"),
    ],
)
def test_a_key_file_that_cannot_be_read_is_named(
    problems: Callable[..., list[str]], config_file: Path, content: bytes | None, what: str
) -> None:
    if content is not None:
        (config_file.parent / "app.pem").write_bytes(content)

    said = problems(github(f'name = "app", {APP}'))

    assert said == [PLACE.format(3, 0) + f".private_key_file: {what}"]


@pytest.mark.parametrize("is_pkcs8", [False, True])
def test_a_key_in_a_variable_may_have_its_lines_joined(
    loaded: Callable[..., Config], is_pkcs8: bool
) -> None:
    joined = private_pem(is_pkcs8=is_pkcs8).replace("\n", "\\n")

    config = loaded(
        github('app_id = 1, installation_id = 2, private_key = "${PEM}"'), {"PEM": joined}
    )

    assert config.platforms["github"].credentials[0].scheme is Scheme.INSTALLATION


def test_a_platform_says_which_credentials_it_takes(
    problems: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(find("config_test_platforms")["github"], "schemes")

    said = problems(github('client_id = "a", client_secret = "b"'))

    assert said == [PLACE.format(3, 0) + ": this platform takes a token only"]


@pytest.mark.parametrize("key", ["token", "client_secret", "private_key"])
def test_a_secret_in_a_file_that_others_can_read_is_refused(
    problems: Callable[..., list[str]], config_file: Path, key: str
) -> None:
    config_file.chmod(0o644)

    said = problems(f'[[platforms.github.credentials]]\nname = "x"\n{key} = "hunter2"\n')

    assert any(f"{key}: a secret stands in a file that others can read" in each for each in said)
    assert "hunter2" not in "".join(said)
