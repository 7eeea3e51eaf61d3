"""Kills fleet pushes, mostly between two confirms, and looks whether all routers are old or new.

`PYTHONPATH=tests python -m mikrotik.transaction_storm --seeds 0..19 --devices 50`.

A real server and worker; the routers are threads of this process. Killed is the worker, the
processes of the script, or everything, after which the server is started again. In most seeds one
router is lost: by the change itself, or 10 seconds after it got it, once it may be verified.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from integration.conftest import Server
from mikrotik.site import PASSWORD, scripts_of
from netbox.commands import TOOLKITS
from runbook.lab.routeros.router import CLIENT, Router
from young_workers import YoungWorkers

CLOCK_RATE, REVERT_AFTER, MARGIN = 3, 240, 30
LOST_AFTER_S = 10.0
PATIENCE_S = 600.0
LOST = "storm: lost"
PLANS = ("recover", "one", "retry", "resume", "undo", "push", "wait, recover", "wait, one")
KILLS = ("worker", "script", "all")
LOSSES = ("confirm", "late", "none", "confirm", "change")


@dataclass(frozen=True)
class Seed:
    """`confirmed` is the share of routers after whose confirmation it is killed."""

    n: int
    loss: str
    kill: str
    plan: str
    confirmed: float | None
    phase: str
    again_s: float | None

    @classmethod
    def of(cls, n):
        chance = random.Random(n)
        between = chance.random() < 0.8
        return cls(
            n,
            LOSSES[n % len(LOSSES)],
            KILLS[n % len(KILLS)],
            PLANS[n % len(PLANS)],
            chance.random() if between else None,
            chance.choice(("arming", "applying", "applied", "verified", "decided")),
            chance.uniform(0.5, 6) if chance.random() < 0.25 else None,
        )


class Lab:
    """A server, and routers that it knows as devices."""

    def __init__(self, folder, count, parallel):
        self.parallel = parallel
        self.server = Server(folder, SCRIPT_TIMEOUT_SECONDS=7200)
        self.workers = YoungWorkers(self.server)
        shutil.copytree(TOOLKITS / "mikrotik", self.server.runbooks / "mikrotik")
        self.routers = {}
        self._count = count
        self.state = self.server.data / "device-backups"

    def set_up(self):
        self.server.start()
        for n in range(self._count):
            name = f"edge-{n:02}"
            options = {"clock_rate": CLOCK_RATE, "boot_seconds": 2, "identity": name}
            self.routers[name] = Router("7.18", password=PASSWORD, **options).start()
        self._register()

    def _register(self):
        with self.client() as client:
            for name, router in self.routers.items():
                values = {
                    "host": "127.0.0.1",
                    "port": router.api_ssl_port,
                    "username": "admin",
                    "password": PASSWORD,
                    "ca": router.ca,
                    "ssh_port": router.ssh_port,
                    "timeout": 5,
                    "command_timeout": 8,
                }
                told = {"name": name, "kind": "routeros", "values": values}
                client.post("/api/connections", json=told).raise_for_status()
            rows = [f"{name},{name},127.0.0.1,storm" for name in self.routers]
            table = "\n".join(["name,connection,address,tags", *rows, ""])
            client.post("/api/inventory-import", json={"csv": table}).raise_for_status()

    def close(self):
        self.server.stop()
        for router in self.routers.values():
            router.stop()

    # -- runs --------------------------------------------------------------------------------

    def client(self):
        return self.server.client("ann", ("admin", "operator"))

    def post(self, path, **body):
        """The ID of a run; None if it was refused."""
        with self.client() as client:
            reply = client.post(path, json=body, headers={"Prefer": "respond-async"})
        return reply.json()["run_id"] if reply.status_code == 202 else None

    def start(self, name, **inputs):
        return self.post(f"/api/runbooks/mikrotik/{name}.md/execute", env_vars=inputs)

    def run(self, run_id):
        with self.client() as client:
            return client.get(f"/api/runs/{run_id}").json()

    def ended(self, run_id):
        """The run, once it has ended."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with suppress(httpx.HTTPError):
                run = self.run(run_id)
                if not run.get("active", True):
                    return run
            self.server.assert_running()
            time.sleep(0.2)
        raise AssertionError(f"{run_id} doesn't end")

    def log(self, run_id):
        with self.client() as client:
            return client.get(f"/api/runs/{run_id}/log").text

    def push_all(self, change):
        return self.start(
            "FleetPush",
            DEVICES="tag:storm",
            CHANGE=change,
            REVERT_AFTER=str(REVERT_AFTER),
            MARGIN=str(MARGIN),
            PARALLEL=str(self.parallel),
        )

    # -- what is known on disk ---------------------------------------------------------------

    def transaction(self, run_id):
        with suppress(FileNotFoundError):
            return json.loads((self.state / "transactions" / f"{run_id}.json").read_text())
        return None

    def changes(self, run_id):
        """The change of each device that belongs to this transaction, by device."""
        found = {}
        for name in self.routers:
            with suppress(FileNotFoundError):
                one = json.loads((self.state / "pending" / f"{name}.json").read_text())
                if one["transaction"] == run_id:
                    found[name] = one
        return found

    def is_open(self, run_id):
        return any(one["phase"] != "ended" for one in self.changes(run_id).values())

    # -- killing -----------------------------------------------------------------------------

    def kill(self, how, run_id):
        if how == "script":
            for pid in scripts_of(run_id):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return
        scripts = [*scripts_of(run_id)]
        if how == "worker":
            self.workers.kill(self.server.worker)
            return
        self.server.kill()
        for pid in scripts:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
        self.server.start()


