"""Private keys of every sort, made once per process, in PEM form."""

from __future__ import annotations

from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

_PASSPHRASE = serialization.BestAvailableEncryption(b"s3cret")


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return _made(bits)


@cache
def _made(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def private_pem(key: Any = None, *, is_encrypted: bool = False, is_pkcs8: bool = False) -> str:
    """As GitHub hands it out (PKCS 1) unless something else is asked for."""
    modern = is_encrypted or is_pkcs8 or isinstance(key, ed25519.Ed25519PrivateKey)
    form = serialization.PrivateFormat
    return (
        (key or rsa_key())
        .private_bytes(
            serialization.Encoding.PEM,
            form.PKCS8 if modern else form.TraditionalOpenSSL,
            _PASSPHRASE if is_encrypted else serialization.NoEncryption(),
        )
        .decode()
    )


def public_pem(key: Any = None) -> str:
    return (
        (key or rsa_key())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@cache
def ec_pem() -> str:
    return private_pem(ec.generate_private_key(ec.SECP256R1()))


@cache
def ed25519_pem() -> str:
    return private_pem(ed25519.Ed25519PrivateKey.generate())
