"""A real server: supervisor, gunicorn with gevent, a worker, SQLite, zsh."""

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from patience import PATIENCE_S, wait_for_lost_runs
from ports import free_port

SECRET = "a-secret-of-more-than-thirty-two-bytes!"
RUNBOOK = """\
# {name}
A runbook of the tests.

# Environment Requirements
```yaml
{inputs}
```

# File System Requirements
```yaml
Input:
{files}
```
{claims}
# Script
```{language}
{script}
```

# History
"""
CLAIMS = """
# Required Claims
```yaml
{}
```
"""


def write_runbook(
    folder, name, script, *, inputs="", files="", claims="", language="zsh", mode=None
):
    """A valid runbook with this script; `claims` is the YAML of its Required Claims."""
    path = Path(folder) / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        RUNBOOK.format(
            name=path.stem,
            inputs=inputs,
            files=files,
            claims=CLAIMS.format(claims) if claims else "",
            language=language,
            script=textwrap.dedent(script).strip(),
        )
    )
    if mode is not None:
        path.chmod(mode)
    return path


def sse_events(lines):
    """Events of a server-sent stream, as the specification reads it."""
    event, data, last_id = "message", [], None
    for line in lines:
        if line == "":
            if data:
                yield event, "\n".join(data), last_id
            event, data = "message", []
        elif line.startswith("event: "):
            event = line[7:]
        elif line.startswith("data: "):
            data.append(line[6:])
        elif line.startswith("id: "):
            last_id = int(line[4:])


def stream_lines(response):
    """The lines of a stream as the SSE specification ends them: not as str.splitlines does."""
    rest = ""
    for piece in response.iter_text():
        *lines, rest = (rest + piece).split("\n")
        yield from lines


class Server:
    """`runbook serve` on a free port of the loopback, over a folder of its own."""

    def __init__(self, folder, **settings):
        self.folder = Path(folder)
        self.runbooks = self.folder / "runbooks"
        self.data = self.folder / "data"
        self.execution = self.folder / "execution"
        for path in (self.runbooks, self.execution):
            path.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "API_PORT": str(self.port),
            "API_HOST": "127.0.0.1",
            "RUNBOOKS_DIR": str(self.runbooks),
            "DATA_DIR": str(self.data),
            "EXECUTION_DIR": str(self.execution),
            "ENABLE_LOGIN": "true",
            "JWT_SECRET": SECRET,
            "RATE_LIMIT_ENABLED": "false",
            "LOGGING_LEVEL": "INFO",
            # Scripts of tests leave files for their test.
            "ISOLATION_WRITABLE": tempfile.gettempdir(),
            **{name: str(value) for name, value in settings.items()},
        }
        self.database = {k: v for k, v in self.environment.items() if k == "DATABASE_URL"}
        """What others need to know to use the same one."""
        self.log = []
        self.command = [sys.executable, "-m", "runbook.host.supervisor"]
        self._process = None

    def start(self, *, wait=True, stderr=subprocess.PIPE):
        """`stderr` is where the log goes; by default, we read it."""
        self._process = subprocess.Popen(
            self.command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,))
        self._reader.start()
        if wait:
            self.wait_ready()
        return self

    def _read(self, stream):
        with stream or nullcontext(()) as lines:
            for line in lines:
                self.log.append(line)

    @property
    def process(self):
        return psutil.Process(self._process.pid)

    def assert_running(self):
        """Whoever waits for something from a server that has ended would wait for ever."""
        code = self._process.poll()
        if code is not None:
            did = "gave up" if self.events_logged("supervisor.gives_up") else "has ended"
            raise AssertionError(f"the server {did}, with {code}: {''.join(self.log[-20:])}")

    def wait_ready(self, timeout=PATIENCE_S):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if self._process.poll() is not None:
                break
            time.sleep(0.02)  # the only sign of readiness is the answer itself
        raise AssertionError(f"not ready: {''.join(self.log[-20:])}")

    def stop(self, timeout=2 * PATIENCE_S):
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._reader.join()
        return code

    def kill(self):
        for process in [*self.process.children(recursive=True), self.process]:
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile
                process.kill()
        self._process.wait()
        self._reader.join()

    def wait(self, timeout=2 * PATIENCE_S):
        code = self._process.wait(timeout)
        self._reader.join()
        return code

    def children(self, module):
        """The direct children of the supervisor that run this module."""
        return [child for child in self.process.children() if module in child.cmdline()]

    @property
    def worker(self):
        (worker,) = self.children("runbook.worker")
        return worker

    @property
    def web(self):
        (web,) = self.children("runbook.api.server")
        return web

    def events_logged(self, name):
        parsed = (json.loads(line) for line in list(self.log) if line.startswith("{"))
        return [line for line in parsed if line.get("event") == name]

    def token(self, subject="ann", roles=("sre",)):
        reply = httpx.post(f"{self.url}/dev-login", json={"subject": subject, "roles": list(roles)})
        return reply.json()["access_token"]

    def client(self, subject="ann", roles=("sre",), **more):
        headers = {"Authorization": f"Bearer {self.token(subject, roles)}"} | more
        return httpx.Client(base_url=self.url, headers=headers, timeout=2 * PATIENCE_S)

    def add(self, name, script, **more):
        write_runbook(self.runbooks, name, script, **more)
        return f"{name}.md"


