"""`make torture`: a seeded storm of faults over a real server, on SQLite and on PostgreSQL."""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import databases
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
    seconds = given.seconds / len(chosen) if given.seconds else SECONDS
    seed = secrets.randbelow(10**6) if given.seed is None else given.seed
    no_disks = can_mount()
    failed = [
        database
        for database in chosen
        if not storm(database, seconds, seed, no_disks=no_disks, keep=given.keep)
    ]
    for database in failed:
        again = f"--seconds {seconds:g} --seed {seed} --database {database}"
        print(f'\nfailed; to repeat it: make torture ARGS="{again}"', file=sys.stderr)
    return 1 if failed else 0


def storm(database: str, seconds: float, seed: int, *, no_disks: str, keep: bool) -> bool:
    print(f"{database}: a storm of {seconds:g} s with seed {seed} ...", flush=True)
    with ExitStack() as ends:
        url = ""
        if database == "postgresql":
            if databases.programs() is None:
                sys.exit(databases.MISSING)
            server = databases.Server(Path(tempfile.mkdtemp(prefix="pg-torture-")))
            ends.callback(server.remove)
            url = server.start().url("postgres").replace("postgresql:", "postgresql+psycopg:")
        folder = Path(tempfile.mkdtemp(prefix="torture-"))
        ground = Ground(folder, small_disks=not no_disks)
        ground.prepare()
        passed = Storm(Plan(database, url, seconds, seed, no_disks), ground).run()
        if keep and not passed:
            kept = folder.with_name(f"{folder.name}-kept")
            shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("*.sock"))
            print(f"\n  kept in {kept}")
        ground.remove()
        return passed


if __name__ == "__main__":
    sys.exit(main())
