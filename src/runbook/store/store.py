"""The store: all data of the engine, by noun.

One method is one short transaction, unless documented otherwise. Methods are safe in threads,
greenlets and processes. They raise StoreBusyError if the database stayed locked by others, and
StoreUnavailableError if it can't be used.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from runbook.core.times import Millis
from runbook.store.audit import Audit
from runbook.store.blobs import Blobs
from runbook.store.connections import Connections
from runbook.store.database import PATIENCE_S, Database
from runbook.store.documents import Documents
from runbook.store.host_keys import HostKeys
from runbook.store.inventory.devices import Devices
from runbook.store.leases import Leases
from runbook.store.locks import Locks
from runbook.store.log.events import Events
from runbook.store.log.logs import Logs
from runbook.store.maintenance import Maintenance
from runbook.store.notices import Notices
from runbook.store.run.artifacts import Artifacts
from runbook.store.run.effects import Effects
from runbook.store.run.quarantine import Quarantine
from runbook.store.run.recoveries import Recoveries
from runbook.store.run.runs import Runs
from runbook.store.run.steps import Steps
from runbook.store.runbooks import Runbooks
from runbook.store.toolkits import Toolkits
from runbook.store.workers import Workers

if TYPE_CHECKING:
    from runbook.store.inventory.fanouts import Fanouts


def now_ms() -> Millis:
    return time.time_ns() // 1_000_000


class Store:
    """Connects at its first use, in each process by itself: make it before forking.

    `url` is `sqlite:///PATH`. `patience_s` is how long a locked database is waited for.
    Raises ConfigurationError for another kind of URL.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], Millis] = now_ms,
        read_only: bool = False,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._database = Database(url, read_only=read_only, patience_s=patience_s)
        self._clock = clock
        self.runs = Runs(self._database, clock)
        self.events = Events(self._database, clock)
        self.quarantine = Quarantine(self._database, clock)
        self.recoveries = Recoveries(self._database, clock)
        self.steps = Steps(self._database, clock)
        self.effects = Effects(self._database, clock)
        self.logs = Logs(self._database, clock)
        self.artifacts = Artifacts(self._database, clock)
        self.blobs = Blobs(self._database, clock)
        self.documents = Documents(self._database, clock)
        self.locks = Locks(self._database, clock)
        self.runbooks = Runbooks(self._database, clock)
        self.toolkits = Toolkits(self._database, clock)
        self.connections = Connections(self._database, clock)
        self.host_keys = HostKeys(self._database, clock)
        self.devices = Devices(self._database, clock)
        self.workers = Workers(self._database, clock)
        self.leases = Leases(self._database, clock)
        self.notices = Notices(self._database, clock)
        self.maintenance = Maintenance(self._database, clock)
        self.audit = Audit(self._database, clock)

    @cached_property
    def fanouts(self) -> Fanouts:
        # Imported late, as few commands use it.
        from runbook.store.inventory.fanouts import Fanouts

        return Fanouts(self._database, self._clock)

    def check(self) -> None:
        """Raise StoreUnavailableError unless the database answers and is of this version."""
        self.maintenance.check()

    def close(self) -> None:
        """Close this process's connections; a later call reopens them."""
        self._database.close()
