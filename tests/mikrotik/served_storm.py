"""Kills the worker of a real server, or the whole server, amid Push: `mikrotik.storm --served`."""

import random
import time
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mikrotik.served import PUSH, RECOVER

CLOCK_RATE, REVERT_AFTER = 12, 300
STEPS = 9


class Victim(StrEnum):
    WORKER = "worker"
    SERVER = "server"
    """All of its processes, with the script; it is started again."""
    ENGINE = "server but the script"


@dataclass(frozen=True)
class Strike:
    """When what is killed: amid a step, after this share of the time that it takes.

    `again_s` after the recovery has begun, the worker is killed once more. `down_s` is how long the
    server stays away.
    """

    step: int
    share: float
    victim: Victim
    again_s: float | None = None
    down_s: float = 0.0

    @property
    def kills(self):
        """How many workers, one soon after the other."""
        return (self.victim is Victim.WORKER) + (self.again_s is not None)

    @classmethod
    def of(cls, n):
        """The steps in turn, so that each is hit equally often."""
        chance = random.Random(n)
        victim = chance.choices([*Victim], [6, 2, 1])[0]
        again = chance.uniform(0, 2) if chance.random() < 0.25 else None
        return cls(1 + n % STEPS, chance.random(), victim, again, chance.choice([0, 0, 3, 30]))


def durations(site, change):
    """How long each step of a push takes that nobody disturbs."""
    run = site.ended(site.submit(PUSH, CHANGE=change, REVERT_AFTER=str(REVERT_AFTER)))
    assert run["status"] == "succeeded", run
    return [_seconds(step["started_at"], step["finished_at"]) for step in run["steps"]]


def _seconds(begin, end):
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def strike(site, name, change, plan, took):
    """The ID of the run that was hit."""
    run = site.submit(PUSH, router=name, CHANGE=change, REVERT_AFTER=str(REVERT_AFTER))
    if site.step_begins(run, plan.step):
        time.sleep(plan.share * took[plan.step - 1])
    if plan.victim is Victim.WORKER:
        site.kill_worker()
    else:
        site.kill_all(scripts=plan.victim is Victim.SERVER)
        time.sleep(plan.down_s)
        site.server.start()
    if plan.again_s is not None and site.ended(run)["status"] == "lost":
        site.eventually(lambda: site.run(run)["followers"])
        time.sleep(plan.again_s)
        site.kill_worker()
    return run


def verdict(site, router, run):
    """What the record says of the run, in words and as `new` or `old`; and what is wrong with it.

    Once everything has ended that the server does by itself.
    """
    recovery = site.recovery(run)
    ended = site.run(run)
    said = [f"{ended['status']} {ended['outputs'].get('outcome', '')}".strip()]
    wrong = []
    if site.entries(PUSH, run) != 1:
        wrong.append(f"{site.entries(PUSH, run)} entries in the history of Push")
    if recovery is None:
        new = ended["outputs"].get("outcome") == "committed"
        return said, new, wrong
    outcome, whose = (recovery["outputs"].get(name) for name in ("outcome", "run"))
    said.append(f"recovery: {outcome}{'' if whose == run else ' (another run)'}")
    if site.entries(RECOVER, recovery["id"]) != 1:
        wrong.append("no entry in the history of PushRecover")
    open_ = [one for one in ended["effects"] if one["state"] == "intended"]
    if open_:
        wrong.append(f"its journal is open: {open_}")
    return said, outcome == "committed" and whose == run, wrong


def crash(site, n, took, change, is_new):
    """What was done, and what is wrong. `is_new` tells if a router has all of the change."""
    plan, name = Strike.of(n), f"seed-{n}"
    site.workers.make_room(plan.kills)
    router = site.add(name, clock_rate=CLOCK_RATE)
    before = router.snapshot()
    run = strike(site, name, change, plan, took)
    said, new, wrong = verdict(site, router, run)
    boots = router.boots
    router.advance(86_400)
    router.wait_until_up()
    after = router.snapshot()
    if router.boots != boots:
        wrong.append("a stale revert fired")
    if "runbook-revert" in after or "runbook-re" in router.run("/file print"):
        wrong.append("a revert or its backup is still there")
    found = "old" if after == before else "new" if is_new(router, before) else "MIXED"
    if found != ("new" if new else "old"):
        wrong.append(f"the router is {found}")
    wrong += site.leftovers()
    again = "" if plan.again_s is None else f", again {plan.again_s:.1f} s into the recovery"
    where = f"{plan.victim} killed {plan.share:.0%} into step {plan.step}{again}"
    if wrong:
        wrong += [after, *site.server.log[-30:]]
    site.remove(name)
    return [where, *said, found], wrong
