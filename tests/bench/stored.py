"""`make bench`: whether requests take longer because many runs are stored, on both databases.

Measures a server on an empty store, with a few runs and with many (`--runs 1000000`). Prints a
table and, with --write, updates docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode

from bench import Figure, Server, median_ms, table, timed, write

sys.path.insert(0, str(Path(__file__).parents[1]))

import databases
from many_runs import RUNBOOKS, fill
from runbook.store.store import Store

FEW = 3000
LISTS = {
    "list of runs": {},
    "those that failed": {"status": "failed"},
    "those that were lost": {"status": "lost"},
    "those of one subject": {"who": "user-3"},
    "those of one runbook": {"runbook": "fleet/Job7.md"},
    "those of the last hour": {"since": "HOUR"},
    "search for a name": {"q": "job 7"},
    "search for a reason": {"q": "TICKET-77"},
    "search for what no run has": {"q": "no such text"},
}


class Measured:
    """The medians of each figure, in the order of the stages."""

    def __init__(self, server: Server, count: int) -> None:
        self._server = server
        self._client = server.client()
        self._count = count
        self.figures: dict[str, list[float]] = {}

    def stage(self) -> None:
        for name, query in LISTS.items():
            asked = {key: _hour_ago() if value == "HOUR" else value for key, value in query.items()}
            self._add(name, f"/api/runs?{urlencode(asked)}")
        self._add("metrics", "/metrics")
        path = "/api/runbooks/fleet/Job1.md"
        self._record("execute", [timed(lambda: self._client.execute(path)) for _ in self._times()])

    def _add(self, name: str, path: str) -> None:
        self._client.call("GET", path)
        self._record(name, [timed(lambda: self._client.call("GET", path)) for _ in self._times()])

    def _record(self, name: str, seconds: list[float]) -> None:
        self.figures.setdefault(name, []).append(median_ms(seconds))

    def _times(self) -> range:
        return range(self._count)


def _hour_ago() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))


def measured(folder: Path, url: str, runs: int, count: int) -> dict[str, list[float]]:
    folder.mkdir()
    with Server(folder, DATABASE_URL=url) as server, closing(Store(url)) as store:
        (server.runbooks / "fleet").mkdir()
        for number in range(RUNBOOKS):
            server.add(f"fleet/Job{number}", "true")
        figures = Measured(server, count)
        figures.stage()
        (template,) = store.runs.page(limit=1).runs
        fill(store._database, template.id, FEW)
        _settle(store)
        figures.stage()
        fill(store._database, template.id, runs - FEW)
        _settle(store)
        figures.stage()
    return figures.figures


def _settle(store: Store) -> None:
    """What PostgreSQL does by itself, some time after so many changes."""
    if store.maintenance.kind == "postgresql":
        with store._database.engine().connect() as connection:
            connection.exec_driver_sql("SET statement_timeout = 0")
            connection.exec_driver_sql("VACUUM ANALYZE")


@contextmanager
def urls(folder: Path) -> Iterator[dict[str, str]]:
    found = {"SQLite": f"sqlite:///{folder}/runbook.db"}
    if databases.programs() is None:
        yield found
        return
    place = Path(tempfile.mkdtemp(prefix="pg-bench-", dir=folder.parent))
    server = databases.Server(place)
    try:
        with server.start().database() as url:
            yield found | {"PostgreSQL": url}
    finally:
        server.remove()


def measure(runs: int, count: int) -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory(prefix="runbook-bench-") as name:
        folder = Path(name)
        with urls(folder) as places:
            for kind, url in places.items():
                found = measured(folder / kind, url, runs, count)
                figures += [_figure(kind, name, times) for name, times in found.items()]
    return figures


def _figure(kind: str, name: str, times: list[float]) -> Figure:
    empty, few, many = times
    text = f"{empty:.1f} ms; {few:.1f} ms; {many:.1f} ms = {many / few:.1f} x"
    aim = "100 ms" if name.startswith("search") else "1.5 x"
    return Figure(f"{kind}: {name}, p50", text, aim)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="update docs/performance.md")
    arguments.add_argument("--runs", type=int, default=20_000, help="how many runs are many")
    arguments.add_argument("--count", type=int, default=30, help="samples per figure")
    given, _others = arguments.parse_known_args()
    text = table(measure(given.runs, given.count))
    text = f"Without runs; with {FEW:,}; with {given.runs:,}.\n\n{text}"
    print(text)
    if given.write:
        write("figures of stored runs", text)


if __name__ == "__main__":
    main()
