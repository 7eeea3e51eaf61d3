"""Overwrites rows of the database with what doesn't belong there, as a bad disk would."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import psycopg

from runbook.store import tables
from torture.clients import Client
from torture.ground import Ground
from torture.ledger import EVENTS_PER_RUN
from torture.runbooks import victim
from torture.watch import Watch

RUN_COLUMNS = ("requester", "chain", "inputs", "warnings", "outputs", "locks", "given")
# SQLite takes anything anywhere; PostgreSQL only what fits the type of the column.
ON_SQLITE = ("x'fffe80'", "'{bad'", "'\"\\ud800\"'", "-5", "''")
ON_POSTGRESQL = ("'[]'", "'5'", "'\"\\ud800\"'", "'[{}]'")
BYTES = {"sqlite": "'{bad'", "postgresql": "'\\xfffe80'::bytea"}
PATIENCE_S = 5


class Vandal:
    """`url` names the database; each method returns whether something was damaged."""

    def __init__(
        self, url: str, ground: Ground, client: Client, watch: Watch, chance: random.Random
    ) -> None:
        self._url = url
        self._kind = "sqlite" if url.startswith("sqlite") else "postgresql"
        self._ground = ground
        self._client = client
        self._watch = watch
        self._chance = chance
        self._victims = 0

    @property
    def reason_to_skip(self) -> str:
        has_quarantine = hasattr(tables, "quarantine")
        return "" if has_quarantine else "this version doesn't set damaged runs aside"

    def damage_run(self) -> bool:
        run_id = self._some_run()
        column = self._chance.choice(RUN_COLUMNS)
        value = self._chance.choice(ON_SQLITE if self._kind == "sqlite" else ON_POSTGRESQL)
        return bool(run_id) and self._damage(
            f"UPDATE runs SET {column} = {value} WHERE id = '{run_id}'", run_id
        )

    def damage_event(self) -> bool:
        run_id = self._some_run()
        first = f"(SELECT seq FROM runs WHERE id = '{run_id}') * {EVENTS_PER_RUN}"
        column, value = self._chance.choice(
            [("text", BYTES[self._kind]), ("data", "'[5]'"), ("type", "'no such type'")]
        )
        number = self._chance.randint(1, 6)
        statement = f'UPDATE events SET {column} = {value} WHERE "key" = {first} + {number}'
        return bool(run_id) and self._damage(statement, run_id)

    def damage_document(self) -> bool:
        """The document of a runbook of its own, so that no other run has it."""
        self._victims += 1
        name = f"Victim{self._victims}"
        path = self._ground.runbooks / f"{name}.md"
        path.write_text(victim(name, self._ground.folder))
        run_id = self._client.submit(path.name)
        if run_id is None:
            return False
        digest = f"(SELECT digest FROM runs WHERE id = '{run_id}')"
        return self._damage(
            f"UPDATE documents SET content = {BYTES[self._kind]} WHERE digest = {digest}", run_id
        )

    def _some_run(self) -> str:
        known = self._watch.known()
        return self._chance.choice(known[-20:]) if known else ""

    def _damage(self, statement: str, run_id: str) -> bool:
        # Before the deed: the engine may find it at once.
        self._watch.damage(run_id)
        try:
            if self._kind == "sqlite":
                path = self._url.removeprefix("sqlite:///")
                with closing(sqlite3.connect(path, timeout=PATIENCE_S)) as lite, lite:
                    return lite.execute(statement).rowcount > 0
            url = self._url.replace("+psycopg", "")
            with psycopg.connect(url, connect_timeout=PATIENCE_S) as connection:
                # A frozen worker may hold the row: only we can wake it up.
                connection.execute(f"SET lock_timeout = '{PATIENCE_S}s'")
                connection.execute("SET session_replication_role = replica")
                return connection.execute(statement).rowcount > 0
        except (sqlite3.Error, psycopg.Error) as error:
            self._watch.count(f"damage refused: {type(error).__name__}")
            return False
