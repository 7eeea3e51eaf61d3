"""Toolkits on a real server: a change counts at once, in every process."""

import json
import random
import signal
import time

import httpx
import pytest

from hostile_zips import HOSTILE, zipped
from patience import PATIENCE_S
from runbook.toolkits.folder import digest_of

ON_BOTH_DATABASES = True
REF = "health/Health.md"
REQUESTS = 24
"""New connections, so that both web processes get some."""
FILES = 100
TRIES = 20
ZIP = {"Content-Type": "application/zip"}
DOCUMENT = """\
# {name}

# Environment Requirements
```yaml
```

# File System Requirements
```yaml
```

# Script
```sh
{script}
```

# History
"""
CALLER = f'runbook call {REF} > result; print "code $?"'


@pytest.fixture
def answers(server):
    headers = {"Authorization": f"Bearer {server.token()}"}

    def ask(path=f"/api/runbooks/{REF}"):
        return [httpx.get(server.url + path, headers=headers) for _ in range(REQUESTS)]

    return ask


def refs(replies):
    return {tuple(it["path"] for it in reply.json()["runbooks"]) for reply in replies}


def test_enabling_and_disabling_count_at_once(server, beside, client, answers, execute):
    server.add("Caller", CALLER)
    assert beside.run("toolkit", "install", "health").returncode == 0
    assert {reply.status_code for reply in answers()} == {404}
    beside.run("toolkit", "enable", "health")
    assert {reply.status_code for reply in answers()} == {200}
    assert refs(answers("/api/runbooks")) == {("Caller.md", "health/Diagnose.md", REF)}
    done = execute(client, "Caller.md")
    assert "code 0" in done["stdout"]

    run = client.get(f"/api/runs/{done['run_id']}").json()["children"][0]
    assert (run["runbook"], run["toolkit"]["slug"]) == (REF, "health")
    history = server.data / "toolkits" / REF
    assert f"run={run['id']}" in history.read_text()

    beside.run("toolkit", "disable", "health")
    assert {reply.status_code for reply in answers()} == {404}
    assert refs(answers("/api/runbooks")) == {("Caller.md",)}
    done = execute(client, "Caller.md")
    assert "code 0" not in done["stdout"]


def test_a_run_without_a_server_records_its_toolkit(beside):
    beside.run("toolkit", "install", "health")
    beside.run("toolkit", "enable", "health")
    assert beside.run("execute", "--runbook", REF).returncode == 0
    run = json.loads(beside.run("runs", "--json").stdout)["runs"][0]
    assert (run["runbook"], run["origin"], run["toolkit"]["slug"]) == (REF, "cli", "health")
    assert beside.run("verify", REF).returncode == 0


class Upgraded:
    """A toolkit of many files, in two versions; the folders of both, and the installed one."""

    def __init__(self, root, folder):
        self.root = root
        self.folders = [self._make(folder / f"v{version}", version) for version in (1, 2)]
        self.digests = [digest_of(folder) for folder in self.folders]

    def _make(self, top, version):
        folder = top / "lab"
        (folder / "lib").mkdir(parents=True)
        (folder / "toolkit.yaml").write_text(f"slug: lab\nname: Lab\nversion: {version}.0\n")
        text = DOCUMENT.format(name="Job", script=f"print version {version}")
        (folder / "Job.md").write_text(text)
        for n in range(FILES):
            (folder / "lib" / f"part_{n}.py").write_text(f"{version}\n" * 1000)
        return folder

    def installed(self):
        """Which of the two versions is whole in its place."""
        return self.digests.index(digest_of(self.root / "lab")) + 1

    def work(self):
        """The names of what an installer has in progress."""
        return {path.name.partition("-")[0] for path in self.root.iterdir() if path.name[0] == "."}


@pytest.fixture
def made(server, beside, tmp_path):
    yield Upgraded(server.data / "toolkits", tmp_path)
    beside.run("toolkit", "remove", "lab")


def killed_at(mark, made, beside):
    """Whether an installer was killed when it had this in progress, before it was done."""
    other = made.folders[2 - made.installed()]
    with beside.start("toolkit", "install", str(other)) as process:
        while process.poll() is None and mark not in made.work():
            time.sleep(0)
        process.kill()
    return process.returncode == -signal.SIGKILL


def test_an_installer_that_is_killed_leaves_a_whole_version(made, beside, client, execute):
    assert beside.run("toolkit", "install", str(made.folders[0])).returncode == 0
    beside.run("toolkit", "enable", "lab")
    histories = [execute(client, "lab/Job.md")["run_id"]]
    for mark in (".staged", ".intent", ".incoming"):
        assert any(killed_at(mark, made, beside) for _ in range(TRIES)), "always done before"
        done = execute(client, "lab/Job.md")
        assert done["stdout"] == f"version {made.installed()}\n"
        histories.append(done["run_id"])

    deadline = time.monotonic() + PATIENCE_S  # the worker records what was left
    while made.work() - {".previous"} and time.monotonic() < deadline:
        time.sleep(0.1)
    version = made.installed()
    listed = client.get("/api/toolkits/lab").json()
    assert (listed["version"], listed["modified"]) == (f"{version}.0", False)
    text = (made.root / "lab/Job.md").read_text()
    assert [run for run in histories if f"run={run}" not in text] == []


def test_uploads_to_a_real_server(server, client):
    client.headers["Authorization"] = f"Bearer {server.token(roles=['admin'])}"
    manifest = ("toolkit.yaml", b"slug: sent\nname: Sent\nversion: 1.0.0\n")
    files = [(f"part_{n}.txt", random.Random(n).randbytes(1024 * 1024)) for n in range(8)]
    large = zipped(manifest, *files)
    assert client.post("/api/toolkits", content=large, headers=ZIP).json()["slug"] == "sent"
    make, reason = HOSTILE["zeros"]
    reply = client.post("/api/toolkits", content=make(), headers=ZIP)
    assert (reply.status_code, reply.json()["reason"]) == (422, reason)
    assert client.delete("/api/toolkits/sent").status_code == 200