@contextmanager
def running(folder, **settings):
    """Runs a server over a folder, for as long as a `with` takes."""
    server = Server(folder, **settings).start()
    try:
        yield server
    finally:
        server.stop()


def pytest_generate_tests(metafunc):
    """The tests of a module with ON_BOTH_DATABASES are done with servers on each of the two.

    Those marked with `one_database` are not: they are about processes, not about the store.
    """
    is_on_both = getattr(metafunc.module, "ON_BOTH_DATABASES", False)
    if metafunc.definition.get_closest_marker("one_database"):
        is_on_both = False
    if is_on_both and "database_kind" in metafunc.fixturenames:
        metafunc.parametrize("database_kind", ["sqlite", "postgresql"], scope="module")


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    wait_for_lost_runs(monkeypatch)


@pytest.fixture(scope="module")
def database_kind():
    return "sqlite"


@pytest.fixture(scope="module")
def lend_database(database_kind, request):
    """Gives settings that name a server's own database, for as long as a `with` takes."""
    if database_kind == "sqlite":
        return lambda: nullcontext({})
    postgres = request.getfixturevalue("postgres")
    template = request.getfixturevalue("postgres_template")

    @contextmanager
    def lend():
        with postgres.lent(template) as url:
            yield {"DATABASE_URL": url.replace("postgresql:", "postgresql+psycopg:")}

    return lend


@pytest.fixture(scope="module")
def serve(lend_database):
    """Runs a server over a folder, with settings of its own, for as long as a `with` takes."""

    @contextmanager
    def serve_(folder, **settings):
        with lend_database() as database, running(folder, **database, **settings) as server:
            yield server

    return serve_


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory):
    """One server for the tests of a module."""
    with serve(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


@pytest.fixture
def start_server(tmp_path, lend_database):
    """Starts servers with settings of their own; they end with the test."""
    folders = (tmp_path / f"server-{n}" for n in itertools.count())
    with ExitStack() as ends:

        def start(*, wait=True, stderr=subprocess.PIPE, **settings):
            database = ends.enter_context(lend_database())
            server = Server(next(folders), **database, **settings)
            ends.callback(server.stop)
            return server.start(wait=wait, stderr=stderr)

        yield start


class Beside:
    """`runbook` as processes that share a server's folders, and do not ask the server."""

    def __init__(self, server):
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(server.folder),
            "RUNBOOKS_DIR": str(server.runbooks),
            "DATA_DIR": str(server.data),
            "EXECUTION_DIR": str(server.execution),
            **server.database,
        }

    def start(self, *args, **options):
        defaults = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
        }
        command = [sys.executable, "-m", "runbook", *args]
        return subprocess.Popen(command, env=self.environment, **(defaults | options))

    def run(self, *args):
        with self.start(*args) as process:
            stdout, stderr = process.communicate(timeout=2 * PATIENCE_S)
        return subprocess.CompletedProcess(args, process.returncode, stdout, stderr)

    def events(self, *args):
        """What a command with --json printed: an object for each line."""
        done = self.run(*args, "--json")
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def beside(server):
    return Beside(server)


