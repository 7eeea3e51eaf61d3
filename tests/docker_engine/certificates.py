"""Certificates with which an engine and its clients know each other."""

import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """Writes `NAME.pem` and `NAME-key.pem` into a folder; its own certificate is `ca.pem`."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("test authority")
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self._write("ca", self._signed(self._name, self._key, (constraints, True)), self._key)

    def server(self, name, address):
        """For an IP address."""
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        self._issue(name, ExtendedKeyUsageOID.SERVER_AUTH, (names, False))

    def client(self, name):
        self._issue(name, ExtendedKeyUsageOID.CLIENT_AUTH)

    def text(self, file):
        return (self.folder / file).read_text()

    def _issue(self, name, usage, *extensions):
        key = ec.generate_private_key(ec.SECP256R1())
        usages = (x509.ExtendedKeyUsage([usage]), False)
        self._write(name, self._signed(_name(name), key, usages, *extensions), key)

    def _signed(self, subject, key, *extensions):
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name, certificate, key):
        pem = serialization.Encoding.PEM
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (self.folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
        (self.folder / f"{name}-key.pem").write_bytes(key.private_bytes(pem, *plain))


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
