from __future__ import annotations

import pytest

from syncd.config.receiver import parse_receiver

INSIDE = [
    "https://127.0.0.1/x",
    "https://127.1/x",
    "https://2130706433/x",
    "https://localhost/x",
    "https://localhost./x",
    "https://anything.localhost/x",
    "https://10.0.0.1/x",
    "https://172.16.0.1/x",
    "https://192.168.1.1/x",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/x",
    "https://0.0.0.0/x",
    "https://224.0.0.1/x",
    "https://[::1]/x",
    "https://[::]/x",
    "https://[fe80::1]/x",
    "https://[fd00::1]/x",
    "https://[ff02::1]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://[::127.0.0.1]/x",
    "https://[64:ff9b::a9fe:a9fe]/x",
    "https://[2002:7f00:1::]/x",
]


@pytest.mark.parametrize("url", INSIDE)
def test_what_leads_into_our_own_network_is_refused_unless_allowed(url: str) -> None:  # S30
    with pytest.raises(ValueError, match=r"^endpoint must be public$"):
        parse_receiver(url, "endpoint")

    assert parse_receiver(url, "endpoint", allow_private=True)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://push.example.net/x", "must begin with https://"),
        ("ftp://push.example.net/x", "must begin with https://"),
        ("https:///x", "must begin with https://"),
        ("push.example.net/x", "must begin with https://"),
        ("https://push.example.net:8443/x", "must use port 443"),
        ("https://push.example.net:22/x", "must use port 443"),
        ("https://push.example.net:0/x", "must use port 443"),
        ("https://push.example.net:99999/x", "is not an address"),
        ("https://ada@push.example.net/x", "must hold neither a user or password nor a fragment"),
        ("https://:s3cret@push.example.net/", "must hold neither a user or password nor a"),
        ("https://push.example.net/x#y", "must hold neither a user or password nor a fragment"),
        ("https://push.example.net/x\r\nHost: y", "holds characters that no address has"),
        ("https://push.example.net/x y", "holds characters that no address has"),
        ("https://push.example.net\\@10.0.0.1/", "holds characters that no address has"),
        ("https://push.example.net/grüße", "holds characters that no address has"),
        ("https://127。0。0。1/x", "holds characters that no address has"),
        ("https://push.example.net/" + "x" * 2_048, "must be an address of at most 2048 char"),
        ("", "must be an address of at most 2048 characters"),
        (None, "must be an address of at most 2048 characters"),
    ],
)
def test_what_is_wrong_is_said_without_the_address(url: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^endpoint ") as caught:
        parse_receiver(url, "endpoint")

    assert sentence in str(caught.value)
    assert "push.example" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://push.example.net/a%2Fb?c=d",
        "https://push.example.net:443/a%2Fb?c=d",
        "https://PUSH.example.net/a%2Fb?c=d",
        "HTTPS://push.example.net/a%2Fb?c=d",
    ],
)
def test_equal_addresses_are_written_alike(url: str) -> None:
    assert parse_receiver(url, "endpoint") == "https://push.example.net/a%2Fb?c=d"


def test_with_allow_private_http_and_any_port_will_do() -> None:
    url = "http://127.0.0.1:8080/x"

    assert parse_receiver(url, "endpoint", allow_private=True) == url
