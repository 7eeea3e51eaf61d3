"""Logging: one JSON object per event, one per line, on standard error."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from enum import StrEnum

from runbook.host import lines

LOGGER = "runbook"
RECORD_LOGGER = "runbook.record"


class Alert(StrEnum):
    """Messages that monitoring of the Stage0 runbook system looks for in the log."""

    ACCESS = "RBAC failure"
    RATE_LIMIT = "Rate limit exceeded"
    TIMEOUT = "Script execution timed out"
    BAD_NAME = "Invalid environment variable name"


class JsonFormatter(logging.Formatter):
    """`time`, `level`, `event`, the event's own fields, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, tz=UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class LineHandler(logging.Handler):
    """Sends records to standard error without waiting for its reader; see host/lines.py."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a fault in a log line must not end what it reports
            self.handleError(record)
        else:
            lines.standard_error.write(line.encode("utf-8", "backslashreplace") + b"\n")

    def flush(self) -> None:
        """Called at the end of the process."""
        lines.standard_error.flush()


def configure(level: str = "INFO") -> None:
    """Send all log lines to standard error as JSON. Run records are written at every level."""
    handler = LineHandler()
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger(RECORD_LOGGER).setLevel(logging.INFO)
    # Its plugins announce themselves at INFO.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def event(name: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Log one event with its fields. Never pass a secret."""
    logging.getLogger(LOGGER).log(level, name, extra={"fields": fields})


def warning(name: str, **fields: object) -> None:
    event(name, level=logging.WARNING, **fields)


def alert(name: str, message: Alert, **fields: object) -> None:
    """Log one event with a message that monitoring looks for."""
    warning(name, message=message.value, **fields)


def failure(name: str, **fields: object) -> None:
    """Log an unexpected error with the traceback of the exception being handled."""
    logging.getLogger(LOGGER).exception(  # noqa: LOG004 - the caller handles one
        name, extra={"fields": fields}
    )


def record(fields: dict[str, object]) -> None:
    """Log the record of a run or refusal, regardless of LOGGING_LEVEL."""
    logging.getLogger(RECORD_LOGGER).info("run.record", extra={"fields": fields})
