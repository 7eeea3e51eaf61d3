"""Kills the worker of a real server amid lab/Provision at seeded moments, and settles the run.

`PYTHONPATH=tests python -m lab.storm --seeds 30` does so on both databases, and says how often what
exists at Proxmox VE and NetBox equals what the records say. Then it lets every changing request
fail in turn: nothing must be left. `--first N --seeds 1` repeats seed N.
"""

import argparse
import random
import sys
import tempfile
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import databases
from lab.books import mismatches
from lab.endpoints import Failure, difference
from lab.stage import Killer, set_up
from runbook.script.limits import EffectState
from torture.__main__ import take_signals

DATABASES = ("sqlite", "postgresql")
PLANS = ("undo", "retry", "resume", "retry, undo", "resume, undo")
MOST_ACTIONS = 6
OPEN = (EffectState.INTENDED, EffectState.DONE)
LATEST_S = 0.4


@dataclass(frozen=True)
class Moment:
    """When to kill the worker.

    At a changing request: before it is handled, or after, but before the answer. With `reads`, when
    so many reads have followed it. With `delay_s`, so much later: amid what the engine itself does.
    """

    change: int
    reads: int = 0
    handled: bool = True
    delay_s: float = 0.0

    def due(self, request, handled):
        reached = (request.change, request.reads) == (self.change, self.reads)
        return reached and handled == self.handled

    def __str__(self):
        when = "after" if self.handled else "before"
        reads = f", read {self.reads}" if self.reads else ""
        delay = f" + {self.delay_s:.2f} s" if self.delay_s else ""
        return f"{when} {self.change}{reads}{delay}"


@dataclass(frozen=True)
class Seed:
    """What happens to one run.

    With `again`, the worker is killed amid the first action, too. `turns` is whether that is then
    undone, rather than repeated.
    """

    n: int
    moment: Moment
    plan: tuple[str, ...]
    again: Moment | None
    turns: bool

    @classmethod
    def of(cls, n, reads):
        """`reads` says how many reads follow each changing request of an undisturbed run.

        The seeds go through the changing requests in turn: first at them, then between them.
        """
        chance = random.Random(n)
        change = 1 + n % len(reads)
        if n // len(reads) % 2 == 0:
            moment = Moment(change, handled=chance.random() < 0.5)
        elif reads[change - 1] and chance.random() < 0.5:
            read = chance.randint(1, reads[change - 1])
            moment = Moment(change, read, handled=chance.random() < 0.5)
        else:
            moment = Moment(change, delay_s=chance.uniform(0, LATEST_S))
        plan = tuple(chance.choice(PLANS).split(", "))
        again = Moment(chance.randint(1, 6), handled=chance.random() < 0.5)
        again = again if chance.random() < 0.4 else None
        return cls(n, moment, plan, again, turns=chance.random() < 0.5)


@dataclass
class Row:
    """A line of the table."""

    name: str
    did: str
    wrong: list
    seconds: float

    def show(self):
        verdict = "ok" if not self.wrong else "WRONG"
        print(f"{self.name:14} {verdict:6} {self.seconds:5.1f} s  {self.did}", flush=True)
        for text in self.wrong:
            print(f"    {text}", flush=True)


