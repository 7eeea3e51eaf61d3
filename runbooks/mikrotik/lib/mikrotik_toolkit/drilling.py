"""RestoreDrill: restores backups where they do no harm, and compares what comes of them."""

from __future__ import annotations

import difflib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import runbook
from mikrotik_toolkit import reaching, saving
from mikrotik_toolkit.reaching import BROKEN
from runbook.connectors import backups, routeros
from runbook.connectors.backups import BackupStore, DamagedError
from runbook.connectors.connection import ConnectionValues
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.host_keys import CollectedHostKeys
from runbook.connectors.routeros import open_router, rsc
from runbook.connectors.routeros.router import Router

DAMAGED_CODE = 43
CLOCK_RATE = "60"
RESTART_S = 60.0
READY_S = 30.0
_UNREACHED = frozenset(
    {*BROKEN, ErrorCode.AUTH, ErrorCode.TLS, ErrorCode.REFUSED, ErrorCode.HOST_KEY}
)
_SIMULATED = (slice(40, 42), b"\x78\x9c")
"""Where the backups of the simulator have the beginning of compressed data."""


class Verdict(StrEnum):
    PROVEN = "proven"
    """It was restored, and the configuration is the one that was backed up."""
    INTACT = "intact"
    """It is as it was stored, and its export is accepted; only a router can load the rest."""
    DAMAGED = "damaged"
    MISSING = "missing"
    """There is no backup."""
    UNPROVEN = "unproven"
    """What it was restored to can't be reached, so nobody can tell."""


@dataclass(frozen=True)
class Finding:
    device: str
    verdict: Verdict
    reason: str = ""
    version: str = ""
    taken_at: str = ""


BACKUP = "mikrotik/Backup.md"
Connect = Callable[[], Router]


def drill() -> None:
    store = backups.open_store()
    names: list[str] = json.loads(os.environ["DEVICES"])
    found: list[Finding] = []
    with ExitStack() as ends:
        stages = Stages(ends)
        for n, name in enumerate(names):
            runbook.progress(100 * n / len(names), name)
            one = _drilled(store, name, stages)
            found.append(one)
            print(f"{name}: {one.verdict}{': ' if one.reason else ''}{one.reason}", flush=True)
            _report(one)
    _tell(found)


def _report(found: Finding) -> None:
    match found.verdict:
        case Verdict.PROVEN:
            runbook.device(found.device, last_proof="now", last_damage=None)
        case Verdict.INTACT:
            runbook.device(found.device, last_damage=None)
        case Verdict.DAMAGED | Verdict.MISSING:
            runbook.device(found.device, last_damage="now")


def _tell(found: list[Finding]) -> None:
    damaged = [it.device for it in found if it.verdict in (Verdict.DAMAGED, Verdict.MISSING)]
    unproven = [it.device for it in found if it.verdict is Verdict.UNPROVEN]
    runbook.output("devices", [asdict(one) for one in found])
    runbook.output("damaged", damaged)
    runbook.output("unproven", unproven)
    runbook.output("proven", sum(one.verdict is Verdict.PROVEN for one in found))
    rows = [f"| {it.device} | {it.verdict} | {it.taken_at} | {it.reason} |" for it in found]
    runbook.summary("\n".join(["| device | | backup of | |", "|---|---|---|---|", *rows]))
    if damaged or unproven:
        for text, names in (("No good backup", damaged), ("Not proven", unproven)):
            if names:
                print(f"{text}: {', '.join(names)}", file=sys.stderr)
        raise SystemExit(DAMAGED_CODE)


def _drilled(store: BackupStore, device: str, stages: Stages) -> Finding:
    version = next(iter(store.history(device, limit=1)), None)
    if version is None:
        return Finding(device, Verdict.MISSING, "there is no backup")

    def found(verdict: Verdict, reason: str) -> Finding:
        return Finding(device, verdict, reason, version.commit, version.at.isoformat())

    try:
        facts = store.facts(device, version.commit)
        export = store.export(device, version.commit)
        binary = store.binary(device, version.commit)
        return found(*stages.prove(store, facts, export, binary))
    except DamagedError as error:
        return found(Verdict.DAMAGED, error.message)
    except ConnectorError as error:
        verdict = Verdict.UNPROVEN if error.code in _UNREACHED else Verdict.DAMAGED
        return found(verdict, f"{error.code}: {error.message}")


