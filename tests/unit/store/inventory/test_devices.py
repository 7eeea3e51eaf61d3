"""Devices in the database: filters, pages, and changes that are all or nothing."""

import re
from dataclasses import replace

import pytest
import sqlalchemy as sa

from runbook.core.audit import Actor, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.inventory.device import Counted, Device, DeviceFilter, DeviceSort
from runbook.errors import NotFoundError, RequestError
from runbook.store.inventory.devices import DeviceChanges
from runbook.store.models import RunFilter

EDGE = Device(
    "edge-1", "routers", "192.0.2.1", "MikroTik", "CCR", "7.18", "fra", "router",
    ("core", "edge"), ("a",), 1, 2, 3, 4, None, {"cpu": [1, {"x": None}]}, 5, 6, 7, "ann", "run-1",
)  # fmt: skip
EVENT = NewAuditEvent(Actor("ann"), AuditAction.DEVICE_ADD, Target(TargetKind.DEVICE, "x"))


def put(store, *devices):
    store.devices.change([one.name for one in devices], lambda _: DeviceChanges(devices, EVENT))


def names(store, **wanted):
    return [one.name for one in store.devices.page(DeviceFilter(**wanted)).devices]


def test_a_device_comes_back_as_it_was(store):
    put(store, EDGE)
    assert store.devices.get("edge-1") == EDGE
    assert store.devices.get("other") is None
    assert store.devices.named(["edge-1", "other"]) == {"edge-1": EDGE}
    (listed,) = store.devices.page().devices
    assert listed == replace(EDGE, facts={})
    assert [event.action for event in store.audit.page().events] == ["device.add"]


def test_each_filter_finds_its_devices(store):
    put(
        store,
        EDGE,
        replace(EDGE, name="edge-2", tags=("edge",), groups=("b",), site="ber"),
        replace(EDGE, name="bare", connection=None, address="10.0.0.9", vendor="", tags=()),
        replace(EDGE, name="other_1", connection="other", tags=("core",), groups=()),
    )
    assert names(store) == ["bare", "edge-1", "edge-2", "other_1"]
    assert names(store, tag="core") == ["edge-1", "other_1"]
    assert names(store, tag="edge", group="b") == ["edge-2"]
    assert names(store, group="a") == ["bare", "edge-1"]
    assert names(store, site="ber") == ["edge-2"]
    assert names(store, vendor="MikroTik", tag="core", site="fra") == ["edge-1", "other_1"]
    assert names(store, connection="other") == ["other_1"]
    assert names(store, text="EDGE") == ["edge-1", "edge-2"]
    assert names(store, text="10.0.0") == ["bare"]
    assert names(store, text="_") == ["other_1"]
    assert names(store, connections=frozenset({"other"})) == ["other_1"]
    assert names(store, connections=frozenset({"other"}), loose=True) == ["bare", "other_1"]
    counts = store.devices.counts()
    assert (counts.devices, counts.tags, counts.sites) == (
        4, (Counted("core", 2), Counted("edge", 2)), (Counted("fra", 3), Counted("ber", 1)),
    )  # fmt: skip


def test_pages_follow_each_other(store):
    put(store, *(Device(f"r{n}", tags=("t",)) for n in range(5)))
    for wanted in (DeviceFilter(), DeviceFilter(tag="t"), DeviceFilter(text="r")):
        first = store.devices.page(wanted, limit=2)
        last = store.devices.page(wanted, after=first.next_cursor, limit=3)
        assert [one.name for one in (*first.devices, *last.devices)] == [f"r{n}" for n in range(5)]
        assert last.next_cursor is None


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (DeviceSort.BACKUP, ["never-1", "never-2", "old", "damaged", "new"]),
        (DeviceSort.BACKUP_LATEST, ["new", "damaged", "old", "never-1", "never-2"]),
        (DeviceSort.PROOF, ["damaged", "never-1", "never-2", "old", "new"]),
        (DeviceSort.PROOF_LATEST, ["new", "old", "never-1", "never-2", "damaged"]),
    ],
)
def test_what_needs_care_comes_first(store, sort, expected):
    put(
        store,
        Device("new", last_backup=3, last_proof=3, tags=("t",)),
        Device("old", last_backup=1, last_proof=1, tags=("t",)),
        Device("damaged", last_backup=2, last_proof=4, last_damage=5, tags=("t",)),
        Device("never-2", tags=("t",)),
        Device("never-1", tags=("t",)),
    )
    for wanted in (DeviceFilter(), DeviceFilter(tag="t")):
        found, cursor = [], ""
        while cursor is not None:
            page = store.devices.page(wanted, after=cursor, limit=1, sort=sort)
            found += [one.name for one in page.devices]
            cursor = page.next_cursor
        assert found == expected
    with pytest.raises(RequestError):
        store.devices.page(after="edge-1", sort=sort)


