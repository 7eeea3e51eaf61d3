"""`make bench`: measures a real server and compares it with bare work in the same run.

Prints a table and, with --write, updates docs/performance.md. Nothing here passes or fails:
milliseconds depend on the hardware, while ratios show what the engine adds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).parents[1]))

import databases

SECRET = "bench-secret-of-more-than-thirty-two-bytes"
BARE = ["zsh", "-f", "-c", "true"]
DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
RUNBOOK = """# {name}
{text}

# Environment Requirements
```yaml
```

# File System Requirements
```yaml
Input:
```

# Script
```{language}
{script}
```

# History
"""


@dataclass(frozen=True)
class Figure:
    name: str
    value: str
    aim: str


def median_ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000


def timed(work) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def bare_spawn(count: int) -> list[float]:
    return [timed(lambda: subprocess.run(BARE, check=True)) for _ in range(count)]


def bare_rate(workers: int, seconds: float) -> float:
    """Spawns per second by `workers` threads of one process."""
    done = [0] * workers
    until = time.perf_counter() + seconds

    def spawn(index: int) -> None:
        while time.perf_counter() < until:
            subprocess.run(BARE, check=True)
            done[index] += 1

    threads = [threading.Thread(target=spawn, args=(index,)) for index in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / seconds


class Server:
    def __init__(self, folder: Path, python: str = sys.executable, **settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.runbooks = folder / "runbooks"
        self.runbooks.mkdir()
        self.ready_s = 0.0
        self._python = python
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "API_PORT": str(self.port),
            "RUNBOOKS_DIR": str(self.runbooks),
            "DATA_DIR": str(self.folder / "data"),
            "ENABLE_LOGIN": "true",
            "JWT_SECRET": SECRET,
            "RATE_LIMIT_ENABLED": "false",
            "ISOLATION": "process",  # what a sandbox costs, isolation.py measures
            "LOGGING_LEVEL": "WARNING",
            **self._settings,
        }
        begun = time.perf_counter()
        self._process = subprocess.Popen(
            [self._python, "-m", "runbook", "serve"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("wb"),
            start_new_session=True,
        )
        while not self._is_ready():
            time.sleep(0.005)
        self.ready_s = time.perf_counter() - begun
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def add(
        self, name: str, script: str, *, language: str = "zsh", text: str = "", history: str = ""
    ) -> str:
        path = self.runbooks / f"{name}.md"
        head = RUNBOOK.format(name=name, text=text, script=script, language=language)
        path.write_text(head + history)
        return f"/api/runbooks/{name}.md"

    def client(self) -> Client:
        return Client(self.port)

    def pss_mb(self) -> float:
        assert self._process is not None
        return sum(_pss_kb(pid) for pid in _tree(self._process.pid)) / 1024


def _tree(root: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _pss_kb(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE).group(1))


class Client:
    """A persistent connection with a token."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"Content-Type": "application/json"}
        login = self.call("POST", "/dev-login", '{"roles": ["sre"]}')
        self._headers["Authorization"] = f"Bearer {json.loads(login)['access_token']}"

    def call(self, method: str, path: str, body: str | None = None) -> bytes:
        self._connection.request(method, path, body, self._headers)
        reply = self._connection.getresponse()
        data = reply.read()
        assert reply.status == 200, data
        return data

    def execute(self, path: str) -> tuple[dict, float]:
        """The `done` object, and when it arrived in seconds since the epoch."""
        self._connection.request("POST", f"{path}/execute", "{}", self._headers)
        reply = self._connection.getresponse()
        line, event = b"", b""
        while line := reply.readline():
            if line.startswith(b"event: "):
                event = line[7:].strip()
            elif line.startswith(b"data: ") and event == b"done":
                arrived = time.time()
                reply.read()
                return json.loads(line[6:]), arrived
        raise AssertionError("no done event")


