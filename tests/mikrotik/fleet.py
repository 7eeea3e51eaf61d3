"""The steps of FleetPush in this process, for several simulated routers."""

import json
import os
import pkgutil
import threading

from mikrotik.conftest import Bench, Killed
from mikrotik.site import PASSWORD

BEFORE_CHANGES = ("check", "back_up", "validate", "arm")
STEPS = (*BEFORE_CHANGES, "apply", "verify", "confirm", "record")


class FleetBench(Bench):
    """Devices of these names, each with its router."""

    def __init__(self, folder, monkeypatch, routers):
        self.routers = routers
        self._journal = threading.Lock()
        super().__init__(folder, monkeypatch, next(iter(routers.values())))
        for name, router in routers.items():
            self._connect(f"DEVICES.{name}", name, router)
        self._called = 0

    def _connect(self, input_name, name, router):
        values = {
            "host": "127.0.0.1",
            "port": router.api_ssl_port,
            "username": "admin",
            "password": PASSWORD,
            "ca": router.ca,
            "ssh_port": router.ssh_port,
            "timeout": 5,
            "command_timeout": 4,
        }
        found = {
            "name": name,
            "kind": "routeros",
            "values": values,
            "device": {"name": name, "stored": True},
        }
        path = self.folder / "connections" / f"{input_name}.json"
        path.write_text(json.dumps(found))

    def use(self):
        super().use()
        self.set(
            RUNBOOK_RECURSION_STACK='["mikrotik/FleetPush.md"]',
            DEVICES=json.dumps([*self.routers]),
            PARALLEL="2",
            MARGIN="5",
            REVERT_AFTER="300",
        )
        self._patch.setattr("runbook.call", self._call)

    def _intend(self, *given):
        with self._journal:
            return super()._intend(*given)

    def _call(self, ref, **inputs):
        """FleetRecover, as a called run."""
        assert ref == "mikrotik/FleetRecover.md"
        assert sorted(inputs["DEVICES"].split(",")) == sorted(self.routers)
        outputs, self._called = dict(self.outputs), self._called + 1
        if code := self.call("transaction.interrupted", "recover"):
            from runbook.errors import RunbookError

            raise RunbookError(f"ended with {code}")
        self.outputs.clear()
        self.outputs.update(outputs)

    def snapshots(self):
        return {name: router.snapshot() for name, router in self.routers.items()}

    def advance(self, seconds):
        boots = {name: router.boots for name, router in self.routers.items()}
        for router in self.routers.values():
            router.advance(seconds)
        return boots

    def wait_until_up(self):
        for router in self.routers.values():
            router.wait_until_up()

    def push_all(self, change, steps=STEPS, *, fresh=True, **inputs):
        """The exit code of a fleet push, whose steps are called until one fails."""
        if fresh:
            self.new_run()
        self.set(CHANGE=change, **inputs)
        for step in steps:
            if code := self.call("transaction.steps", step):
                return code
        return 0

    def step(self, name):
        return self.call("transaction.steps", name)

    def undo(self):
        return self.call("transaction.interrupted", "undo")

    def recover_all(self):
        self.new_run()
        return self.call("transaction.interrupted", "recover"), self.outputs["outcome"]

    def recover_one(self, name):
        """PushRecover of one router."""
        self._connect("ROUTER", name, self.routers[name])
        return self.recover()

    def rows(self):
        return {row["device"]: row for row in self.outputs["devices"]}


class Hits:
    """Counts what is said to routers and kept on disk. From one of these moments on, all die."""

    PLACES = (
        "runbook.connectors.routeros.client.Client.raw",
        "runbook.connectors.ssh.session.Session.run",
        "runbook.connectors.ssh.session.Session.put",
        "mikrotik_toolkit.durable.write",
        "runbook.connectors.backups.git.Git.commit",
    )

    def __init__(self, patch):
        self.count, self.fatal, self.after, self.dead = 0, None, False, False
        self.said = []
        for place in self.PLACES:
            patch.setattr(place, self._counting(pkgutil.resolve_name(place)))

    def _counting(self, original):
        def hit(*given, **more):
            if self.dead:
                raise Killed
            self.count += 1
            self.said.append(" ".join(map(str, given[1:2])))
            is_fatal = self.count == self.fatal
            if is_fatal and not self.after:
                self.dead = True
                raise Killed
            result = original(*given, **more)
            if is_fatal:
                self.dead = True
                raise Killed
            return result

        return hit


def is_armed(routers):
    return any("runbook-revert" in router.snapshot() for router in routers.values())


__all__ = ["BEFORE_CHANGES", "STEPS", "FleetBench", "Hits", "Killed", "is_armed", "os"]