@pytest.fixture
def submit():
    """Start a run, by a path that takes execute's body; its id."""

    def call(client, path, **body):
        reply = client.post(path, json=body, headers={"Prefer": "respond-async"})
        assert reply.status_code == 202, reply.text
        return reply.json()["run_id"]

    return call


_naps = itertools.count()


@pytest.fixture
def nap():
    """Seconds that nobody else on this machine sleeps for: they mark who sleeps for this test."""
    return f"{os.getpid()}{next(_naps):04}"


@pytest.fixture
def sleepers(nap):
    """The processes that sleep for so long, whoever they belong to by now."""

    def call():
        every = psutil.process_iter(["cmdline"])
        return [process for process in every if nap in (process.info["cmdline"] or [])]

    return call


DOCUMENT = """\
# {name}

# Environment Requirements
```yaml
{inputs}
```

# File System Requirements
```yaml
```
{policy}
# Script
{script}

# History
"""


@pytest.fixture
def write(server):
    """Write a runbook of one script, or of the steps that a Script section is given; its ref."""

    def call(name, script, inputs="", *, policy="", language="zsh"):
        if not script.lstrip().startswith("## "):
            script = f"```{language}\n{script.strip()}\n```"
        rules = f"\n# Policy\n```yaml\n{policy}\n```\n" if policy else ""
        text = DOCUMENT.format(name=name, inputs=inputs, policy=rules, script=script.strip())
        (server.runbooks / f"{name}.md").write_text(text)
        return f"{name}.md"

    return call


@pytest.fixture
def execute():
    """Execute a runbook and return its `done` object; `env_vars` by keyword."""

    def call(client, ref, **env_vars):
        headers = {"Accept": "application/json"}
        body = {"env_vars": env_vars}
        reply = client.post(f"/api/runbooks/{ref}/execute", json=body, headers=headers)
        assert reply.status_code == 200, reply.text
        return reply.json()

    return call


@pytest.fixture
def follow():
    """The events of a run as parsed JSON, from the stream of its own."""

    def call(client, run_id, after=0, headers=None):
        url = f"/api/runs/{run_id}/events?after={after}"
        with client.stream("GET", url, headers=headers or {}) as reply:
            assert reply.status_code == 200
            for _event, data, number in sse_events(stream_lines(reply)):
                event = json.loads(data)
                assert event["n"] == number
                yield event

    return call


@pytest.fixture
def parse_lines():
    """The events (name, data, number) of an open stream, one by one."""
    return lambda reply: sse_events(stream_lines(reply))


@pytest.fixture
def parse_stream():
    """All events (name, data, number) of a reply."""
    return lambda reply: list(sse_events(reply.text.split("\n")))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Show what the server logged of its own faults beside a failed test."""
    report = yield
    server = item.funcargs.get("server") if hasattr(item, "funcargs") else None
    if report.failed and server is not None:
        faults = [line for line in server.log if "exception" in line or not line.startswith("{")]
        report.sections.append(("server faults", "".join(faults[-20:]).replace("\\n", "\n")))
    return report


@pytest.fixture
def kill_tree():
    """Kill a process and all below it at once, so that nobody is left who cleans up."""

    def kill(process):
        tree = [psutil.Process(process.pid)]
        tree += tree[0].children(recursive=True)
        for act in (psutil.Process.suspend, psutil.Process.kill):
            for one in tree:
                with suppress(psutil.NoSuchProcess):  # a sleep that was over
                    act(one)
        process.communicate(timeout=2 * PATIENCE_S)
        psutil.wait_procs(tree, timeout=2 * PATIENCE_S)

    return kill
