"""RestoreDrill: a backup that can't be restored is named before it is needed."""

import json
import os

import pytest

from mikrotik.site import NAME
from runbook.connectors.backups import Origin, Snapshot, Source
from runbook.connectors.backups.store import BINARY, EXPORT, FACTS

OTHER = "core-2"
GOOD = int(os.environ.get("GOOD_BACKUPS", "1"))
EACH = bool(os.environ.get("EACH_DAMAGE"))
"""Whether each damage has a drill of its own."""


@pytest.fixture
def backed_up(bench):
    """A backup of a router, and one of another device with another configuration."""
    bench.router.run("/ppp secret add name=site password=one; /user add name=ann group=full")
    assert bench.backup() == 0
    bench.router.run("/ip address add address=10.0.0.1/24 interface=ether2")
    seen = bench.router.run("/ip address print")
    assert "10.0.0.1" in seen
    kept = {
        name: bench.store.git.read("main", f"{NAME}/{name}") for name in (EXPORT, BINARY, FACTS)
    }
    assert bench.backup() == 0
    newer = {name: bench.store.git.read("main", f"{NAME}/{name}") for name in kept}
    return kept, newer


def drill(bench, *names):
    """The exit code, and what was found of the last device."""
    bench.new_run()
    bench.set(DEVICES=json.dumps(names))
    code = bench.call("drilling", "drill")
    return code, {one["device"]: one["verdict"].value for one in bench.outputs["devices"]}


def edited(text, old, new):
    assert old in text
    return text.replace(old, new)


def facts_with(facts, **more):
    return json.dumps({**json.loads(facts), **more}).encode()


DAMAGES = {
    "a flipped bit": lambda old, new: {
        BINARY: new[BINARY][:99] + bytes([new[BINARY][99] ^ 1]) + new[BINARY][100:]
    },
    "cut short": lambda old, new: {BINARY: new[BINARY][:-7]},
    "empty": lambda old, new: {BINARY: b""},
    "not a backup": lambda old, new: {BINARY: b"hello"},
    "of another time": lambda old, new: {BINARY: old[BINARY]},
    "an edited export": lambda old, new: {EXPORT: edited(new[EXPORT], b"10.0.0.1", b"10.0.0.9")},
    "an export cut short": lambda old, new: {EXPORT: new[EXPORT][:-20]},
    "no facts": lambda old, new: {FACTS: b"{"},
    "an export of another time": lambda old, new: {
        EXPORT: old[EXPORT],
        FACTS: facts_with(new[FACTS], export_sha256=json.loads(old[FACTS])["export_sha256"]),
    },
    "other secrets": lambda old, new: {FACTS: facts_with(new[FACTS], fingerprint="0")},
}


def test_a_damaged_backup_is_named_and_a_good_one_proven(bench, backed_up):
    old, new = backed_up
    names = {damage: f"damaged-{n}" for n, damage in enumerate(DAMAGES)}
    with bench.store.git.writing():
        for damage, make in DAMAGES.items():
            device = names[damage]
            files = {
                **sealed_for(bench, device, new),
                **make(sealed_for(bench, device, old), sealed_for(bench, device, new)),
            }
            paths = {f"{device}/{name}": content for name, content in files.items()}
            bench.store.git.commit(paths, f"First\n\nDevice: {device}\nOrigin: first\n")
    expected = {NAME: "proven", "never": "missing"}
    for n in range(GOOD):
        device = f"good-{n}"
        expected[device] = "proven"
        kept = Snapshot(device, bench.store.export(NAME), *facts_of(new))
        binary = bench.store.binary(NAME)
        bench.store.save(kept, Origin.SEEN, Source(), binary=lambda kept=binary: kept)
    for damaged in [[one] for one in names.values()] if EACH else [[*names.values()]]:
        found = drill(bench, *expected, *damaged)
        assert found == (43, expected | dict.fromkeys(damaged, "damaged"))
    assert bench.reports.count({"last_damage": "now"}) > len(names)
    assert bench.reports.count({"last_proof": "now", "last_damage": None}) > GOOD


def facts_of(files):
    facts = json.loads(files[FACTS])
    return facts, facts["fingerprint"]


def sealed_for(bench, device, files):
    content = bench.store.sealer.open(files[BINARY], NAME)
    return {**files, BINARY: bench.store.sealer.seal(content, device)}


def test_what_was_damaged_before_it_was_stored_is_named(bench, backed_up):
    content = bench.store.binary(NAME)
    damaged = content[:60] + bytes([content[60] ^ 1]) + content[61:]
    kept = Snapshot(OTHER, bench.store.export(NAME), bench.store.facts(NAME), "other")
    bench.store.save(kept, Origin.SEEN, Source(), binary=lambda: damaged)
    assert drill(bench, OTHER) == (43, {OTHER: "damaged"})


def test_a_spare_router_proves_backups_and_gets_its_own_configuration_back(
    bench, bench_of, backed_up
):
    spare = bench_of(identity="spare")
    spare.router.run("/ip address add address=10.7.7.7/24 interface=ether5")
    before = spare.router.snapshot()
    connection = json.loads((spare.folder / "connections" / "ROUTER.json").read_text())
    # It shows the certificate of the router whose backup it has.
    connection["values"] |= {"tls": "unverified"}
    (bench.folder / "connections" / "SPARE.json").write_text(json.dumps(connection))
    bench.use()
    bench.set(SPARE="spare")
    assert drill(bench, NAME) == (0, {NAME: "proven"})
    assert spare.router.snapshot() == before
    assert bench.calls == [("mikrotik/Backup.md", {"ROUTER": "spare"})]
