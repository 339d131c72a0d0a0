from __future__ import annotations

import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fakes.channel_worlds import VAPID_KEY, WebPushWorld
from fakes.clock import FakeClock
from pydantic import ValidationError

from syncd import plugins
from syncd.config.channels import ChannelSettings
from syncd.errors import ConfigError


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def settings(channel: str, **values: Any) -> ChannelSettings:
    kind: type[ChannelSettings] = plugins.load("syncd.channels", channel).Settings
    return kind.model_validate(values)


@pytest.mark.parametrize("name", ["whatsapp", "webpush"])
def test_a_channel_without_what_it_needs_is_off(name: str) -> None:
    assert not settings(name).is_on


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("whatsapp", {"phone_number_id": "106540352242922", "token": "x"}),
        ("webpush", {"subject": "mailto:ops@example.org", "private_key": VAPID_KEY}),
        ("ntfy", {}),
        ("webhook", {}),
    ],
)
def test_a_channel_with_all_that_it_needs_is_on_unless_it_is_disabled(
    name: str, values: dict[str, Any]
) -> None:
    assert settings(name, **values).is_on
    assert not settings(name, **values, enabled=False).is_on


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("ntfy", {"user": "ada"}, "user and password belong together"),
        ("ntfy", {"user": "a", "password": "b", "token": "c"}, "leave one of them"),
        ("ntfy", {"priority": 6}, "less than or equal to 5"),
        ("ntfy", {"base_url": "ntfy.sh"}, "must be the address"),
        ("ntfy", {"base_url": "http://ntfy.example.org"}, "must begin with https://"),
        ("ntfy", {"base_url": "https://10.0.0.1"}, "10.0.0.1 is not public"),
        ("whatsapp", {"base_url": "https://localhost"}, "localhost is not public"),
        ("webhook", {"kind": "teams"}, "'auto', 'slack', 'discord' or 'plain'"),
        ("webhook", {"url": "x"}, "Extra inputs"),
        ("whatsapp", {"phone_number_id": "../me"}, "digits only"),
        ("whatsapp", {"templates": {"reminder": "Contest Reminder"}}, "small letters"),
        ("whatsapp", {"templates": {"remainder": "x"}}, "Extra inputs"),
        ("whatsapp", {"languages": {"en": "english"}}, "codes of languages"),
        ("whatsapp", {"parameters": ["name"]}, "'title', 'body', 'url' or 'subject'"),
        ("webpush", {"subject": "ops@example.org"}, "mailto:"),
        ("webpush", {"private_key": "x"}, "must be a VAPID key"),
        ("webpush", {"private_key": VAPID_KEY[:-4]}, "must be a VAPID key"),
        ("webpush", {"private_key": "-----BEGIN PRIVATE KEY-----"}, "must be a VAPID key"),
        (
            "webpush",
            {"private_key": pem(ec.generate_private_key(ec.SECP384R1()))},
            "must be a VAPID key",
        ),
        ("webpush", {"private_key": pem(rsa.generate_private_key(65_537, 2_048))}, "VAPID key"),
        ("webpush", {"ttl": "29d"}, "at most 28d"),
        ("webpush", {"urgency": "urgent"}, "'high'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    name: str, values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(name, **values)

    assert sentence in str(caught.value)
    assert VAPID_KEY[:-4] not in str(caught.value)


def test_a_vapid_key_may_be_pem() -> None:
    key = pem(ec.generate_private_key(ec.SECP256R1()))

    assert settings("webpush", subject="mailto:ops@example.org", private_key=key).is_on


def test_web_push_says_what_it_needs_where_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pywebpush", None)

    with pytest.raises(ValidationError, match=r"install syncd\[push\]"):
        settings("webpush", subject="mailto:ops@example.org", private_key=VAPID_KEY)


async def test_web_push_that_was_removed_meanwhile_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel = WebPushWorld(FakeClock()).built()
    monkeypatch.setitem(sys.modules, "pywebpush", None)

    with pytest.raises(ConfigError, match="needs what is not installed: pywebpush") as caught:
        await channel.__aenter__()

    assert caught.value.hint == "install syncd[push]"
