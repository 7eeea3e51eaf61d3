"""Simulated routers in this process, and the toolkit's runbooks executed for them."""

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from netbox.commands import Toolkits, ended
from patience import PATIENCE_S
from runbook.connectors.backups import BackupStore, folder_of, key_of
from runbook.lab.routeros.router import Router

TOOLKIT = Path(__file__).parents[2] / "runbooks" / "mikrotik"
PASSWORD = "secret-word"
NAME = "core-1"
TIMEOUTS = {"timeout": round(PATIENCE_S / 15), "command_timeout": round(PATIENCE_S / 10)}
"""Of connections, in seconds: 2 and 3, or more on a machine that is slow or busy."""
ADD = "/ip address\nadd address=10.0.0.1/24 interface=ether2\n"
CUT = "/ip address\nset [find address=192.168.88.1/24] disabled=yes\n"
BROKEN = "/ip address\nadd address=10.0.0.1/24 interface=ether2\nadd adress=10.0.0.2/24\n"
HALF = (
    "/ip address\nadd address=10.0.0.1/24 interface=ether2\nadd address=10.0.0.2/24 interface=no\n"
)


def scripts_of(run):
    """The processes of a run's script: they have its ID in their environment."""
    mark = f"RUNBOOK_RUN_ID={run}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


class Site:
    """Routers by name, each with a connection of its name, which is its device."""

    def __init__(self, folder):
        self.toolkits = Toolkits(folder, "mikrotik")
        data = folder / "data"
        self.store = BackupStore(folder_of(data), key_of(data))
        self.routers = {}

    def add(self, name=NAME, version="7.18", **options):
        given = {"boot_seconds": 2, "clock_rate": 10, **options}
        router = Router(version, password=PASSWORD, identity=name, **given).start()
        self.routers[name] = router
        self.toolkits.connect(
            name,
            "routeros",
            host="127.0.0.1",
            port=router.api_ssl_port,
            username="admin",
            password=PASSWORD,
            ca=router.ca,
            ssh_port=router.ssh_port,
            **TIMEOUTS,
        )
        return router

    def close(self):
        for router in self.routers.values():
            router.stop()

    def execute(self, name, *options, router=NAME, **inputs):
        return self.toolkits.execute(f"mikrotik/{name}.md", *options, ROUTER=router, **inputs)

    def push(self, change, *options, **inputs):
        return self.execute("Push", *options, CHANGE=change, **inputs)

    def seconds_of_a_push(self, change, *, router=NAME, **inputs):
        """From the beginning of its first step on, if nobody disturbs it."""
        started = self.toolkits.start_execute(
            "mikrotik/Push.md", ROUTER=router, CHANGE=change, **inputs
        )
        with started as process:
            next(line for line in process.stdout if json.loads(line)["type"] == "step")
            began = time.monotonic()
            process.communicate()
            assert process.returncode == 0
            return time.monotonic() - began

    def killed_push(self, change, after_s, *, router=NAME, script=True, **inputs):
        """The ID of a run whose engine and script were killed this long after its first step began.

        None if it was killed before it was a run.
        """
        started = self.toolkits.start_execute(
            "mikrotik/Push.md", ROUTER=router, CHANGE=change, **inputs
        )
        return self.kill(started, after_s, script=script)

    def kill(self, process, after_s, *, script=True):
        """The engine with its guardian and, unless it is spared for a while, the script."""
        run = None
        with process:
            for line in process.stdout:
                event = json.loads(line)
                run = run or event.get("run_id")
                if event["type"] == "step":
                    break
            time.sleep(after_s)
            os.killpg(process.pid, signal.SIGKILL)
            for pid in scripts_of(run) if script else ():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return run

    def rerun(self, how, run):
        return self.toolkits.rerun(how, run)


__all__ = ["ADD", "BROKEN", "CUT", "HALF", "NAME", "Site", "ended"]