class Storm:
    """What is done to one stage."""

    def __init__(self, stage, database):
        self._stage, self._endpoints = stage, stage.endpoints
        self._database = database
        self._before = stage.endpoints.state()

    def rehearse(self):
        """How many reads follow each changing request of a run that nobody disturbs."""
        reads = []

        def see(request, handled):
            if handled or not request.change:
                return
            if request.reads:
                reads[-1] += 1
            else:
                reads.append(0)
                requests.append(str(request))

        requests = []
        self._endpoints.watch(see)
        run = self._stage.ended(self._stage.provision())
        self._endpoints.rest()
        assert run["success"], self._stage.log(run["id"])
        wrong = [*mismatches(self._stage, self._before, self._runs(run["id"]), exists=True)]
        assert not wrong, wrong
        assert not (wrong := self._tear_down()), wrong
        return reads, requests

    def log(self):
        """What the supervisor said of its processes, and what was said last."""
        lines = [line.strip() for line in list(self._stage.server.log)]
        return [*(line for line in lines if "supervisor." in line), "...", *lines[-20:]]

    def _runs(self, since):
        return self._stage.provisions(since)

    def _tear_down(self):
        run = self._stage.ended(self._stage.tear_down())
        if not run["success"]:
            return [f"the teardown {run['status']}", self._stage.log(run["id"])]
        return difference(self._before, self._endpoints.state())

    # -- crashes -------------------------------------------------------------------------------

    def crash(self, seed):
        """Kill the worker, settle the run, compare."""
        began = time.monotonic()
        run, killed = self._disturbed(self._stage.provision, seed.moment)
        said = [f"{seed.moment} ({killed or 'NOT KILLED'}): {run['status']}"]
        runs = [run, *self._settled(run, seed, said)]
        last = runs[-1]
        wrong = [] if last["success"] else [f"the last run {last['status']}"]
        exists = last["success"] and last["relation"] != "undo"
        wrong += mismatches(self._stage, self._before, self._runs(run["id"]), exists=exists)
        if wrong:
            wrong += [text for one in runs for text in (one["id"], self._stage.log(one["id"]))]
        elif exists:
            wrong = self._tear_down()
        name = f"{self._database[:8]} {seed.n}"
        return Row(name, "; ".join(said), wrong, time.monotonic() - began)

    def _settled(self, run, seed, said):
        """The runs that it takes to carry out the seed's plan."""
        pending, again = [*seed.plan], seed.again
        if run["success"]:  # it was killed too late: a retry would rightly make another one
            pending = [it for it in pending if it == "undo"]
        main = [run["id"]]
        count = 0
        while pending and count < MOST_ACTIONS:
            while pending[0] == "undo" and len(main) > 1 and not self._has("undo", main[-1]):
                main.pop()  # it did nothing yet; what there is belongs to the run before
                said.append("nothing to undo")
            action = self._possible(pending[0], main[-1], said)
            start = partial(self._stage.rerun, action, main[-1])
            run, killed = self._disturbed(start, again)
            yield run
            said.append(f"{action}{f' killed at {killed}' if killed else ''}: {run['status']}")
            again, count = None, count + 1
            if not (run["success"] or killed):
                return
            if action != "undo":
                main.append(run["id"])
                pending = pending[1:] if run["success"] else ["undo"] if seed.turns else pending
            elif run["success"]:
                # A retry that was killed early may have left something of the run that it retried.
                main = [it for it in main[:-1] if self._has_open(it)]
                pending = pending[: len(main)]

    def _has(self, action, run_id):
        return action in self._stage.ended(run_id)["available_actions"]

    def _possible(self, action, run_id, said):
        if self._has(action, run_id):
            return action
        said.append(f"no {action}")
        return "retry"

    def _has_open(self, run_id):
        """Whether a change of this run is or may be in place."""
        return any(one.state in OPEN for one in self._stage.store.effects.of(run_id))

    def _disturbed(self, start, moment):
        """The run once it has ended, and the request at which the worker was killed."""
        if moment is None:
            return self._stage.ended(start()), None
        killer = Killer(self._stage, moment.due, moment.delay_s)
        self._endpoints.watch(killer.see)
        try:
            run = self._stage.ended(start())
        finally:
            self._endpoints.rest()
            killer.end()
        return run, killer.at

    # -- failures ------------------------------------------------------------------------------

    def fail(self, change, failure):
        """Let this changing request fail; whatever was done must be undone."""
        began = time.monotonic()
        failed = []

        def failing(request):
            if (request.change, request.reads) != (change, 0):
                return None
            failed.append(request)
            return failure

        self._endpoints.watch(failing=failing)
        run = self._stage.ended(self._stage.provision())
        self._endpoints.rest()
        wrong = [*mismatches(self._stage, self._before, self._runs(run["id"]), exists=False)]
        if run["status"] != "failed" or not failed:
            wrong.append(f"the run {run['status']}, {failed}")
        if wrong:
            wrong += [run["id"], self._stage.log(run["id"])]
        said = f"{failure} {change} ({' '.join(map(str, failed))}): {run['status']}"
        return Row(
            f"{self._database[:8]}", f"{said} {run['return_code']}", wrong, time.monotonic() - began
        )