def wait_for_moment(lab, seed, run_id):
    """Until what the seed says; False if the run ends before."""
    looked = 0.0
    while True:
        known = lab.transaction(run_id)
        if known is not None and is_moment(lab, seed, run_id, known["decision"]):
            return True
        if time.monotonic() - looked > 1:
            looked = time.monotonic()
            if not lab.run(run_id)["active"]:
                return False
        time.sleep(0.002)


def is_moment(lab, seed, run_id, decision):
    if decision == "back":  # it ends before what was chosen: amid going back
        time.sleep(3 * random.Random(seed.n).random())
        return True
    if seed.confirmed is not None:
        wanted, least = "confirmed", 1 + int(seed.confirmed * (len(lab.routers) - 1))
    else:
        wanted, least = seed.phase, max(1, len(lab.routers) // 2)
        if wanted == "decided":
            return decision == "commit"
    return sum(one["phase"] == wanted for one in lab.changes(run_id).values()) >= least


class Loser(threading.Thread):
    """Cuts a router off some seconds after it got the change, or then amid the confirms."""

    def __init__(self, lab, seed, router):
        super().__init__(daemon=True)
        self.lab, self.seed, self.router = lab, seed, router
        self.run_id = None
        self.confirmed = int(random.Random(seed.n).random() * len(lab.routers) / 2)
        self.over = threading.Event()

    def run(self):
        since = None
        while not self.over.wait(0.2 if since is None else 0.01):
            if since is None and mark_of(self.seed.n) in self.router.snapshot():
                since = time.monotonic()
            if since is not None and time.monotonic() - since > LOST_AFTER_S and self.is_time():
                self.router.run(f'/ip firewall filter add chain=input action=drop comment="{LOST}"')
                return

    def is_time(self):
        if self.seed.loss == "late":
            return True
        known = self.lab.transaction(self.run_id)
        changes = self.lab.changes(self.run_id).values()
        count = sum(one["phase"] == "confirmed" for one in changes)
        return known is not None and known["decision"] != "open" and count >= self.confirmed


def mark_of(n):
    return f"10.{n % 250}.7.1/24"


def change_of(n):
    return (
        f"/ip address\nadd address={mark_of(n)} interface=ether2\n"
        f"/ip firewall address-list\nadd list=storm-{n} address={CLIENT}\n"
        f"/ip firewall filter\nadd chain=forward comment=storm-{n} action=accept\n"
    )


def crash(lab, seed):
    """What was done, and what is wrong."""
    lab.workers.make_room(2)
    victim = random.Random(seed.n + 1000).choice([*lab.routers])
    router = lab.routers[victim]
    if seed.loss == "change":
        rule = f"chain=input src-address-list=storm-{seed.n} action=drop"
        router.run(f"/ip firewall filter add {rule}")
    before = {name: one.snapshot() for name, one in lab.routers.items()}
    said = [f"loss {seed.loss}"]
    run_id = lab.push_all(change_of(seed.n))
    if run_id is None:
        return said, ["the push was not accepted"]
    loser = Loser(lab, seed, router)
    if seed.loss in ("late", "confirm"):
        loser.run_id = run_id
        loser.start()
    ids = [run_id]
    if wait_for_moment(lab, seed, run_id):
        lab.kill(seed.kill, run_id)
        known = [one["phase"] for one in lab.changes(run_id).values()]
        phases = ", ".join(f"{known.count(one)} {one}" for one in dict.fromkeys(known))
        said.append(f"{seed.kill} killed at: {phases}")
    ended = lab.ended(run_id)
    said.append(f"{ended['status']} {ended['outputs'].get('outcome', '')}".strip())
    if seed.plan.startswith("wait"):
        for one in lab.routers.values():
            one.advance(2 * REVERT_AFTER)
        for one in lab.routers.values():
            one.wait_until_up()
    wrong, own = [], None
    done = planned(lab, seed, ended, victim, ids, said)
    own = done if done and done["name"] == "Push" else None
    loser.over.set()
    outcome = settled(lab, seed, router, ids, said, wrong)
    wrong += compared(lab, seed, before, outcome, own, ids)
    if wrong:
        wrong += ["\n".join(lab.log(one).splitlines()[-15:]) for one in ids if one]
    return said, wrong


def planned(lab, seed, ended, victim, ids, said):
    """The recovery that the seed says. Its run; None if there is nothing to recover."""
    how, other = seed.plan.removeprefix("wait, "), next(it for it in lab.routers if it != victim)
    if ended["status"] == "succeeded" and how in ("retry", "resume"):
        return None
    if how == "recover":
        run_id = lab.start("FleetRecover", DEVICES="tag:storm")
    elif how == "one":
        run_id = lab.start("PushRecover", ROUTER=other)
    elif how == "push":
        own = f"/ip address add address=10.251.{seed.n % 250}.1/24 interface=ether3\n"
        run_id = lab.start("Push", ROUTER=other, CHANGE=own, REVERT_AFTER=str(REVERT_AFTER))
    else:
        run_id = lab.post(f"/api/runs/{ids[0]}/{how}")
    if run_id is None:
        said.append(f"{how} not accepted")
        return None
    ids.append(run_id)
    if seed.again_s is not None:
        time.sleep(seed.again_s)
        lab.kill("worker", run_id)
    run = lab.ended(run_id)
    again = f" (killed after {seed.again_s:.1f} s)" if seed.again_s is not None else ""
    said.append(f"{seed.plan}: {run['return_code']} {run['outputs'].get('outcome', '')}{again}")
    if how == "push" and run["outputs"].get("outcome") == "committed":
        lab.routers[other].run(f"/ip address remove [find address=10.251.{seed.n % 250}.1/24]")
    return run


def settled(lab, seed, router, ids, said, wrong):
    """The outcome, once a router that stays away was reached again."""
    for is_mended in (False, True):
        if is_mended:
            router.run(f'/ip firewall filter remove [find comment="{LOST}"]')
        run_id = lab.start("FleetRecover", DEVICES="tag:storm")
        ids.append(run_id)
        run = lab.ended(run_id)
        outcome = run["outputs"].get("outcome", "")
        said.append(f"recover: {outcome}{' (once it is back)' if is_mended else ''}")
        # One that was confirmed, and is lost, is open until it could be backed up.
        if run["status"] == "succeeded" and not any(lab.is_open(one) for one in ids):
            return outcome
    wrong.append(f"FleetRecover ended with {run['return_code']}")
    return outcome


def compared(lab, seed, before, outcome, own, ids):
    wrong = []
    boots = {name: router.boots for name, router in lab.routers.items()}
    for router in lab.routers.values():
        router.run(f'/ip firewall filter remove [find comment="{LOST}"]')
        router.advance(86_400)
    time.sleep(0.3)
    fired = [name for name, router in lab.routers.items() if router.boots != boots[name]]
    if fired:
        wrong.append(f"stale reverts fired on {', '.join(fired)}")
    after = {name: router.snapshot() for name, router in lab.routers.items()}
    armed = [name for name, text in after.items() if "runbook-revert" in text]
    if armed:
        wrong.append(f"reverts are still armed on {', '.join(armed)}")
    old = {name for name in after if after[name] == before[name]}
    for router in lab.routers.values():
        router.run(f"/ip address remove [find address={mark_of(seed.n)}]")
        router.run(f"/ip firewall address-list remove [find list=storm-{seed.n}]")
        router.run(f"/ip firewall filter remove [find comment=storm-{seed.n}]")
    clean = {name for name, router in lab.routers.items() if router.snapshot() == before[name]}
    new = {name for name in clean - old if after[name].count(f"storm-{seed.n}") >= 2}
    seed_result = "old" if len(old) == len(after) else "new" if len(new) == len(after) else "MIXED"
    if seed_result == "MIXED":
        odd = sorted(set(after) - old - new)
        wrong.append(f"MIXED: {len(old)} old, {len(new)} new, neither: {odd}")
    recorded = recorded_of(lab, ids)
    if recorded and recorded != seed_result:
        wrong.append(f"the record says {recorded}, the routers are {seed_result}")
    if outcome in ("committed", "reverted") and (outcome == "committed") != (seed_result == "new"):
        wrong.append(f"the last run said {outcome}, the routers are {seed_result}")
    for router in lab.routers.values():
        router.run(f"/ip firewall filter remove [find src-address-list=storm-{seed.n}]")
    lab.result = seed_result
    return wrong


def recorded_of(lab, ids):
    """What the latest transaction of these runs, and the changes of its devices, say."""
    for run_id in reversed([one for one in ids if one]):
        known = lab.transaction(run_id)
        if known is None:
            continue
        outcomes = {one["outcome"] for one in lab.changes(run_id).values()}
        if known["decision"] == "committed" and outcomes <= {"committed"}:
            return "new"
        if known["decision"] == "back" and outcomes <= {"reverted"}:
            return "old"
        return f"{known['decision']} with {sorted(outcomes)}"
    return ""


def seeds_of(text):
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def main():
    parser = argparse.ArgumentParser(
        prog="python -m mikrotik.transaction_storm", description=__doc__
    )
    parser.add_argument("--seeds", type=seeds_of, default=range(20), help="A..B")
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--parallel", type=int, default=10)
    given = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))  # the server ends with it
    good = 0
    with tempfile.TemporaryDirectory(prefix="transaction-storm-") as folder:
        lab = Lab(Path(folder), given.devices, given.parallel)
        try:
            lab.set_up()
            for n in given.seeds:
                began = time.monotonic()
                lab.result = ""
                said, wrong = crash(lab, Seed.of(n))
                good += not wrong
                verdict = "WRONG" if wrong else "ok"
                took = time.monotonic() - began
                text = "; ".join([lab.result, *said])
                print(f"{n:3} {verdict:5} {took:5.1f} s  {text}", flush=True)
                for one in wrong:
                    print(f"    {one}", flush=True)
        finally:
            lab.close()
    print(f"{good} of {len(given.seeds)}: all routers are old or new, as the record says")
    return 0 if good == len(given.seeds) else 1


if __name__ == "__main__":
    sys.exit(main())
