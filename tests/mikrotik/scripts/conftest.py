"""Simulated routers, and a place for runs with them."""

import pytest

from mikrotik.scripts.bench import PASSWORD, Bench, forget
from runbook.connectors.connection import ConnectionValues
from runbook.connectors.host_keys import CollectedHostKeys
from runbook.connectors.routeros import open_router
from runbook.lab.routeros import router as simulator


class Site(Bench):
    """Routers by name, each a device of the inventory."""

    def __init__(self, monkeypatch, folder):
        super().__init__(monkeypatch, folder)
        self.routers = {}

    def router(self, name="core-1", version="7.18", *, facts=None, **options):
        made = simulator.Router(version, password=PASSWORD, identity=name, **options).start()
        self.routers[name] = made
        self.know(name, facts=facts)
        return made

    def values(self, name, **more):
        made = self.routers[name]
        return {
            "host": "127.0.0.1",
            "port": made.api_ssl_port,
            "username": "admin",
            "password": PASSWORD,
            "ca": made.ca,
            "ssh_port": made.ssh_port,
            "timeout": 3,
            "command_timeout": 10,
            **more,
        }

    def opened(self, name):
        """A connection of the test's own."""
        given = ConnectionValues(name, "routeros", self.values(name))
        return open_router(given, CollectedHostKeys({}))

    def know(self, name, *, facts=None, **more):
        """Have the device in the inventory, with these facts."""
        self.connect(name, self.values(name, **more), device={"facts": facts or {}})


@pytest.fixture
def site(monkeypatch, tmp_path):
    made = Site(monkeypatch, tmp_path)
    yield made
    for router in made.routers.values():
        router.stop()
    forget("mikrotik_toolkit")