class Stages:
    """What backups are restored to: a spare router, or a simulator for each version."""

    def __init__(self, ends: ExitStack) -> None:
        self._ends = ends
        self._simulators: dict[str, Connect] = {}
        self._spare: Connect | None = None

    def prove(
        self, store: BackupStore, facts: dict[str, str], export: str, binary: bytes
    ) -> tuple[Verdict, str]:
        """Raises DamagedError and ConnectorError."""
        if os.environ.get("SPARE"):
            if self._spare is None:
                self._spare = self._ends.enter_context(_spare())
            _compare(store, facts, export, _restored(self._spare, binary))
            return Verdict.PROVEN, ""
        version = facts.get("version", "")
        if version not in self._simulators:
            self._simulators[version] = self._ends.enter_context(_simulator(version))
        connect = self._simulators[version]
        where, beginning = _SIMULATED
        if binary[where] != beginning:
            return _intact(connect, export)
        _compare(store, facts, export, _restored(connect, binary))
        return Verdict.PROVEN, ""


def _restored(connect: Connect, binary: bytes) -> tuple[str, str]:
    """The exports without and with secrets, once the router has loaded the backup."""
    mark = f"drill-{secrets.token_hex(6)}"
    with connect() as router:
        router.set("/system/identity", None, {"name": mark})
        file = saving.put_backup(router, binary)
        reaching.load(router, file)
    until = time.monotonic() + RESTART_S
    while True:
        try:
            with connect() as router:
                if router.print("/system/identity")[0].get("name") != mark:
                    return router.export(), router.export(show_sensitive=True)
        except ConnectorError:
            if time.monotonic() >= until:
                raise
        if time.monotonic() >= until:
            raise DamagedError("the router didn't load the backup")
        time.sleep(0.1)


def _compare(
    store: BackupStore, facts: dict[str, str], export: str, restored: tuple[str, str]
) -> None:
    """Raises DamagedError if what was restored isn't what was stored."""
    shown, whole = (saving.without_reverts(rsc.normalized(text)) for text in restored)
    before, after = saving.commands_of(export), saving.commands_of(shown)
    if before != after:
        first = next(
            line
            for line in difflib.unified_diff(before, after, lineterm="", n=0)
            if not line.startswith(("---", "+++", "@@"))
        )
        raise DamagedError(f"the restored configuration is another one: {first}")
    if saving.fingerprint(store, whole) != facts.get("fingerprint"):
        raise DamagedError("the restored configuration has other secrets")


def _intact(connect: Connect, export: str) -> tuple[Verdict, str]:
    with connect() as router:
        found = router.validate(export)
    if not found.ok:
        return Verdict.DAMAGED, f"the export isn't accepted: {found.findings[0].message}"
    return Verdict.INTACT, "as stored; only a router can load it: give a spare one"


@contextmanager
def _simulator(version: str) -> Iterator[Connect]:
    """A simulated router of this version, in which the user `rescue` always gets in."""
    password, rescue = secrets.token_hex(12), secrets.token_hex(12)
    runbook.mask(rescue)
    command = [sys.executable, "-m", "runbook.lab.routeros", "--version", version, "--given"]
    with subprocess.Popen(
        [*command, "--clock-rate", CLOCK_RATE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            ready = _ready(process, {"password": password, "rescue": rescue}, version)
            values = {
                "host": ready["host"],
                "port": ready["api_port"],
                "ssh_port": ready["ssh_port"],
                "username": "rescue",
                "password": rescue,
                "tls": "plain",
                "timeout": READY_S,
                "command_timeout": READY_S,
            }
            given = ConnectionValues(f"simulator {version}", "routeros", values)
            keys = CollectedHostKeys({})
            yield lambda: open_router(given, keys)
        finally:
            process.terminate()


def _ready(process: subprocess.Popen[str], given: dict[str, str], version: str) -> dict[str, Any]:
    if process.stdin is None or process.stdout is None:
        raise AssertionError
    process.stdin.write(json.dumps(given) + "\n")
    process.stdin.close()
    said = process.stdout.readline()
    if not said:
        raise DamagedError(f"there is no simulator of RouterOS {version}")
    ready: dict[str, Any] = json.loads(said)
    return ready


@contextmanager
def _spare() -> Iterator[Connect]:
    """The spare router. In the end, it gets its own configuration back.

    It is backed up first, in case this run is killed.
    """
    runbook.call(BACKUP, ROUTER=os.environ["SPARE"])

    def connect() -> Router:
        return routeros.connect("SPARE")

    with connect() as router:
        own = saving.binary_backup(router)
    try:
        yield connect
    finally:
        _restored(connect, own)
        with connect() as router:
            reaching.remove_leftovers(router)
