from __future__ import annotations

import json
from typing import Any

import pytest

from syncd.channels.ntfy import Ntfy
from syncd.channels.webhook import Webhook
from syncd.channels.webpush import WebPush
from syncd.channels.whatsapp import WhatsApp
from syncd.sandbox import webpush

BASE = "https://push.example.net"


def subscription(**changes: Any) -> dict[str, Any]:
    return {**webpush.WebPush().subscribe().subscription(BASE), **changes}


@pytest.mark.parametrize(
    "given", ["+4915112345678", "+49 151 1234-5678", "0049 (151) 12345678", " +49.151.12345678 "]
)
def test_a_number_is_written_as_e164_writes_it(given: str) -> None:
    assert WhatsApp.parse_address(given) == "+4915112345678"


@pytest.mark.parametrize(
    "given", ["015112345678", "4915112345678", "+49151", "+0151123456", "+" + "1" * 16, "+49 x"]
)
def test_a_number_without_its_country_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"^a number begins with \+ and its country"):
        WhatsApp.parse_address(given)


@pytest.mark.parametrize("given", ["a/b", "a b", "x" * 65, "tópic", "https://ntfy.sh/topic"])
def test_what_is_no_topic_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"^a topic has 1 to 64 letters"):
        Ntfy.parse_address(given)


@pytest.mark.parametrize(
    "given", ["http://hooks.example.net/x", "https://10.0.0.1/x", "https://hooks.example.net:8/x"]
)
def test_a_webhook_that_is_private_or_http_is_refused_unless_allowed(given: str) -> None:
    with pytest.raises(ValueError, match=r"^a webhook must"):
        Webhook.parse_address(given)

    assert Webhook.parse_private_address(given) == given


def test_equal_subscriptions_are_written_alike() -> None:
    given = subscription()
    keys = {name: f"{key}==" for name, key in reversed(given["keys"].items())}
    other = {"keys": keys, "endpoint": given["endpoint"], "expirationTime": 7}

    text = WebPush.parse_address(given)

    assert WebPush.parse_address(other) == text
    assert WebPush.parse_address(json.dumps(other)) == text
    assert WebPush.parse_address(text) == text
    assert json.loads(text) == {"endpoint": given["endpoint"], "keys": given["keys"]}


@pytest.mark.parametrize(
    "endpoint", ["http://push.example.net/x", "https://[64:ff9b::a9fe:a9fe]/x", "https://localhost"]
)
def test_a_subscription_whose_endpoint_is_private_or_http_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match=r"^endpoint of a subscription must"):
        WebPush.parse_address(subscription(endpoint=endpoint))


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({}, "p256dh of a subscription must be 65 bytes"),
        ({"p256dh": "BAAA"}, "p256dh of a subscription must be 65 bytes"),
        ({"p256dh": "!" * 87}, "p256dh of a subscription must be 65 bytes"),
        ({"p256dh": 7}, "p256dh of a subscription must be 65 bytes"),
        ({"p256dh": webpush.encoded(b"\4" + b"\1" * 64)}, "no point of the curve"),
        ({"p256dh": webpush.encoded(b"\2" + b"\1" * 64)}, "no point of the curve"),
    ],
)
def test_keys_that_nothing_can_be_encrypted_for_are_refused(
    keys: dict[str, Any], sentence: str
) -> None:
    auth = webpush.encoded(b"x" * 16)

    with pytest.raises(ValueError, match=sentence):
        WebPush.parse_address(subscription(keys={"auth": auth, **keys}))


@pytest.mark.parametrize("auth", ["", "eA", webpush.encoded(b"x" * 17), None])
def test_a_secret_of_another_length_is_refused(auth: object) -> None:
    given = subscription()

    with pytest.raises(ValueError, match=r"^auth of a subscription must be 16 bytes"):
        WebPush.parse_address({**given, "keys": {**given["keys"], "auth": auth}})
