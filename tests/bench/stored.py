"""`make bench`: whether requests take longer because many runs are stored, on both databases.

Compares servers without runs, with few and with many (`--runs 1000000`). Prints a table and, with
--write, updates docs/performance.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

# The benchmark makes the tests' modules importable, so it comes first.
from bench import Client, Figure, Server, databases, median_ms, table, timed, write  # isort: skip
from many_runs import RUNBOOKS, fill
from runbook.store.store import Store

FEW = 10_000
EXECUTED = "/api/runbooks/fleet/Job1.md"
LISTS = {
    "list of runs": {},
    "runs that failed": {"status": "failed"},
    "runs that were lost": {"status": "lost"},
    "runs of one subject": {"who": "user-3"},
    "runs of one runbook": {"runbook": "fleet/Job7.md"},
    "search for a name": {"q": "job 7"},
    "search for a reason": {"q": "TICKET-77"},
    "search for what no run has": {"q": "no such text"},
}


def measure(runs: int, count: int) -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory(prefix="runbook-bench-") as name, ExitStack() as stack:
        for kind, urls in _databases(Path(name), stack).items():
            with ExitStack() as servers:
                sizes = zip(urls, (0, FEW, runs), strict=True)
                made = [servers.enter_context(_server(Path(name), *each)) for each in sizes]
                found = sampled([server.client() for server in made], count)
            figures += [_figure(kind, what, times) for what, times in found.items()]
    return figures


def _databases(folder: Path, stack: ExitStack) -> dict[str, list[str]]:
    """The URLs of three databases of each kind."""
    found = {"SQLite": [f"sqlite:///{folder}/{number}.db" for number in range(3)]}
    if databases.programs() is not None:
        server = databases.Server(Path(tempfile.mkdtemp(prefix="pg-bench-", dir=folder.parent)))
        stack.callback(server.remove)
        server.start()
        found["PostgreSQL"] = [stack.enter_context(server.database()) for _ in range(3)]
    return found


@contextmanager
def _server(folder: Path, url: str, runs: int) -> Iterator[Server]:
    """A server whose database has this many runs."""
    place = Path(tempfile.mkdtemp(dir=folder))
    with Server(place, DATABASE_URL=url) as server, closing(Store(url)) as store:
        (server.runbooks / "fleet").mkdir()
        for number in range(RUNBOOKS):
            server.add(f"fleet/Job{number}", "true")
        if runs:
            server.client().execute(EXECUTED)
            (template,) = store.runs.page(limit=1).runs
            fill(store._database, template.id, runs)
            _settle(store)
        yield server


def _settle(store: Store) -> None:
    """Vacuum and analyze now, as PostgreSQL's autovacuum would after this many changes."""
    if store.maintenance.kind == "postgresql":
        with store._database.engine().connect() as connection:
            connection.exec_driver_sql("SET statement_timeout = 0")
            connection.exec_driver_sql("VACUUM ANALYZE")


def sampled(clients: list[Client], count: int) -> dict[str, list[float]]:
    """The medians of each figure, in turns, so that load on the machine affects all."""
    hour_ago = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    paths = {name: f"/api/runs?{urlencode(query)}" for name, query in LISTS.items()}
    paths |= {"runs of the last hour": f"/api/runs?since={hour_ago}", "metrics": "/metrics"}
    calls = {
        name: [partial(client.call, "GET", path) for client in clients]
        for name, path in paths.items()
    }
    calls["execute"] = [partial(client.execute, EXECUTED) for client in clients]
    return {name: _medians(each, count) for name, each in calls.items()}


def _medians(calls: list[Callable[[], object]], count: int) -> list[float]:
    for call in calls:
        call()
    rounds = [[timed(call) for call in calls] for _ in range(count)]
    return [median_ms(list(seconds)) for seconds in zip(*rounds, strict=True)]


def _figure(kind: str, name: str, times: list[float]) -> Figure:
    empty, few, many = times
    text = f"{empty:.1f} ms; {few:.1f} ms; {many:.1f} ms = {many / few:.1f} x"
    aim = "100 ms" if name.startswith("search") else "1.5 x"
    return Figure(f"{kind}: {name}, p50", text, aim)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="update docs/performance.md")
    arguments.add_argument("--runs", type=int, default=50_000, help="how many runs are many")
    arguments.add_argument("--count", type=int, default=30, help="samples per figure")
    given, _others = arguments.parse_known_args()
    text = table(measure(given.runs, given.count))
    text = f"Without runs; with {FEW:,}; with {given.runs:,}.\n\n{text}"
    print(text)
    if given.write:
        write("figures of stored runs", text)


if __name__ == "__main__":
    main()