def many_clients(server: Server, path: str, clients: int, seconds: float) -> float:
    """Runs per second that reach `done`, with `clients` clients at the same time."""
    done = [0] * clients
    until = time.perf_counter() + seconds

    def work(index: int) -> None:
        client = server.client()
        while time.perf_counter() < until:
            result, _ = client.execute(path)
            assert result["return_code"] == 0, result
            done[index] += 1

    begun = time.perf_counter()
    threads = [threading.Thread(target=work, args=(index,)) for index in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - begun)


def measure(python: str, count: int, seconds: float) -> list[Figure]:
    """All figures with SQLite."""
    figures = []
    with (
        tempfile.TemporaryDirectory(prefix="runbook-bench-") as name,
        Server(Path(name), python) as server,
    ):
        figures.append(Figure("`runbook serve` startup time", f"{server.ready_s:.2f} s", "1.5 s"))
        figures.append(
            Figure("idle memory, all processes (PSS)", f"{server.pss_mb():.0f} MB", "160 MB")
        )
        figures += executions(server, count, seconds)
        figures += library(server, server.client(), count)
    return figures


def measure_postgresql(python: str, count: int, seconds: float) -> list[Figure]:
    """The figures of executions with PostgreSQL; none where it isn't installed."""
    if databases.programs() is None:
        return []
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="runbook-bench-"))
        postgres = databases.Server(Path(tempfile.mkdtemp(prefix="pg-bench-")))
        stack.callback(postgres.remove)
        postgres.start()
        url = stack.enter_context(postgres.database())
        server = stack.enter_context(Server(Path(name), python, DATABASE_URL=url))
        figures = executions(server, count, seconds)
    return [replace(figure, name=f"PostgreSQL: {figure.name}") for figure in figures]


def executions(server: Server, count: int, seconds: float) -> list[Figure]:
    trivial = server.add("Trivial", "true")
    client = server.client()
    for _ in range(10):
        client.execute(trivial)
    return [
        *sequential(client, trivial, count),
        end_to_done(server, client, count),
        *steps(server, client, trivial, count),
        *throughput(server, trivial, seconds),
    ]


def sequential(client: Client, path: str, count: int) -> list[Figure]:
    """Bare spawns and executions alternately, so that load on the machine affects both."""
    bare, executed = [], []
    for _ in range(count):
        bare += bare_spawn(1)
        executed.append(timed(lambda: client.execute(path)))
    added = median_ms(executed) - median_ms(bare)
    ratio = median_ms(executed) / median_ms(bare)
    return [
        Figure("bare `zsh -f -c true`, p50", f"{median_ms(bare):.1f} ms", ""),
        Figure(
            "execute over HTTP, request to `done`, p50",
            f"{median_ms(executed):.1f} ms = bare + {added:.1f} ms ({ratio:.1f} x bare)",
            "bare + 10 ms",
        ),
    ]


def end_to_done(server: Server, client: Client, count: int) -> Figure:
    path = server.add("Clock", "zmodload zsh/datetime\nprint $EPOCHREALTIME")
    delays = []
    for _ in range(count):
        result, arrived = client.execute(path)
        delays.append(arrived - float(result["stdout"]))
    return Figure("script's last line to `done`, p50", f"{median_ms(delays):.1f} ms", "5 ms")


