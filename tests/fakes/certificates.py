"""Certificates made on the fly: an authority, and servers it vouches for, or should not."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates of servers; `path` is what a client must trust."""

    folder: Path
    name: x509.Name
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, folder: Path) -> Authority:
        """Make an authority and write its certificate down."""
        authority = cls(
            folder, _name("syncd test authority"), ec.generate_private_key(ec.SECP256R1())
        )
        whole = x509.BasicConstraints(ca=True, path_length=None)
        draft = _draft(authority.name, authority.key, authority.name)
        signed = draft.add_extension(whole, critical=True).sign(authority.key, hashes.SHA256())
        authority.path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return authority

    @property
    def path(self) -> Path:
        """Where its own certificate is."""
        return self.folder / "authority.pem"

    def server(
        self, *, host: str = HOST, days: int = 1, signs_itself: bool = False
    ) -> ssl.SSLContext:
        """Return how a server speaks; `days` is how long its certificate holds still."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("a server")
        issuer, signer = (name, key) if signs_itself else (self.name, self.key)
        host_name = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        signed = (
            _draft(name, key, issuer, until=datetime.now(UTC) + days * DAY)
            .add_extension(x509.SubjectAlternativeName([host_name]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        path = self.folder / f"server-{signed.serial_number}.pem"
        encoding = serialization.Encoding.PEM
        private = key.private_bytes(
            encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(private + signed.public_bytes(encoding))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _draft(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    *,
    until: datetime | None = None,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - 10 * DAY)
        .not_valid_after(until or datetime.now(UTC) + 10 * DAY)
    )
