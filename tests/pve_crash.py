"""Kills the worker of a run that creates a guest, at a seeded moment; another one settles it.

`python tests/pve_crash.py --moments 30` does so again and again, on both databases, and says how
often what exists equals what the record says.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

import databases
from patience import PATIENCE_S
from pve import TEMPLATE, Lab, running_lab
from runbook.script.limits import EffectState
from runbook.store.store import Store

TOOLKIT = Path(__file__).parents[1] / "runbooks/proxmox"
# Seconds of the cluster, which are shorter here.
TIME_SCALE, CREATE_S = 0.02, 15
INPUTS = {
    "CreateContainer": {"TEMPLATE": f"local:vztmpl/{TEMPLATE}", "HOSTNAME": "web-1"},
    "CreateVm": {"SOURCE": "empty", "NAME": "web-1", "DISK": "4"},
}
WHERE = {"PROXMOX": "lab", "NODE": "pve1", "STORAGE": "local-lvm"}


@dataclass(frozen=True)
class Moment:
    """When to kill: at the `request`-th request, before or after it is handled, `delay_s` later.

    `action` settles it. If `again` is given, the first attempt at that is killed, too: at that
    request.
    """

    seed: int
    ref: str
    request: int
    is_before: bool
    delay_s: float
    action: str
    again: int | None

    @classmethod
    def of(cls, seed):
        chance = random.Random(seed)
        return cls(
            seed,
            chance.choice(list(INPUTS)),
            chance.randint(1, 10),
            chance.random() < 0.5,
            chance.choice([0, chance.uniform(0, 0.3)]),
            chance.choice(["undo", "retry", "retry and undo"]),
            chance.choice([None, chance.randint(1, 6)]),
        )


class Place:
    """A folder with the toolkit, and the commands in it."""

    def __init__(self, folder, lab, **settings):
        for name in ("runbooks", "execution", "connections", "data"):
            (folder / name).mkdir(parents=True)
        shutil.copytree(TOOLKIT, folder / "runbooks/proxmox")
        connection = {"kind": "proxmox", "values": lab.values}
        (folder / "connections/lab.yaml").write_text(json.dumps(connection))
        self.url = settings.get("DATABASE_URL", f"sqlite:///{folder}/data/runbook.db")
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RUNBOOKS_DIR": str(folder / "runbooks"),
            "EXECUTION_DIR": str(folder / "execution"),
            "DATA_DIR": str(folder / "data"),
            "CONNECTIONS_DIR": str(folder / "connections"),
            **settings,
        }

    def start(self, *arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "runbook", *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments):
        """The exit code and the output of a command."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=2 * PATIENCE_S)
        return process.returncode, output

    def latest(self):
        """The latest run."""
        _, output = self.run("runs", "--json", "--limit", "1")
        return json.loads(output[output.index("{") :])["runs"][0]


@dataclass
class Killer:
    """Kills the engine process at its moment."""

    moment: Moment
    lab: Lab
    victim: Callable
    seen: int = 0
    killed: bool = False

    def arm(self):
        self.lab.pve.before = lambda _: self._count()
        self.lab.pve.after = lambda _: None if self.moment.is_before else self._due()

    def disarm(self):
        self.lab.pve.before = self.lab.pve.after = lambda _: None

    def _count(self):
        self.seen += 1
        if self.moment.is_before:
            self._due()

    def _due(self):
        if self.seen == self.moment.request and not self.killed:
            self.killed = True
            if self.moment.delay_s:
                threading.Timer(self.moment.delay_s, self._kill).start()
            else:
                self._kill()

    def _kill(self):
        with suppress(psutil.NoSuchProcess, IndexError):  # it has ended by itself
            self.victim().kill()


def crash(folder, lab, moment, **settings):
    """Kill a run at this moment, then rerun or undo it.

    What is wrong afterwards, in words; empty if what exists equals what the record says.
    """
    lab.pve.time_scale = TIME_SCALE
    lab.pve.ct_secs["create"] = CREATE_S
    place = Place(folder, lab, **settings)
    given = [f"--env={name}={value}" for name, value in (WHERE | INPUTS[moment.ref]).items()]
    kill(place, lab, moment, "execute", f"proxmox/{moment.ref}.md", *given)
    # What succeeded before the kill has nothing to settle: a retry would rightly make another one.
    actions = [] if place.latest()["success"] else moment.action.split(" and ")
    if actions and moment.again is not None:
        run, second = place.latest()["id"], replace(moment, request=moment.again)
        kill(place, lab, second, actions[0], run)
        # What was killed amid an undo is undone again; a retry that was killed is a run to retry.
        if actions[0] == "undo" or place.latest()["success"]:
            actions = ["undo"]
    outputs = [settle(place, action) for action in actions]
    found = [*problems(place.url, lab, moment)]
    return [*found, *outputs] if found else []


def kill(place, lab, moment, *command):
    """Start a command, and kill its engine process at the moment."""
    started = threading.Event()

    def victim():
        started.wait()
        return psutil.Process(process.pid).children()[0]

    killer = Killer(moment, lab, victim)
    killer.arm()
    process = place.start(*command)
    started.set()
    process.communicate(timeout=2 * PATIENCE_S)
    killer.disarm()


def settle(place, action):
    """Rerun the latest run, or undo the latest one that is not an undo itself."""
    latest = place.latest()
    of_undo = latest["relation"] == "undo"
    code, output = place.run(action, latest["related_id"] if of_undo else latest["id"])
    return f"{action}: {code} {output}"


def problems(url, lab, moment):
    """Where what exists differs from what the record says."""
    store = Store(url)
    try:
        runs = list(store.runs.page(limit=50).runs)
        recorded = [one for run in runs for one in store.effects.of(run.id) if one.key == "guest"]
        latest = runs[0]
    finally:
        store.close()
    made = {
        one.probe["vmid"]: f"runbook: {one.probe['mark']}"
        for one in recorded
        if one.state is EffectState.DONE
    }
    if made != lab.guests():
        yield f"recorded {made}, there are {lab.guests()}"
    if any(one.state is EffectState.INTENDED for one in recorded):
        yield f"open: {[one for one in recorded if one.state is EffectState.INTENDED]}"
    if len(lab.guests()) > 1:
        yield "more than one guest"
    if moment.action == "retry" and not latest.success:
        yield f"the retry {latest.status}"
    disks = [disk for disk in lab.disks() if disk.split("-")[1] not in map(str, lab.guests())]
    if disks:
        yield f"disks of nobody: {disks}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="the first of the seeds")
    given = parser.parse_args()
    server = databases.shared_server() if databases.programs() is not None else None
    good = 0
    try:
        for seed in range(given.seed, given.seed + given.moments):
            moment = Moment.of(seed)
            with (
                tempfile.TemporaryDirectory(prefix="pve-") as folder,
                server.database() if server and seed % 2 else nullcontext() as url,
                running_lab(Path(folder)) as lab,
            ):
                settings = {"DATABASE_URL": url} if url else {}
                found = crash(Path(folder) / "place", lab, moment, **settings)
            good += not found
            print("ok  " if not found else "FAIL", moment, *found, flush=True)
    finally:
        if server is not None:
            databases.end_shared_server()
    print(f"{good} of {given.moments}: what exists equals what the record says")
    return 0 if good == given.moments else 1


if __name__ == "__main__":
    sys.exit(main())
