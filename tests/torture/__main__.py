"""`make torture`: a seeded storm of faults over a real server, on SQLite and on PostgreSQL."""

from __future__ import annotations

import argparse
import secrets
import shutil
import signal
import sys
import tempfile
import traceback
from contextlib import ExitStack
from pathlib import Path

import databases
from torture import remains
from torture.database import Database, new_server, removed
from torture.ground import Ground, can_mount
from torture.storm import Plan, Storm

DATABASES = ("sqlite", "postgresql")
SECONDS = 300


def main() -> int:
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument(
        "--seconds",
        type=float,
        help=f"length of all storms together; without it, {SECONDS} s for each database",
    )
    parser.add_argument("--seed", type=int, help="repeats the plan of a storm; random by default")
    parser.add_argument("--database", choices=DATABASES, help="only this one; both by default")
    parser.add_argument(
        "--keep", action="store_true", help="keep the folders of storms that failed"
    )
    given = parser.parse_args()
    chosen = [given.database] if given.database else list(DATABASES)
    if "postgresql" in chosen and databases.programs() is None:
        sys.exit(databases.MISSING)
    seconds = given.seconds / len(chosen) if given.seconds else SECONDS
    seed = secrets.randbelow(10**6) if given.seed is None else given.seed
    take_signals()
    no_disks = can_mount()
    plans = [Plan(database, seconds, seed, no_disks) for database in chosen]
    failed = [plan for plan in plans if not passes(plan, keep=given.keep)]
    for plan in failed:
        again = f"--seconds {plan.seconds:g} --seed {plan.seed} --database {plan.database}"
        print(f'\nfailed; to repeat it: make torture ARGS="{again} --keep"', file=sys.stderr)
    return 1 if failed else 0


def take_signals() -> None:
    """End in order when told to. A shell starts what runs in its background with SIGINT ignored,
    and scripts inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))


def passes(plan: Plan, *, keep: bool) -> bool:
    print(f"{plan.database}: a storm of {plan.seconds:g} s with seed {plan.seed} ...", flush=True)
    try:
        return storm(plan, keep=keep)
    except Exception:  # noqa: BLE001 - the other database's storm is still of use
        traceback.print_exc()
        return False


def storm(plan: Plan, *, keep: bool) -> bool:
    """Whether nothing is wrong. Leaves neither processes nor files, whatever happens."""
    with ExitStack() as ends:
        server = None
        if plan.database == "postgresql":
            server = new_server()
            ends.callback(removed, server)
            server.start()
        ground = Ground(Path(tempfile.mkdtemp(prefix="torture-")), small_disks=not plan.no_disks)
        ends.callback(ground.remove)
        ends.callback(remains.end_processes, ground.folder)
        ground.prepare()
        passed = Storm(plan, Database(ground.data.path, server), ground).run()
        if keep and not passed:
            kept = ground.folder.with_name(f"{ground.folder.name}-kept")
            shutil.copytree(ground.folder, kept, ignore=shutil.ignore_patterns("*.sock"))
            print(f"\n  kept in {kept}")
        return passed


if __name__ == "__main__":
    sys.exit(main())
