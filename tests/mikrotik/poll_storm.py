"""Polls a fleet of simulated routers by a real server, of which some hang and some refuse.

`PYTHONPATH=tests python -m mikrotik.poll_storm`. Two polls overlap, until the breakers of the
routers that fail open; then they rest, are tried again, rest for longer, and close when the routers
answer again. Takes about three minutes, since the pauses are real.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from integration.conftest import Beside, Server
from mikrotik.site import PASSWORD
from runbook.core.fanout.breaker import FAILURES, FIRST_PAUSE_MS
from runbook.lab.routeros.router import Router

POLL = "fleet/Poll.md"
TIMEOUT_S = 3
PAUSE_S = FIRST_PAUSE_MS / 1000
MARGIN_S = 1.0
BOUND_S = TIMEOUT_S + 12
"""For a poll of a router that hangs, on a machine with ten polls at once."""


class Crowd:
    """How many connections each router has at once, looked at all the time."""

    def __init__(self, routers):
        self.most = Counter()
        self._routers = routers
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _watch(self):
        while not self._ended.wait(0.005):
            for name, router in self._routers.items():
                now = sum(
                    one.service == "api-ssl" and one.open
                    for one in list(router.endpoints._connections)
                )
                self.most[name] = max(self.most[name], now)


class Fleet:
    """A server with the toolkits, and its routers."""

    def __init__(self, server, good, bad):
        self._server = server
        self.hanging = [f"hang-{n}" for n in range(bad)]
        self.refusing = [f"refuse-{n}" for n in range(bad)]
        self.good = [f"good-{n:02}" for n in range(good)]
        names = [*self.hanging, *self.good, *self.refusing]
        self.routers = {
            name: Router("7.18", password=PASSWORD, identity=name).start() for name in names
        }
        self.break_down()
        beside = Beside(server)
        for slug in ("mikrotik", "fleet"):
            for verb in ("install", "enable"):
                done = beside.run("toolkit", verb, slug)
                assert done.returncode == 0, done.stderr
        self.client = server.client("root", ("admin", "operator"))
        self.client.timeout = 300
        for name, router in self.routers.items():
            self._connect(name, router)

    def _connect(self, name, router):
        values = {
            "host": "127.0.0.1",
            "port": router.api_ssl_port,
            "username": "admin",
            "password": PASSWORD,
            "ca": router.ca,
            "timeout": TIMEOUT_S,
            "command_timeout": TIMEOUT_S,
        }
        given = {"name": name, "kind": "routeros", "values": values}
        reply = self.client.post("/api/connections", json=given)
        assert reply.status_code < 300, reply.text
        reply = self.client.put(f"/api/inventory/{name}", json={"connection": name})
        assert reply.status_code < 300, reply.text

    def close(self):
        self.client.close()
        for router in self.routers.values():
            router.stop()

    def break_down(self, *, broken=True):
        for names, fault in ((self.hanging, "hang"), (self.refusing, "refuse")):
            for name in names:
                setattr(self.routers[name].faults, fault, broken)

    def submit(self):
        body = {"env_vars": {"DEVICES": "all", "RUNBOOK": "mikrotik/Poll.md"}}
        headers = {"Prefer": "respond-async"}
        reply = self.client.post(f"/api/runbooks/{POLL}/execute", json=body, headers=headers)
        assert reply.status_code == 202, reply.text
        return reply.json()["run_id"]

    def ended(self, run_id):
        """The run and its table, by device."""
        while True:
            run = self.client.get(f"/api/runs/{run_id}").json()
            if not run["active"]:
                break
            time.sleep(0.2)
        rows = self.client.get(f"/api/runs/{run_id}/devices", params={"limit": 200}).json()
        return run, {one["device"]: one for one in rows["devices"]}

    def facts(self):
        """What the inventory knows of each device."""
        return {
            name: self.client.get(f"/api/inventory/{name}").json()["facts"] for name in self.routers
        }

    def times(self, tables):
        """When a device was polled, by the records of the runs."""
        spans = {}
        for table in tables:
            for name, one in table.items():
                if one["run_id"] and one["state"] != "skipped":
                    run = self.client.get(f"/api/runs/{one['run_id']}").json()
                    if run["started_at"]:
                        spans.setdefault(name, []).append((run["started_at"], run["finished_at"]))
        return spans


class Report:
    def __init__(self):
        self.wrong = 0

    def __call__(self, ok, text):
        self.wrong += not ok
        print(f"{'ok   ' if ok else 'WRONG'} {text}", flush=True)


def by_code(table, names):
    return dict(Counter(f"{table[name]['state']} {table[name]['code'] or ''}" for name in names))


def one_poll(fleet, check):
    """Of 50 devices of which some hang and some refuse."""
    began = time.monotonic()
    with Crowd(fleet.routers) as crowd:
        run, table = fleet.ended(fleet.submit())
    took = time.monotonic() - began
    check(run["return_code"] == 1, f"a poll of {len(table)} ended after {took:.1f} s")
    good = by_code(table, fleet.good)
    check(good == {"succeeded ": len(fleet.good)}, f"those that answer: {good}")
    for names in (fleet.hanging, fleet.refusing):
        found = by_code(table, names)
        texts = {table[name]["message"] for name in names}
        failed = sum(count for state, count in found.items() if state.startswith("failed"))
        check(failed == len(names), f"{names[0]} and so on: {found}, {min(texts)}")
    longest = max(table[name]["duration_ms"] for name in fleet.hanging) / 1000
    check(longest < BOUND_S, f"{longest:.1f} s for one that hangs; the time-out is {TIMEOUT_S} s")
    most = max(crowd.most.values())
    check(most == 1, f"a router had at most {most} connection at once")
    states = Counter((one.get("state"), one.get("reason")) for one in fleet.facts().values())
    expected = {
        ("online", None): len(fleet.good),
        ("offline", "timeout"): len(fleet.hanging),
        ("offline", "refused"): len(fleet.refusing),
    }
    check(states == expected, f"the inventory says: {dict(states)}")


def overlapping(fleet, check):
    """Two polls at once: no device is polled twice at the same time."""
    with Crowd(fleet.routers) as crowd:
        ids = [fleet.submit(), fleet.submit()]
        tables = [fleet.ended(run_id)[1] for run_id in ids]
    skipped = sum(
        one["code"] == "lock_held" and one["state"] == "skipped"
        for table in tables
        for one in table.values()
    )
    spans = fleet.times(tables)
    twice = [
        name
        for name, found in spans.items()
        for earlier, later in pairwise(sorted(found))
        if later[0] < earlier[1]
    ]
    most = max(crowd.most.values())
    several = sorted(name for name, count in crowd.most.items() if count > 1)
    done = sum(map(len, spans.values()))
    text = f"two polls at once: {done} devices polled, {skipped} skipped as busy"
    check(not twice and done + skipped == 2 * len(fleet.routers), f"{text}, {len(twice)} twice")
    check(most == 1, f"a router had at most {most} connection at once {several}")


class Pauses:
    """How long the breaker of each device stays open after its last failure, in seconds."""

    def __init__(self):
        self.of = {}
        self._failed = {}

    def look(self, table):
        for name, one in table.items():
            if one["state"] == "failed":
                self._failed[name] = datetime.fromisoformat(one["finished_at"])
            elif one["code"] == "breaker_open" and name in self._failed:
                pause = datetime.fromisoformat(one["until"]) - self._failed[name]
                seconds = round(pause.total_seconds(), 3)
                found = self.of.setdefault(name, [])
                if found[-1:] != [seconds]:
                    found.append(seconds)


def breakers(fleet, check):
    """They open after so many failures, rest, rest for twice as long, and close."""
    bad, pauses = [*fleet.hanging, *fleet.refusing], Pauses()

    def poll_until(done):
        began = time.monotonic()
        while True:
            table = fleet.ended(fleet.submit())[1]
            pauses.look(table)
            passed = time.monotonic() - began
            if done(table) or passed > 5 * PAUSE_S:
                return by_code(table, bad), by_code(table, fleet.good), passed
            time.sleep(MARGIN_S)

    def all_are(state):
        return lambda table: by_code(table, bad) == {state: len(bad)}

    found, good, _ = poll_until(all_are("skipped breaker_open"))
    check(found == {"skipped breaker_open": len(bad)}, f"the breakers open: {found}")
    check(good == {"succeeded ": len(fleet.good)}, f"the others are polled: {good}")
    poll_until(lambda _: all(len(pauses.of[name]) > 1 for name in bad))
    shown = Counter(map(tuple, pauses.of.values()))
    expected = {(PAUSE_S, 2 * PAUSE_S): len(bad)}
    check(shown == expected, f"they are open for so many seconds after each failure: {dict(shown)}")
    fleet.break_down(broken=False)
    found, _, passed = poll_until(all_are("succeeded "))
    check(found == {"succeeded ": len(bad)}, f"{passed:.0f} s later they close: {found}")
    found, _, passed = poll_until(lambda _: True)
    check(found == {"succeeded ": len(bad)}, f"and stay closed: {found}")


def main():
    parser = argparse.ArgumentParser(prog="python -m mikrotik.poll_storm", description=__doc__)
    parser.add_argument("--good", type=int, default=40)
    parser.add_argument("--bad", type=int, default=5, help="as many hang, and as many refuse")
    given = parser.parse_args()
    check = Report()
    with tempfile.TemporaryDirectory(prefix="poll-storm-") as folder:
        server = Server(Path(folder)).start()
        try:
            fleet = Fleet(server, given.good, given.bad)
            try:
                one_poll(fleet, check)
                overlapping(fleet, check)
                breakers(fleet, check)
            finally:
                fleet.close()
        finally:
            server.stop()
    print(f"{check.wrong} wrong; breakers open after {FAILURES} failures in a row")
    return 1 if check.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
