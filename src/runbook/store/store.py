"""The store: everything that the engine keeps, behind one class.

One method is one short transaction (the long ones say so), safe in threads, greenlets and
processes. Methods raise StoreBusyError where others kept the database locked, and
StoreUnavailableError where it cannot be used.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from runbook.core.run import Millis
from runbook.store.audit import Audit
from runbook.store.database import PATIENCE_S, Database
from runbook.store.endings import Endings
from runbook.store.events import Events
from runbook.store.history import Runbooks
from runbook.store.logs import Logs
from runbook.store.queries import RunReads
from runbook.store.runs import RunWrites
from runbook.store.steps import Steps
from runbook.store.upkeep import Upkeep
from runbook.store.workers import Workers


def now_ms() -> Millis:
    return time.time_ns() // 1_000_000


class Store(RunWrites, Endings, Events, Steps, RunReads, Logs, Runbooks, Workers, Upkeep):
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
        database = Database(url, read_only=read_only, patience_s=patience_s)
        super().__init__(database, clock)
        self.audit = Audit(database, clock)