def steps(server: Server, client: Client, single: str, count: int) -> list[Figure]:
    """A run of ten steps, ten bare spawns and a run of one script, alternately."""
    script = "\n```\n\n".join(f"## Step {number}\n```zsh\ntrue" for number in range(1, 11))
    path = server.add("Steps", "true")
    document = server.runbooks / "Steps.md"
    document.write_text(document.read_text().replace("```zsh\ntrue", script, 1))
    client.execute(path)
    bare, ten, one = [], [], []
    for _ in range(count // 2):
        bare.append(sum(bare_spawn(10)))
        ten.append(timed(lambda: client.execute(path)))
        one.append(timed(lambda: client.execute(single)))
    spawns, all_ten, alone = median_ms(bare), median_ms(ten), median_ms(one)
    added = (all_ten - alone) / 9
    return [
        Figure(
            "run of ten trivial steps, p50",
            f"{all_ten:.1f} ms = {all_ten / spawns:.2f} x ten bare spawns ({spawns:.1f} ms)",
            "1.25 x",
        ),
        Figure(
            "each additional step, p50",
            f"{added:.2f} ms = {added * 10 / spawns:.2f} x a bare spawn",
            "1.25 x",
        ),
    ]


def throughput(server: Server, path: str, seconds: float) -> list[Figure]:
    """The rate of runs, compared with bare spawns: sequential, and as many as there are slots."""
    alone, together = bare_rate(1, seconds / 4), bare_rate(8, seconds / 4)
    rate = many_clients(server, path, 32, seconds)
    alone = (alone + bare_rate(1, seconds / 4)) / 2
    together = (together + bare_rate(8, seconds / 4)) / 2
    text = (server.runbooks / "Trivial.md").read_text()
    return [
        Figure("bare spawns, sequential", f"{alone:.0f} /s", ""),
        Figure("bare spawns, 8 threads", f"{together:.0f} /s", ""),
        Figure(
            "32 clients, all runs recorded",
            f"{rate:.0f} /s = {100 * rate / alone:.0f} % of sequential, "
            f"{100 * rate / together:.0f} % of 8 threads",
            "25 %",
        ),
        Figure("history entries of that runbook", str(text.count("\n### ")), ""),
    ]


def library(server: Server, client: Client, count: int) -> list[Figure]:
    for number in range(2000):
        server.add(f"Many{number:04}", "true", text="Text of a usual length.\n" * 20)
    entry = "\n### 2026-01-23T14:33:02.123Z | Exit Code: 0\n\n**Stdout:**\n```\n{}\n```\n"
    long = server.add("Long", "true", history=entry.format("x" * 2000) * 10_000)
    for _ in range(5):
        client.call("GET", "/api/runbooks")
        client.call("PATCH", f"{long}/validate", "{}")
    listed = [timed(lambda: client.call("GET", "/api/runbooks")) for _ in range(count)]
    valid = [timed(lambda: client.call("PATCH", f"{long}/validate", "{}")) for _ in range(count)]
    return [
        Figure("warm list of 2,000 runbooks, p50", f"{median_ms(listed):.1f} ms", "5 ms"),
        Figure(
            "warm validate of a runbook with 20 MB of history, p50",
            f"{median_ms(valid):.1f} ms",
            "5 ms",
        ),
    ]


def table(figures: list[Figure]) -> str:
    rows = [f"| {figure.name} | {figure.value} | {figure.aim} |" for figure in figures]
    return "\n".join(["| figure | measured | aim |", "|---|---|---|", *rows])


def write(name: str, text: str) -> None:
    """Replace the table of these figures in the document."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    document = DOCUMENT.read_text()
    head, _, rest = document.partition(begin)
    _, _, tail = rest.partition(end)
    where = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    DOCUMENT.write_text(f"{head}{begin}\nMeasured on {where}.\n\n{text}\n{end}{tail}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="update docs/performance.md")
    arguments.add_argument("--python", default=sys.executable, help="of another installation")
    arguments.add_argument("--count", type=int, default=200, help="samples per latency")
    arguments.add_argument(
        "--seconds", type=float, default=10, help="duration of each rate measurement"
    )
    arguments.add_argument("--runs", help="for stored.py")
    arguments.add_argument("--starts", help="for commands.py")
    given = arguments.parse_args()
    wanted = given.python, given.count, given.seconds
    text = table([*measure(*wanted), *measure_postgresql(*wanted)])
    print(text)
    if given.write:
        write("figures", text)


if __name__ == "__main__":
    main()
