"""Copies an installation of 10,000 runs to PostgreSQL and back, and compares what they answer.

`.venv/bin/python tests/load/db_copy.py [--runs N]` starts a PostgreSQL of its own. It prints how
long each copy took and how much memory it used, and fails where an answer differs.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from databases import Server
from installation import Installation


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    os.environ.setdefault("PATH", os.defpath)
    server = Server(Path(tempfile.mkdtemp(prefix="pg-copy-")))
    with tempfile.TemporaryDirectory(prefix="copy-") as folder:
        try:
            server.start()
            with server.database() as url:
                compare(generated(Path(folder), runs), Path(folder), url)
        finally:
            server.remove()


def generated(folder, runs):
    begun = time.perf_counter()
    path = folder / "first" / "runbook.db"
    installation = Installation(folder / "first", f"sqlite:///{path}").prepare().fill(runs)
    say(f"{runs} runs generated", begun, f"{path.stat().st_size / 2**20:.0f} MB of SQLite")
    return installation


def compare(first, folder, url):
    rows = copied(first, url)
    second = first.beside(folder / "second", url)
    back = f"sqlite:///{folder}/back.db"
    assert copied(second, back) == rows
    third = first.beside(folder / "third", back)
    expected = first.answers()
    for other in (second, third):
        differing = [name for name, said in other.answers().items() if said != expected[name]]
        assert differing == [], differing
    assert first.reruns() == second.reruns() == third.reruns()
    print(f"{len(expected)} answers and a retry are the same in all three")


def copied(installation, to):
    """The tables as both sides have them."""
    begun = time.perf_counter()
    code, text = installation.run("db", "copy", installation.url, to, "--json")
    assert code == 0, text
    tables = json.loads(text.partition("\n")[0])["tables"]
    total = sum(table["rows"] for table in tables)
    # Of all children so far: the copies are the largest of them.
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    say(f"to {to.partition(':')[0]}", begun, f"{total} rows, at most {used:.0f} MB of memory")
    return tables


def say(what, begun, more):
    print(f"{what}: {time.perf_counter() - begun:.1f} s, {more}", flush=True)


if __name__ == "__main__":
    main()
