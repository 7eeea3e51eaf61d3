"""Routers get certificates that the connection accepts, or keep those that they have."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runbook.connectors.errors import ErrorCode


class Authority:
    def __init__(self, days=30):
        self.key_ = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Our authority")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key_.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key_.public_key()), critical=False
            )
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=True,
                    crl_sign=True,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .sign(self.key_, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        self.pem = made.public_bytes(pem).decode()
        self.key = self.key_.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


@pytest.fixture
def trusted(site):
    """A router and an authority that the connection trusts besides the router's own."""
    router, authority = site.router(), Authority()
    site.know("core-1", ca=router.ca + authority.pem)
    return router, authority


def sign(site, authority, **inputs):
    given = {"CA": authority.pem, "CA_KEY": authority.key, **inputs}
    return site.execute("CertDeploy", ROUTER="core-1", **given)


def used(router):
    return {row["name"]: row.get("certificate", "") for row in router.config.rows("ip/service")}


def test_a_certificate_is_signed_used_and_checked(site, trusted):
    router, authority = trusted
    done = sign(site, authority, NAMES="core-1.example.com", SERVICES="api-ssl,www-ssl")
    assert done.code == 0, done.error
    assert used(router)["api-ssl"] == used(router)["www-ssl"] == done.outputs["NAME"]
    assert not [name for name in router.state.files if name.endswith(".pem")]
    assert site.journal.states == ["done", "done"]
    # Only what our authority signed is accepted now.
    site.know("core-1", ca=authority.pem)
    assert site.execute("Poll", ROUTER="core-1").code == 0


def test_without_trust_the_certificate_from_before_stays(site):
    router = site.router()
    before = used(router)
    done = sign(site, Authority())
    assert (done.error.code, used(router)) == (ErrorCode.TLS, before)
    assert site.journal.states == ["done", "failed"]
    assert site.execute("Poll", ROUTER="core-1").code == 0


def test_undo_and_removal_leave_nothing_behind(site, trusted):
    router, authority = trusted
    sign(site, authority)
    sign(site, authority)
    site.journal.made.clear()
    before = used(router)
    sign(site, authority, REMOVE_OLD="true")
    names = [row["name"] for row in router.config.rows("certificate")]
    assert sum(name.startswith("runbook-") for name in names) == 2
    assert before["api-ssl"] in names

    given = {"CA": authority.pem, "CA_KEY": authority.key}
    assert site.execute("CertDeploy", undo=True, ROUTER="core-1", **given).code == 0
    assert used(router) == before
    assert [row["name"] for row in router.config.rows("certificate")] == names[:2]


def test_a_given_certificate_is_deployed_once(site, trusted):
    router, authority = trusted
    from mikrotik_toolkit.change import certificates

    made = certificates.signed_material(authority.pem, authority.key, ["127.0.0.1"], 10)
    # A form may make blanks of line ends.
    given = {
        "MODE": "given",
        "CERTIFICATE": made.pem.decode(),
        "KEY": made.key_pem.decode().replace("\n", " "),
    }
    first = site.execute("CertDeploy", ROUTER="core-1", **given)
    again = site.execute("CertDeploy", ROUTER="core-1", **given)
    assert (first.code, again.code) == (0, 0), first.error
    assert first.outputs["NAME"] == again.outputs["NAME"] == used(router)["api-ssl"]
    assert len(site.journal.made) == 2


def test_keys_that_do_not_fit_are_refused_before_anything(site, trusted):
    router, authority = trusted
    before = router.config.rows("certificate")[:]
    other = Authority()
    wrong = sign(site, authority, CA_KEY=other.key)
    nonsense = sign(site, authority, CA="nonsense")
    expired = sign(site, Authority(days=0.0))
    assert {one.error.code for one in (wrong, nonsense, expired)} == {ErrorCode.INVALID}
    assert router.config.rows("certificate") == before


def test_a_dry_run_plans_and_sends_no_key(site, trusted):
    router, authority = trusted
    before = used(router)
    done = sign(site, authority, dry_run=True)
    assert (done.code, used(router)) == (0, before), done.error
    assert len(done.plan) >= 3
    assert "PRIVATE KEY" not in "".join(done.plan) + done.printed
