"""Attacks of a script on the engine, on other runs and on the system, in each mode.

SECURITY.md says which mode stops which attack. Its table is what is tested: a script that doesn't
get what it attacks prints `stopped`.
"""

import re
import textwrap
from pathlib import Path

import httpx
import psutil
import pytest

from integration.isolation.conftest import await_true

SECURITY = Path(__file__).parents[3] / "SECURITY.md"
VICTIM = "secret-of-the-victim"

ATTACKS = {
    "End other runs": "kill -KILL -1",
    "End the engine": "kill -KILL -1",
    "Read the environment of other runs": f"""
        cat /proc/*/environ 2>/dev/null | grep -aq {VICTIM} || print stopped
        """,
    "Read the memory of other runs": """
        python3 - <<'END'
        import glob, os
        own = os.environ["RUNBOOK_RUN_ID"]
        def reads(path):
            try:
                command = open(path).read()
                if "/script.zsh" not in command or own in command:
                    return False
                open(path.replace("cmdline", "mem"), "rb").close()
                return True
            except OSError:
                return False
        if not any(reads(path) for path in glob.glob("/proc/[0-9]*/cmdline")):
            print("stopped")
        END
        """,
    "Read the files of other runs": """
        cat $EXECUTION/*/script.zsh 2>/dev/null | grep -q 'in_the_[v]ictim' || print stopped
        """,
    "Read the database": "grep -aqm 1 SQLite $DATA/runbook.db 2>/dev/null || print stopped",
    "Read the keys": "cat $DATA/keys/run-tokens >/dev/null 2>&1 || print stopped",
    "Connect to the engine's sockets": """
        python3 - <<'END'
        import glob, os, socket
        found = glob.glob(os.environ["DATA"] + "/wake/*.sock")
        one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            one.connect(found[0])
        except (IndexError, OSError):
            print("stopped")
        END
        """,
    "Connect to sockets of services in /run": """
        python3 - <<'END'
        import os, socket
        one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            one.connect(os.environ["SERVICE"])
        except OSError:
            print("stopped")
        END
        """,
    "Write to the runbooks": """
        touch $RUNBOOKS/planted.md 2>/dev/null || print stopped
        """,
    "Write to folders of its user": "touch $OUTSIDE/planted 2>/dev/null || print stopped",
    "Leave files in /tmp": "print x > /tmp/$PLANTED; [[ -e /tmp/$PLANTED ]] && print written",
    "Leave a process that hides": r"""
        groups="/sys/fs/cgroup/pids/cgroup.procs /sys/fs/cgroup/cgroup.procs"
        leave="for file in $groups; do echo \$\$ >\$file; done"
        (cd /; env -i setsid sh -c "($leave) 2>/dev/null; exec sleep $NAP" >&- 2>&- &)
        sleep 0.2
        """,
    "Start processes without end": """
        python3 - <<'END'
        import os, subprocess
        try:
            for _ in range(300):
                subprocess.Popen(["sleep", os.environ["NAP"]])
        except OSError:
            print("stopped")
        END
        """,
    "Lift its limits": """
        for file in /sys/fs/cgroup/**/runbook-$RUNBOOK_RUN_ID/pids.max(N); do
          print max > $file && lifted=1
        done 2>/dev/null
        (( lifted )) || print stopped
        """,
    "Gain rights in a user namespace": """
        unshare --user --map-root-user true 2>/dev/null || print stopped
        """,
}
ENDS_ITSELF = ("End other runs", "End the engine")


def table():
    """The verdicts of SECURITY.md, by attack and mode."""
    rows = re.findall(r"^\| (.+) \|$", SECURITY.read_text(), re.MULTILINE)
    cells = [[cell.strip(" `") for cell in row.split(" | ")] for row in rows]
    head = next(row for row in cells if row[0] == "attack")
    modes = [cell.replace("`", "") for cell in head[1:]]
    return {
        row[0]: dict(zip(modes, row[1:], strict=True))
        for row in cells
        if row[0] in ATTACKS and len(row) == len(head)
    }


VERDICTS = table()


def test_the_table_has_all_attacks():
    assert list(VERDICTS) == list(ATTACKS)


@pytest.fixture(scope="module")
def settings():
    return {"RUN_MAX_PROCESSES": 100}


def status_of(client, run):
    """None while the web process is started again: an attack may have ended it."""
    try:
        reply = client.get(f"/api/runs/{run}")
    except httpx.HTTPError:
        return None
    return reply.json()["status"] if reply.status_code == 200 else None


@pytest.fixture
def victim(server):
    """A run with a secret that goes on meanwhile; tells whether it still does."""
    script = "go_on=in_the_victim; while [[ ! -e end ]] { sleep 0.05 }"
    server.add("Victim", script, inputs="MINE: secret")
    with server.client() as client:
        reply = client.post(
            "/api/runbooks/Victim.md/execute",
            json={"env_vars": {"MINE": VICTIM}},
            headers={"Prefer": "respond-async"},
        )
        run = reply.json()["run_id"]

        def status():
            return status_of(client, run)

        await_true((server.execution / f"runbook-{run}" / "script.zsh").exists)
        yield status
        if status() == "running":
            (server.execution / f"runbook-{run}" / "end").touch()
            await_true(lambda: status() == "succeeded")
        await_true(server.is_ready)


@pytest.fixture
def attack(server, execute, sleepers, nap, service):
    """Executes an attack. Tells what it printed, and whether the engine is the one before."""
    outside = server.folder / "outside"
    outside.mkdir(exist_ok=True)
    outside.chmod(0o755)
    places = {
        "EXECUTION": server.execution,
        "DATA": server.data,
        "RUNBOOKS": server.runbooks,
        "OUTSIDE": outside,
        "PLANTED": f"planted-{nap}",
        "NAP": nap,
        "SERVICE": service,
    }

    def call(script):
        inputs = "\n".join(f"{name}: a place" for name in places)
        server.add("Attack", textwrap.dedent(script), inputs=inputs)
        with server.client() as client:
            try:
                reply = client.post(
                    "/api/runbooks/Attack.md/execute",
                    json={"env_vars": {name: str(place) for name, place in places.items()}},
                    headers={"Prefer": "respond-async"},
                )
            except httpx.HTTPError:  # the attack was faster
                await_true(server.is_ready)
                return ""
            run = reply.json()["run_id"]

            await_true(lambda: status_of(client, run) not in (None, "queued", "running"))
            return client.get(f"/api/runs/{run}/log").text

    yield call
    Path(f"/tmp/planted-{nap}").unlink(missing_ok=True)
    for planted in (outside / "planted", server.runbooks / "planted.md"):
        planted.unlink(missing_ok=True)


@pytest.fixture
def service(tmp_path_factory):
    """A socket in /run, as services have them."""
    import socket

    path = Path(f"/run/isolation-{tmp_path_factory.mktemp('x').name}-{psutil.Process().pid}.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(0o777)
        yield path
    path.unlink()


@pytest.mark.parametrize("name", list(ATTACKS))
def test_an_attack(name, server, mode, victim, attack, sleepers, nap):
    worker = server.worker.pid
    said = attack(ATTACKS[name])
    if name == "End the engine":
        stopped = psutil.pid_exists(worker) and server.worker.pid == worker
    elif name == "End other runs":
        stopped = victim() == "running"
    elif name == "Leave files in /tmp":
        stopped = not Path(f"/tmp/planted-{nap}").exists()
        assert "written" in said
    elif name == "Leave a process that hides":
        stopped = not sleepers()
    else:
        stopped = "stopped" in said
    assert ("yes" if stopped else "no") == VERDICTS[name][mode], said
