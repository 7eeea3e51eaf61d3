"""The simulator of RouterOS in this process, and what connects to it."""

import pytest

from runbook.connectors.connection import ConnectionValues
from runbook.connectors.host_keys import CollectedHostKeys
from runbook.connectors.routeros import open_router
from runbook.lab.routeros import router as simulator

PASSWORD = "secret-word"


class Lab:
    """A simulated router, and how to connect to it."""

    def __init__(self, router):
        self.router = router
        self.keys = CollectedHostKeys({})

    def values(self, **more):
        return {
            "host": "127.0.0.1",
            "port": self.router.api_ssl_port,
            "username": "admin",
            "password": PASSWORD,
            "ca": self.router.ca,
            "ssh_port": self.router.ssh_port,
            "timeout": 5,
            "command_timeout": 5,
            **more,
        }

    def connect(self, *, dry_run=False, **more):
        given = ConnectionValues("lab", "routeros", self.values(**more))
        return open_router(given, self.keys, dry_run=dry_run)


@pytest.fixture
def lab_of():
    """Starts routers of any version."""
    started = []

    def start(version="7.18", **options):
        router = simulator.Router(version, password=PASSWORD, identity="core-1", **options)
        started.append(router.start())
        return Lab(router)

    yield start
    for router in started:
        router.stop()


@pytest.fixture
def lab(lab_of):
    return lab_of()


@pytest.fixture
def plans(monkeypatch):
    """The lines of the plan of a dry run."""
    lines = []
    monkeypatch.setattr(
        "runbook.connectors.effects.commands.plan", lambda line, label: lines.append(line)
    )
    monkeypatch.setattr("runbook.connectors.effects.commands.dry_run", lambda: True)
    return lines
