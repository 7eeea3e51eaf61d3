"""Kills Push at seeded moments, settles what is left, and compares the router with the record.

`PYTHONPATH=tests python -m mikrotik.storm --seeds 40`. The engine and its guardian are killed, and
mostly the script, too. With `--served`, it is the worker of a server, or all of it, at moments
that are spread evenly over the steps; what is left is settled by the server itself. `--first N
--seeds 1` repeats seed N.
"""

import argparse
import random
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mikrotik import served_storm
from mikrotik.served import Served
from mikrotik.site import NAME, Site

CLOCK_RATE, REVERT_AFTER = 12, 300
SLOW = 12
"""Seconds by the router's clock that it pauses amid the change."""
PLANS = ("recover", "undo", "resume", "retry", "wait, recover")


@dataclass(frozen=True)
class Seed:
    n: int
    after_s: float
    plan: str
    again_s: float | None
    """When the plan is killed, too; it is then followed by PushRecover."""
    script: bool
    """Whether the script is killed with the engine, or only when the next command finds it."""

    @classmethod
    def of(cls, n, latest_s):
        chance = random.Random(n)
        after_s = latest_s * (n % 20 + chance.random()) / 20
        again = chance.uniform(0.3, 3) if chance.random() < 0.3 else None
        return cls(n, after_s, PLANS[n % len(PLANS)], again, chance.random() < 0.7)


def change_of(n):
    first, second = f"10.{n % 250}.1.1/24", f"10.{n % 250}.2.1/24"
    return (
        f"/ip address\nadd address={first} interface=ether2\n:delay {SLOW}s\n"
        f"add address={second} interface=ether2\n"
        f"/ip firewall filter\nadd chain=forward comment=push-{n} action=accept\n"
    )


def without(router, n):
    """Remove the whole change: True if all of it was there."""
    removed = [
        router.run(f"/ip address remove [find address=10.{n % 250}.{part}.1/24]") for part in (1, 2)
    ]
    router.run(f"/ip firewall filter remove [find comment=push-{n}]")
    return removed


def crash(site, seed):
    """What was done, and what is wrong."""
    router = site.routers[NAME]
    before = router.snapshot()
    given = {"REVERT_AFTER": str(REVERT_AFTER), "script": seed.script}
    run = site.killed_push(change_of(seed.n), seed.after_s, **given)
    said = [f"killed at {seed.after_s:.1f} s{'' if seed.script else ' (not the script)'}"]
    if run is None:
        return said, ["no run"]
    plan = seed.plan
    if plan.startswith("wait"):
        router.advance(2 * REVERT_AFTER)
        router.wait_until_up()
        time.sleep(1)
    elif plan in ("retry", "resume") and _succeeded(site, run):
        said.append("killed too late")  # a retry would rightly push again
    elif plan != "recover":
        said.append(_rerun(site, plan, run, seed.again_s))
    done = site.execute("PushRecover")
    outcome, whose = done.outputs.get("outcome"), done.outputs.get("run")
    said.append(f"recover: {outcome}{'' if whose == run else ' (another run)'}")
    wrong = [] if done.code == 0 else [f"PushRecover ended with {done.code}", done.text]
    boots = router.boots
    router.advance(86_400)
    time.sleep(0.3)
    if router.boots != boots:
        wrong.append("a stale revert fired")
    after = router.snapshot()
    if "runbook-revert" in after:
        wrong.append("a revert is still armed")
    is_old = after == before
    without(router, seed.n)
    is_new = not is_old and router.snapshot() == before and after.count(f"push-{seed.n}") == 1
    said.append("old" if is_old else "new" if is_new else "MIXED")
    is_ours = whose in (run, *_later(site, run))
    expected = "new" if is_ours and outcome == "committed" else "old"
    if said[-1] != expected:
        wrong.append(f"the record says {expected}")
    if wrong:
        wrong += [done.text, after]
    return said, wrong


def _succeeded(site, run):
    return any(one["id"] == run and one["status"] == "succeeded" for one in site.toolkits.runs())


def _later(site, run):
    """The runs that retry or resume it."""
    return [one["id"] for one in site.toolkits.runs() if one["id"] > run]


def _rerun(site, plan, run, again_s):
    if again_s is None:
        done = site.rerun(plan, run)
        outcome = done.outputs.get("outcome", "") if done.events else done.stderr.strip()[-100:]
        return f"{plan}: {done.code} {outcome}"
    site.kill(site.toolkits.start(plan, run, "--json"), again_s)
    return f"{plan} killed at {again_s:.1f} s"


def main():
    parser = argparse.ArgumentParser(prog="python -m mikrotik.storm", description=__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--version", default="7.18")
    parser.add_argument(
        "--latest", type=float, help="of the kills, in seconds; by default, what a push takes"
    )
    parser.add_argument("--served", action="store_true", help="a server executes Push")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds)
    good = sum((served if given.served else one_shot)(seeds, given))
    print(f"{good} of {given.seeds}: the router has what the record says")
    return 0 if good == given.seeds else 1


def told(n, began, said, wrong):
    """Whether all is well with a seed."""
    verdict = "WRONG" if wrong else "ok"
    print(f"{n:3} {verdict:5} {time.monotonic() - began:5.1f} s  {'; '.join(said)}", flush=True)
    for text in wrong:
        print(f"    {text}", flush=True)
    return not wrong


def served(seeds, given):
    with tempfile.TemporaryDirectory(prefix="mikrotik-storm-") as folder:
        site = Served(Path(folder))
        try:
            site.start()
            site.add(version=given.version, clock_rate=served_storm.CLOCK_RATE)
            took = served_storm.durations(site, change_of(0))
            print("steps take", *(f"{one:.2f}" for one in took), "s", flush=True)
            for n in seeds:
                began = time.monotonic()
                said, wrong = served_storm.crash(site, n, took, change_of(n), partial(is_new, n))
                yield told(n, began, said, wrong)
        finally:
            site.close()


def is_new(n, router, before):
    """Whether it has the whole change, and nothing else."""
    counted = router.snapshot().count(f"push-{n}")
    without(router, n)
    return router.snapshot() == before and counted == 1


@contextmanager
def one_site(given):
    with tempfile.TemporaryDirectory(prefix="mikrotik-storm-") as folder:
        site = Site(Path(folder))
        try:
            site.add(version=given.version, clock_rate=CLOCK_RATE)
            yield site
        finally:
            site.close()


def one_shot(seeds, given):
    latest_s = given.latest
    if latest_s is None:
        with one_site(given) as site:
            latest_s = site.seconds_of_a_push(change_of(0), REVERT_AFTER=str(REVERT_AFTER))
        print(f"a push takes {latest_s:.1f} s", flush=True)
    for n in seeds:
        began = time.monotonic()
        with one_site(given) as site:
            said, wrong = crash(site, Seed.of(n, latest_s))
        yield told(n, began, said, wrong)


if __name__ == "__main__":
    sys.exit(main())
