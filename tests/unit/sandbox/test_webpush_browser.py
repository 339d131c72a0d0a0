from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from pywebpush import WebPusher

from syncd.sandbox.webpush import WebPush, decoded, decrypt, encoded

# RFC 8291, appendix A.
PRIVATE = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAm"
    "S6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_"
    "Qulcy4a-fN"
)


def private() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(decoded(PRIVATE)), ec.SECP256R1())


def test_the_example_of_the_rfc_is_read() -> None:
    read = decrypt(private(), decoded(AUTH), decoded(BODY))

    assert read == b"When I grow up, I want to be a watermelon"


@pytest.mark.parametrize("size", [1, 100, 3_993, 10_000])
def test_what_pywebpush_encrypts_is_read(size: int) -> None:
    browser = WebPush().subscribe()
    payload = b"x" * size

    sealed = WebPusher(browser.subscription("https://push.example.net")).encode(payload)["body"]

    assert decrypt(browser.private, browser.auth, sealed) == payload


@pytest.mark.parametrize("place", [0, 30, 90, -1])
def test_what_was_changed_on_the_way_is_not_read(place: int) -> None:
    body = bytearray(decoded(BODY))
    body[place] ^= 1

    with pytest.raises((InvalidTag, ValueError)):
        decrypt(private(), decoded(AUTH), bytes(body))


def test_what_was_meant_for_another_browser_is_not_read() -> None:
    other = WebPush().subscribe()

    with pytest.raises(InvalidTag):
        decrypt(other.private, decoded(AUTH), decoded(BODY))


def test_base64url_has_no_padding() -> None:
    assert decoded(encoded(b"1234")) == b"1234"
    assert "=" not in encoded(b"1234")
