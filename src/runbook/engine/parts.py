"""The components that an engine shares: storage, files, keys, clock. Built in `bootstrap`."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from runbook.core.document import Runbook
from runbook.core.language.parse import parse_stored
from runbook.engine.authorization import Authorizer
from runbook.engine.checked import CheckedRunbooks
from runbook.engine.connections.book import ConnectionBook
from runbook.engine.inventory.book import DeviceBook
from runbook.engine.options import EngineOptions, Observer
from runbook.engine.process.family import Families
from runbook.engine.record.artifacts import ArtifactStore
from runbook.engine.record.ending import Ending
from runbook.engine.record.history_entry import Records
from runbook.engine.sealing import Sealer
from runbook.engine.wakeups import Wakeups
from runbook.errors import InvalidRunbookError
from runbook.library.catalog import Catalog
from runbook.quick_dataclass import dataclass
from runbook.store.models import StoredDocument
from runbook.store.store import Store

CACHED_DOCUMENTS = 256


class StoredDocuments:
    """Parses stored documents: a run executes exactly the document that was authorized."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runbooks: OrderedDict[str, Runbook] = OrderedDict()

    def runbook(self, document: StoredDocument) -> Runbook:
        """Raises InvalidRunbookError if the stored bytes don't match the digest."""
        with self._lock:
            if document.digest in self._runbooks:
                self._runbooks.move_to_end(document.digest)
                return self._runbooks[document.digest]
        parsed = parse_stored(document.content)
        if parsed.runbook is None or parsed.digest != document.digest:
            raise InvalidRunbookError("The stored document is not the one that was authorized")
        with self._lock:
            self._runbooks[document.digest] = parsed.runbook
            if len(self._runbooks) > CACHED_DOCUMENTS:
                self._runbooks.popitem(last=False)
        return parsed.runbook


@dataclass(frozen=True, slots=True)
class Parts:
    """`clock` gives milliseconds since the epoch."""

    options: EngineOptions
    store: Store
    catalog: Catalog
    runbooks: CheckedRunbooks
    authorizer: Authorizer
    sealer: Sealer
    connections: ConnectionBook
    devices: DeviceBook
    wakeups: Wakeups
    families: Families
    records: Records
    ending: Ending
    observer: Observer
    documents: StoredDocuments
    artifacts: ArtifactStore
    clock: Callable[[], int]
