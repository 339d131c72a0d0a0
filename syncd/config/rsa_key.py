"""The private key of a GitHub App."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_SHORTEST_BITS = 2048
_AGAIN = "download it again from the app's settings page"


def load_rsa_key(pem: str) -> RSAPrivateKey:
    """Read an RSA private key in PEM form.

    Raises:
        ValueError: it is none, and what it is instead; the message tells nothing of the content.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - 40 ms, few need it
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        # An environment variable often holds the lines of a key joined by a written "\n".
        key = load_pem_private_key(pem.replace("\\n", "\n").strip().encode(), None)
    except TypeError:
        raise ValueError("holds an encrypted private key; take the passphrase off it") from None
    except (ValueError, UnsupportedAlgorithm):
        what = " but a public one" if "PUBLIC KEY" in pem else ""
        raise ValueError(f"holds no RSA private key in PEM form{what}; {_AGAIN}") from None
    match key:
        case RSAPrivateKey() if key.key_size >= _SHORTEST_BITS:
            return key
        case RSAPrivateKey():
            raise ValueError(f"holds an RSA key of {key.key_size} bits, too short; {_AGAIN}")
        case _:
            raise ValueError(f"holds a private key that is not RSA; {_AGAIN}")
