"""What tests of histories share."""

from runbook.core.history.entry import EntryRecord, sha256
from runbook.core.run import Origin
from runbook.core.status import RunStatus

RECORD = EntryRecord(
    run_id="run-1",
    status=RunStatus.SUCCEEDED,
    return_code=0,
    at=1769178782123,
    who="ada",
    origin=Origin.API,
    document=sha256(b"document"),
)