def test_a_change_replaces_tags_and_keeps_when_it_was_made(store):
    put(store, EDGE)

    def merge(known):
        after = replace(known["edge-1"], tags=("new",), created_at=99, updated_run=None)
        return DeviceChanges([after])

    store.devices.change(["edge-1", "absent"], merge)
    assert (names(store, tag="core"), names(store, tag="new")) == ([], ["edge-1"])
    assert (store.devices.get("edge-1").created_at, store.devices.get("edge-1").updated_run) == (
        6,
        None,
    )


def test_a_change_that_is_refused_changes_nothing(store):
    put(store, EDGE)

    def merge(_known):
        raise NotFoundError

    with pytest.raises(NotFoundError):
        store.devices.change(["edge-1"], merge)
    assert store.devices.get("edge-1") == EDGE


def test_a_removed_device_is_gone_but_its_runs_know_it(store, helper):
    put(store, EDGE)
    run = helper.submit(helper.new(devices={"ROUTER": ("edge-1", "edge-2")}))
    store.devices.remove("edge-1", EVENT)
    assert (store.devices.get("edge-1"), names(store, tag="core")) == (None, [])
    assert store.devices.of_run(run.id) == ("edge-1", "edge-2")
    with pytest.raises(NotFoundError):
        store.devices.remove("edge-1", EVENT)


def test_the_runs_of_a_device_newest_first(store, helper):
    runs = [helper.ended(devices={"R": ("edge-1",)}) for _ in range(3)]
    helper.ended(devices={"R": ("edge-2",)})
    reported = helper.ended()
    store.devices.change(["edge-1"], lambda _: DeviceChanges([EDGE], run_seq=reported.seq))
    wanted = RunFilter(device="edge-1")
    first = store.runs.page(wanted, limit=3)
    last = store.runs.page(wanted, cursor=first.next_cursor, limit=3)
    assert [run.id for run in (*first.runs, *last.runs)] == [
        run.id for run in (reported, *reversed(runs))
    ]
    assert store.runs.page(RunFilter(device="edge-1", subject="nobody")).runs == ()
    store.maintenance.purge(2**50)
    assert store.devices.of_run(runs[0].id) == ()


@pytest.mark.parametrize(
    "wanted",
    [
        DeviceFilter(tag="t7"),
        DeviceFilter(group="g7", site="s7"),
        DeviceFilter(site="s7"),
        DeviceFilter(vendor="v7"),
        DeviceFilter(connection="c7"),
    ],
)
def test_no_filter_reads_all_devices(store, wanted):
    put(
        store,
        *(
            Device(
                f"r{n}", f"c{n % 50}", vendor=f"v{n % 50}", site=f"s{n % 50}",
                tags=(f"t{n % 50}",), groups=(f"g{n % 50}",),
            )
            for n in range(2000)
        ),
    )  # fmt: skip
    statements = []
    engine = store._database.engine()
    sa.event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2:4]))
    assert store.devices.page(wanted, limit=5).devices
    ((statement, parameters),) = [one for one in statements if "FROM device" in one[0]]
    word = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            connection.exec_driver_sql("ANALYZE devices, device_words")
        plan = connection.exec_driver_sql(f"{word} {statement}", parameters).all()
    assert not [row for row in plan if re.search(r"\bSCAN\b|Seq Scan", str(row))], plan