class Storms:
    """One storm after the other; what went wrong leaves no trace in the next."""

    def __init__(self, database):
        self._database = database
        self._ends = ExitStack()
        self._storm = None
        self.rows = []
        self.reads, self.requests = None, None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._ends.close()

    def storm(self):
        if self._storm is None:
            folder = self._ends.enter_context(tempfile.TemporaryDirectory(prefix="lab-storm-"))
            stage = self._ends.enter_context(set_up(Path(folder), self._database))
            self._storm = Storm(stage, self._database)
            if self.reads is None:
                self.reads, self.requests = self._storm.rehearse()
        return self._storm

    def do(self, name, work):
        began = time.monotonic()
        try:
            row = work(self.storm())
        except Exception:  # noqa: BLE001 - the others are still of use
            log = self._storm.log() if self._storm is not None else []
            row = Row(name, "", [traceback.format_exc(), *log], time.monotonic() - began)
        row.show()
        self.rows.append(row)
        if row.wrong:
            self._ends.close()
            self._storm = None


def storms(database, seeds, share):
    """The rows of a database: those of crashes, and those of its share of the failures."""
    with Storms(database) as all_:
        all_.storm()
        print(f"{database}: {len(all_.reads)} changing requests", flush=True)
        for n, request in enumerate(all_.requests, 1):
            print(f"  {n:2} {request}, then {all_.reads[n - 1]} reads", flush=True)
        for n in seeds:
            seed = Seed.of(n, all_.reads)
            all_.do(f"{database[:8]} {n}", lambda storm, seed=seed: storm.crash(seed))
        crashes, all_.rows = all_.rows, []
        for change, failure in failures(all_.requests)[share]:
            all_.do(database[:8], lambda storm, c=change, f=failure: storm.fail(c, f))
        return crashes, all_.rows


def failures(requests):
    """Each way in which each of the changing requests can fail."""
    return [
        (change, failure)
        for change, request in enumerate(requests, 1)
        for failure in Failure
        if failure is not Failure.TASK or "/lxc" in request
    ]


def main():
    parser = argparse.ArgumentParser(prog="python -m lab.storm", description=__doc__)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first", type=int, default=0, help="the first of the seeds")
    parser.add_argument(
        "--database", choices=DATABASES, help="only what is for this one; both by default"
    )
    parser.add_argument("--no-failures", action="store_true", help="only the crashes")
    given = parser.parse_args()
    take_signals()
    chosen = [given.database] if given.database else list(DATABASES)
    if "postgresql" in chosen and databases.programs() is None:
        sys.exit(databases.MISSING)
    seeds = range(given.first, given.first + given.seeds)
    crashes, failed = [], []
    try:
        for n, database in enumerate(DATABASES):
            share = slice(n, 0 if given.no_failures else None, len(DATABASES))
            own = [seed for seed in seeds if seed % len(DATABASES) == n]
            if database in chosen and (own or not given.no_failures):
                found = storms(database, own, share)
                crashes += found[0]
                failed += found[1]
    finally:
        databases.end_shared_server()
    good = sum(not row.wrong for row in crashes)
    print(f"{good} of {len(crashes)}: what exists equals what the records say")
    clean = sum(not row.wrong for row in failed)
    print(f"{clean} of {len(failed)} failures left nothing behind")
    return 0 if (good, clean) == (len(crashes), len(failed)) else 1


if __name__ == "__main__":
    sys.exit(main())
