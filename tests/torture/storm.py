"""A storm: clients at work while the faults happen; then calm, and the checks."""

from __future__ import annotations

import random
import signal
import threading
import time
import traceback
from dataclasses import dataclass

from torture import remains, report
from torture.checks import Checks, Finding
from torture.clients import Client
from torture.damage import Vandal
from torture.database import Database
from torture.faults import Faults
from torture.ground import Ground
from torture.keeper import Keeper
from torture.ledger import Books, Records, read_entries, read_marks
from torture.watch import Watch

CLIENTS = 4
STEP_S = 0.02
DAMAGE = ("damage run", "damage event", "damage document")
DISKS = ("fill disk of DATA_DIR", "fill disk of log")
SERVERS = ("crash database",)


@dataclass(frozen=True)
class Plan:
    """`no_disks` is why disks can't be filled, or nothing."""

    database: str
    seconds: float
    seed: int
    no_disks: str = ""

    def chance(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed} {self.database} {purpose}")


class Storm:
    def __init__(self, plan: Plan, database: Database, ground: Ground) -> None:
        self._plan = plan
        self._database = database
        self._ground = ground
        self._watch = Watch()
        self._keeper = Keeper(ground, database, self._watch, plan.chance("keeper"))
        self._over = threading.Event()

    def run(self) -> bool:
        """Whether all that must be true is true."""
        try:
            return self._run()
        finally:
            self._keeper.abandon()

    def _run(self) -> bool:
        began = time.monotonic()
        self._keeper.wait_ready()
        blown = time.monotonic()
        self._blow()
        calm = time.monotonic()
        findings = self._settle()
        books = Books(self._database.url)
        records = self._records(books)
        findings += Checks(records, self._watch).all()
        findings += remains.verified(self._ground, self._keeper.server.environment)
        books.close()
        ended = time.monotonic()
        times = (
            f"start {blown - began:.0f} s, storm {calm - blown:.0f} s, check {ended - calm:.0f} s"
        )
        title = f"{self._plan.database}, seed {self._plan.seed}: {times}"
        return report.show(title, records.runs, self._watch, findings)

    def _blow(self) -> None:
        vandal_chance = self._plan.chance("vandal")
        owner = self._client("vandal")
        vandal = Vandal(self._database.url, self._ground, owner, self._watch, vandal_chance)
        chance = self._plan.chance("faults")
        faults = Faults(self._keeper, self._ground, self._database, self._watch, vandal, chance)
        if self._database.server is None:
            faults.skip(*SERVERS, reason="SQLite has no server")
        if self._plan.no_disks:
            faults.skip(*DISKS, reason=self._plan.no_disks)
        if vandal.reason_to_skip:
            faults.skip(*DAMAGE, reason=vandal.reason_to_skip)
        clients = [threading.Thread(target=self._work, args=(n,)) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        deadline = time.monotonic() + self._plan.seconds
        try:
            while time.monotonic() < deadline:
                faults.step()
                time.sleep(STEP_S)
        finally:
            self._over.set()
            faults.heal_all()
            for client in clients:
                client.join()
            owner.close()

    def _client(self, name: str) -> Client:
        return Client(name, self._keeper.server, self._watch, self._plan.chance(name))

    def _work(self, number: int) -> None:
        client = self._client(f"client-{number}")
        pause = self._plan.chance(f"pause {number}")
        try:
            while not self._over.wait(pause.uniform(0, 0.3)):
                client.act()
        except Exception:  # noqa: BLE001 - a client that gave up would hide what it met
            self._watch.fault(traceback.format_exc())
        finally:
            client.close()

    def _settle(self) -> list[Finding]:
        """A server that nobody disturbs ends all runs; then it stops."""
        if self._plan.chance("end").random() < 0.5:
            self._keeper.end(signal.SIGKILL)
        else:
            self._keeper.stop()
        self._keeper.wait_ready()
        books = Books(self._database.url)
        active = remains.eventually(books.active)
        findings = [Finding("drained in time", 0, active)]
        findings += remains.while_serving(self._ground)
        own = f" {worker.pid} " if (worker := self._keeper.worker()) else "-"
        others = remains.eventually(lambda: [row for row in books.workers() if own not in row])
        findings.append(Finding("no other worker beside the server", 0, others))
        books.close()
        self._keeper.stop()
        return findings + remains.after_the_end(self._ground)

    def _records(self, books: Books) -> Records:
        twice = self._ground.twice.read_text().splitlines()
        return Records(
            marks=read_marks(self._ground.ledger),
            runs=books.runs(),
            steps=books.steps(),
            events=books.events(),
            entries=list(read_entries(self._ground.runbooks)),
            shared_locks=twice,
            held_locks=books.locks(),
            workers=books.workers(),
        )
