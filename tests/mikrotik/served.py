"""A server with the installed toolkit, and simulated routers that it changes."""

import json
import signal
import time
from contextlib import suppress

import httpx
import psutil

from integration.conftest import Beside, Server, sse_events, stream_lines
from mikrotik.site import NAME, PASSWORD, TIMEOUTS
from patience import PATIENCE_S
from runbook.engine.process.family import RUN_MARK
from runbook.lab.routeros.router import Router
from runbook.library.history import verify_file
from young_workers import YoungWorkers

PUSH, RECOVER = "mikrotik/Push.md", "mikrotik/PushRecover.md"
LONGEST_S = 20 * PATIENCE_S


class Served:
    """`runbook serve` over a folder, with routers by name, each with a device of its name."""

    def __init__(self, folder, **settings):
        self.server = Server(folder, **settings)
        self.workers = YoungWorkers(self.server)
        self.routers = {}
        self._tokens = {}

    def start(self):
        self.server.start()
        beside = Beside(self.server)
        for action in ("install", "enable"):
            done = beside.run("toolkit", action, "mikrotik")
            assert done.returncode == 0, done.stderr

    def close(self):
        self.server.stop()
        for name in [*self.routers]:
            self.remove(name)

    def add(self, name=NAME, version="7.18", **options):
        given = {"boot_seconds": 2, "clock_rate": 12, **options}
        router = Router(version, password=PASSWORD, identity=name, **given).start()
        self.routers[name] = router
        values = {
            "host": "127.0.0.1",
            "port": router.api_ssl_port,
            "username": "admin",
            "password": PASSWORD,
            "ca": router.ca,
            "ssh_port": router.ssh_port,
            **TIMEOUTS,
        }
        self.ask("POST", "/api/connections", name=name, kind="routeros", values=values)
        self.ask("PUT", f"/api/inventory/{name}", connection=name, address="127.0.0.1")
        return router

    def remove(self, name):
        self.routers.pop(name).stop()

    # -- requests ------------------------------------------------------------------------------

    def ask(self, method, path, **body):
        """The answer as JSON; asked again while the server restarts."""
        deadline = time.monotonic() + LONGEST_S
        while True:
            try:
                headers = {"Authorization": f"Bearer {self._token()}", "Prefer": "respond-async"}
                reply = httpx.request(
                    method,
                    self.server.url + path,
                    headers=headers,
                    timeout=PATIENCE_S,
                    **({"json": body} if body else {}),
                )
                if reply.status_code < 500:
                    assert reply.status_code < 400, reply.text
                    return reply.json()
            except (httpx.HTTPError, KeyError):
                pass
            self.server.assert_running()
            assert time.monotonic() < deadline, f"{path} isn't answered"
            time.sleep(0.1)

    def _token(self):
        if not self._tokens:
            self._tokens["admin"] = self.server.token("ann", ["admin"])
        return self._tokens["admin"]

    def submit(self, ref, *, router=NAME, **inputs):
        path = f"/api/runbooks/{ref}/execute"
        return self.ask("POST", path, env_vars={"ROUTER": router, **inputs})["run_id"]

    def run(self, run_id):
        return self.ask("GET", f"/api/runs/{run_id}")

    def ended(self, run_id):
        """The run, once it has ended."""
        return self.eventually(lambda: self._if(run_id, lambda run: not run["active"]))

    def recovery(self, run_id):
        """What the server itself did about a run: the last recovery, once it has succeeded.

        None if the run says that none is needed.
        """
        run = self.ended(run_id)
        if "recovery_planned" not in [one["code"] for one in run["problems"]]:
            assert not run["followers"]
            return None
        return self.eventually(lambda: self._recovered(run_id))

    def _recovered(self, run_id):
        found = self.run(run_id)["followers"]
        assert all(one["relation"] == "recovery" for one in found)
        done = [one for one in found if one["status"] == "succeeded"]
        return self.run(done[0]["id"]) if done else None

    def _if(self, run_id, condition):
        run = self.run(run_id)
        return run if condition(run) else None

    def eventually(self, find):
        deadline = time.monotonic() + LONGEST_S
        while not (found := find()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return found

    def step_begins(self, run_id, n):
        """Wait for it. False if the run ends before."""
        headers = {"Authorization": f"Bearer {self._token()}"}
        url = f"{self.server.url}/api/runs/{run_id}/events"
        with httpx.stream("GET", url, headers=headers, timeout=LONGEST_S) as reply:
            for kind, data, _ in sse_events(stream_lines(reply)):
                if kind == "done":
                    return False
                event = json.loads(data)
                if (kind, event.get("state"), event.get("step")) == ("step", "started", n):
                    return True
        return False

    # -- killing -------------------------------------------------------------------------------

    def kill_worker(self):
        with suppress(psutil.NoSuchProcess, ValueError):  # it is being restarted
            self.workers.kill(self.server.worker)

    def kill_all(self, *, scripts=True):
        """Every process of the server at once, and the scripts, unless they are spared."""
        family = [self.server.process, *self.server.process.children(recursive=True)]
        for process in family:  # none of them may see another one die
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                if scripts or not _is_script(process):
                    process.kill()
                else:
                    process.send_signal(signal.SIGCONT)
        self.server.wait()

    # -- what is left --------------------------------------------------------------------------

    def leftovers(self):
        """What is wrong with the server after everything has ended."""
        wrong = [f"the run {it['id']} is {it['status']}" for it in self._active()]
        wrong += [f"process {it}" for it in self._scripts()]
        wrong += [f"folder {it.name}" for it in self.server.execution.iterdir()]
        wrong += [f"half a file {it.name}" for it in self.server.data.glob("**/*.new")]
        for ref in (PUSH, RECOVER):
            found = verify_file(self.server.data / "toolkits" / ref)
            if not found.ok:
                wrong.append(f"the history of {ref} doesn't verify")
        return wrong

    def _active(self):
        return self.ask("GET", "/api/runs?active=true")["runs"]

    def _scripts(self):
        mark = str(self.server.execution)
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if _is_script(process) and mark in process.environ().get("HOME", ""):
                    yield f"{process.pid} {process.cmdline()}"

    def entries(self, ref, run_id):
        """How many entries the history of a runbook has for a run."""
        text = (self.server.data / "toolkits" / ref).read_text()
        return text.count(f"run={run_id} ")


def _is_script(process):
    try:
        return RUN_MARK in process.environ()
    except psutil.Error:
        return False


__all__ = ["PUSH", "RECOVER", "Served"]
