"""Certificates and keys as PEM: read, checked, and signed by an authority of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mikrotik_toolkit.given import invalid

RSA_BITS = 2048
CLOCK_SKEW = timedelta(hours=1)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----(.*?)-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Material:
    """What a router gets. `chain` begins with its own certificate."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def pem(self) -> bytes:
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in self.chain)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )


def blocks(text: str) -> list[str]:
    """PEM blocks, with line ends where a form has made blanks of them."""
    return [
        f"-----BEGIN {found[1]}-----\n"
        + "\n".join(found[2].split())
        + f"\n-----END {found[1]}-----\n"
        for found in _BLOCK.finditer(text)
    ]


def chain_of(text: str, what: str) -> tuple[x509.Certificate, ...]:
    """Raises `invalid`."""
    try:
        found = tuple(x509.load_pem_x509_certificate(one.encode()) for one in blocks(text))
    except ValueError:
        found = ()
    if not found:
        raise invalid(f"{what} is not a certificate in PEM")
    return found


def key_of(text: str, what: str) -> PrivateKey:
    """Raises `invalid`."""
    try:
        [block] = blocks(text)
        found = serialization.load_pem_private_key(block.encode(), None)
    except (ValueError, TypeError):
        raise invalid(f"{what} is not a private key in PEM without a passphrase") from None
    if not isinstance(found, PrivateKey):
        raise invalid(f"{what} must be an RSA or an EC key")
    return found


def given_material(certificate: str, key: str) -> Material:
    made = Material(chain_of(certificate, "CERTIFICATE"), key_of(key, "KEY"))
    _check_pair(made.certificate, made.key, "KEY", "CERTIFICATE")
    now = datetime.now(UTC)
    if not made.certificate.not_valid_before_utc <= now < made.certificate.not_valid_after_utc:
        raise invalid("CERTIFICATE is not valid now: look at its dates")
    return made


def signed_material(authority: str, key: str, names: Iterable[str], days: int) -> Material:
    """A new key and a certificate for these names and addresses; the first is its common name."""
    issuer, issuer_key = chain_of(authority, "CA")[0], key_of(key, "CA_KEY")
    _check_pair(issuer, issuer_key, "CA_KEY", "CA")
    names = list(dict.fromkeys(names))
    own = rsa.generate_private_key(65537, RSA_BITS)
    now = datetime.now(UTC)
    until = min(now + timedelta(days=days), issuer.not_valid_after_utc)
    if until <= now:
        raise invalid("CA has expired")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - CLOCK_SKEW, issuer.not_valid_before_utc))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(list(map(_name, names))), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
    )  # fmt: skip
    return Material((builder.sign(issuer_key, hashes.SHA256()),), own)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _check_pair(
    certificate: x509.Certificate, key: PrivateKey, key_name: str, certificate_name: str
) -> None:
    if certificate.public_key() != key.public_key():
        raise invalid(f"{key_name} is not the key of {certificate_name}")
