"""Export, comparison, validation and import."""

import pytest

from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros import rsc
from runbook.connectors.routeros.config import READ_BYTES, Validation

VERSIONS = ("6.49", "7.12", "7.18")
GOOD = "/ip address\nadd address=10.0.0.1/24 interface=ether2\n"
TYPO = "/ip address\nadd address=10.0.0.1/24 interface=ether2\nadd adress=10.0.0.2/24\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_exports_of_the_same_configuration_are_the_same(lab_of, version):
    lab = lab_of(version)
    with lab.connect() as router:
        files = router.print("/file")
        first = router.export()
        lab.router.advance(100_000)
        second = router.export()
        assert first != second
        assert rsc.normalized(first) == rsc.normalized(second)
        assert router.compare(first) == ""
        router.apply(GOOD)
        assert "-add address=10.0.0.1/24 interface=ether2" in router.compare(first)
        assert router.print("/file") == files


@pytest.mark.parametrize("version", VERSIONS)
def test_secrets_are_exported_only_on_request(lab_of, version):
    with lab_of(version).connect() as router:
        router.add("/snmp/community", {"name": "x", "authentication-password": "hidden-word"})
        assert "hidden-word" not in router.export()
        assert "hidden-word" in router.export(show_sensitive=True)


def test_a_large_export_is_whole(lab):
    with lab.connect() as router:
        for n in range(150):
            values = {"chain": "forward", "action": "accept", "comment": f"{n:04}" + "äöü€" * 50}
            router.add("/ip/firewall/filter", values)
        found = router.export()
    assert len(found) > 2 * READ_BYTES
    (rules,) = (it for it in rsc.parse(found).sections if it.path == "/ip firewall filter")
    assert rules.add == 150


@pytest.mark.parametrize("version", ["6.49", "7.12"])
def test_a_truncated_export_is_told(lab_of, version):
    lab = lab_of(version)
    lab.router.faults.truncate = True
    lab.router.faults.matching = "^/export"
    with lab.connect() as router, pytest.raises(ConnectorError) as error:
        router.export()
    assert error.value.code is ErrorCode.TRUNCATED


def test_a_script_is_validated_by_the_router_from_7_16_on(lab_of, lab):
    before = lab.router.snapshot()
    with lab.connect() as router:
        assert router.validate(GOOD) == Validation((), by_router=True)
        found = router.validate(TYPO)
        assert (found.by_router, [it.line for it in found.findings]) == (True, [3])
        own = router.validate('/ip address\nadd comment="x\n')
        assert (own.by_router, [it.code for it in own.findings]) == (False, ["unbalanced_quotes"])
    assert lab.router.snapshot() == before
    with lab_of("7.12").connect() as router:
        assert router.validate(TYPO).by_router is False


@pytest.mark.parametrize("version", VERSIONS)
def test_an_error_of_an_import_is_an_error(lab_of, version):
    lab = lab_of(version)
    with lab.connect() as router:
        router.apply(GOOD)
        with pytest.raises(ConnectorError) as error:
            router.apply(GOOD)
        assert error.value.code is ErrorCode.CONFLICT
        assert error.value.nothing_changed is False
        with pytest.raises(ConnectorError):
            router.apply(TYPO)
        assert [row["name"] for row in router.print("/file") if "runbook" in row["name"]] == []


@pytest.mark.parametrize("version", ["6.49", "7.18"])
def test_a_replacement_is_what_is_there_afterwards(lab_of, version):
    lab = lab_of(version, boot_seconds=0.2)
    address = "/ip address\nadd address=192.168.88.1/24 interface=ether1\n"
    script = f"{address}/system identity\nset name=new\n"
    with lab.connect() as router:
        router.replace(script)
    lab.router.wait_until_up(boots=2)
    # Without a configuration, it has no certificate either.
    with lab.connect(tls="unverified") as router:
        assert router.print("/system/identity") == [{"name": "new"}]
