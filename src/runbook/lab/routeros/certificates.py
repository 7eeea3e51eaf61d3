"""Certificates: imported from PEM files, and used by the service api-ssl."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runbook.lab.routeros import files
from runbook.lab.routeros.clock import write_moment
from runbook.lab.routeros.device import Device, Reply
from runbook.lab.routeros.errors import Category, RouterError
from runbook.lab.routeros.session import Session

PATH = "certificate"
ANONYMOUS = "ADH-AES128-GCM-SHA256:ADH-AES256-GCM-SHA384:@SECLEVEL=0"
FFDHE2048 = """-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


def import_file(router: Device, _: Session, given: Mapping[str, str]) -> Reply:
    name = given.get("file-name", "")
    if name not in router.state.files:
        raise RouterError("input does not match any value of file-name", Category.ARGUMENT)
    text = files.get(router, name).content.decode("latin-1")
    counts = {"certificates-imported": 0, "private-keys-imported": 0, "files-imported": 1}
    with router.lock:
        base = given.get("name") or name
        for n, pem in enumerate(_blocks(text, "CERTIFICATE")):
            counts["certificates-imported"] += _add(router, f"{base}_{n}", pem)
        for pem in _blocks(text, "PRIVATE KEY"):
            counts["private-keys-imported"] += _add_key(router, pem, given.get("passphrase", ""))
        router.changed(PATH)
    counts["decryption-failures"] = 0
    row = {key: str(value) for key, value in counts.items()}
    return Reply(text="\n".join(f"  {key:>26}: {value}" for key, value in row.items()), rows=[row])


def _blocks(text: str, what: str) -> list[str]:
    found, current = [], ""
    for line in text.splitlines():
        if line.startswith("-----BEGIN") and what in line:
            current = "\n"
        if current:
            current += line + "\n"
        if line.startswith("-----END") and current:
            found.append(current.strip() + "\n")
            current = ""
    return found


def _add(router: Device, name: str, pem: str) -> int:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    try:
        found = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return 0
    iso = router.release.has_iso_dates
    row = {
        ".id": router.config.new_id(PATH),
        "name": name,
        "common-name": _common_name(found),
        "issuer": found.issuer.rfc4514_string(),
        "serial-number": f"{found.serial_number:X}",
        "fingerprint": found.fingerprint(hashes.SHA256()).hex(),
        "invalid-before": write_moment(found.not_valid_before_utc, iso=iso),
        "invalid-after": write_moment(found.not_valid_after_utc, iso=iso),
        "private-key": "no",
        "trusted": "yes",
    }
    router.config.rows(PATH).append(row)
    router.config.keys[name] = pem
    return 1


def _common_name(certificate: Any) -> str:
    from cryptography.x509.oid import NameOID

    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _add_key(router: Device, pem: str, passphrase: str) -> int:
    """It goes to the certificate that it fits."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization as form

    try:
        key = form.load_pem_private_key(pem.encode(), passphrase.encode() or None)
    except (ValueError, TypeError):
        return 0
    public = key.public_key().public_bytes(
        form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo
    )
    plain = key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    ).decode()
    for row in router.config.rows(PATH):
        certificate = x509.load_pem_x509_certificate(router.config.keys[row["name"]].encode())
        theirs = certificate.public_key().public_bytes(
            form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo
        )
        if theirs == public:
            row["private-key"] = "yes"
            router.config.keys[f"{row['name']}/key"] = plain
            return 1
    return 0


def context(router: Device) -> ssl.SSLContext:
    """That of api-ssl: anonymous as long as no certificate is set."""
    service = next(row for row in router.config.rows("ip/service") if row["name"] == "api-ssl")
    name = service.get("certificate", "none")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key = router.config.keys.get(f"{name}/key")
    if key is None:
        made.maximum_version = ssl.TLSVersion.TLSv1_2
        made.set_ciphers(ANONYMOUS)
        _load(FFDHE2048, made.load_dh_params)
        return made
    chain = router.config.keys[name] + "".join(
        pem for other, pem in router.config.keys.items() if other != name and "/" not in other
    )
    _load(key + chain, made.load_cert_chain)
    return made


def _load(pem: str, load: Any) -> None:
    """Python's ssl reads files only."""
    descriptor, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(pem)
        load(path)
    finally:
        Path(path).unlink()


def make_authority() -> tuple[str, str, str]:
    """A certificate for loopback: of the authority, of the router, and its key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        for name in ("Lab authority", "router.lab.internal")
    ]
    now = datetime.now(UTC)
    pems = []
    for n in range(2):
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[n])
            .issuer_name(names[0])
            .public_key(keys[n].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=3650))
        )
        for extension, critical in _extensions(n == 0, keys[0].public_key(), keys[n].public_key()):
            builder = builder.add_extension(extension, critical)
        pems.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(form.Encoding.PEM).decode())
    key = keys[1].private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return pems[0], pems[1], key.decode()


def _extensions(is_authority: bool, issuer: Any, own: Any) -> list[tuple[Any, bool]]:
    import ipaddress

    from cryptography import x509

    names = [
        x509.DNSName("localhost"),
        x509.DNSName("router.lab.internal"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=is_authority,
        crl_sign=is_authority, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return [
        (x509.BasicConstraints(ca=is_authority, path_length=None), True),
        (usage, True),
        (x509.SubjectKeyIdentifier.from_public_key(own), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), False),
        *([] if is_authority else [(x509.SubjectAlternativeName(names), False)]),
    ]
