"""Every error the engine raises on purpose.

An error has a stable `code` (part of the API), an HTTP status, an exit code, and a message that
says what is wrong and what to do. The class docstring is the default message. `api/wire.py` and
`cli` turn errors into responses and exit codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class RunbookError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str | None = None, **details: object) -> None:
        self.message = message or type(self).__doc__ or self.code
        self.details = details
        super().__init__(self.message)

    @property
    def params(self) -> dict[str, str | int | float | bool | None]:
        """The details that can be stored with a run's problem: plain values only."""
        known = (str, int, float, bool)
        return {k: v for k, v in self.details.items() if v is None or isinstance(v, known)}


class ConfigurationError(RunbookError):
    """The configuration is invalid."""

    code = "bad_configuration"
    exit_code = 78


class RequestError(RunbookError):
    """The request is malformed."""

    code = "bad_request"
    http_status = 400
    exit_code = 2


class UnsupportedMediaTypeError(RunbookError):
    """The body must be JSON. Send Content-Type: application/json."""

    code = "unsupported_media_type"
    http_status = 415
    exit_code = 2


class RequestTimeoutError(RunbookError):
    """The request's body didn't arrive in time."""

    code = "request_timeout"
    http_status = 408
    exit_code = 75


class AuthenticationError(RunbookError):
    """A bearer token is required. Send it as Authorization: Bearer <token>."""

    code = "invalid_token"
    http_status = 401
    exit_code = 77


class IdentityProviderUnavailableError(RunbookError):
    """Couldn't fetch the identity provider's keys. Try again."""

    code = "identity_provider_unavailable"
    http_status = 503
    exit_code = 69


class AccessDeniedError(RunbookError):
    """A permission or a claim is missing; see `missing`."""

    code = "access_denied"
    http_status = 403
    exit_code = 77


class NotFoundError(RunbookError):
    """Not found."""

    code = "not_found"
    http_status = 404
    exit_code = 66


class InvalidRunbookError(RunbookError):
    """The runbook is invalid."""

    code = "invalid_runbook"
    http_status = 400
    exit_code = 65


class ConflictError(RunbookError):
    """The current state doesn't allow this action."""

    code = "conflict"
    http_status = 409
    exit_code = 75


class RunEndedError(ConflictError):
    """The run has already finished."""


class NotOwnerError(ConflictError):
    """The run belongs to another worker."""


class ActiveRunsError(ConflictError):
    """Some runs have not ended."""


class DuplicateError(RunbookError):
    """The database already has this row."""

    code = "duplicate"
    http_status = 409
    exit_code = 75


class DocumentChangedError(RunbookError):
    """The runbook has changed since you read it or ran it; see `diff` for the changes."""

    code = "document_changed"
    http_status = 409
    exit_code = 75


class IdempotencyKeyReusedError(RunbookError):
    """This Idempotency-Key was used with a different request. Use a new key."""

    code = "idempotency_key_reused"
    http_status = 422
    exit_code = 2


class QueueFullError(RunbookError):
    """The queue is full. Try again later."""

    code = "queue_full"
    http_status = 503
    exit_code = 75


class StoreBusyError(RunbookError):
    """The database is locked by another process. Try again."""

    code = "store_busy"
    http_status = 503
    exit_code = 75


class StoreUnavailableError(RunbookError):
    """The database is unavailable."""

    code = "store_unavailable"
    http_status = 503
    exit_code = 69


class StoreDamagedError(StoreUnavailableError):
    """The database is damaged: restore it from a backup."""

    code = "store_damaged"


class StoreNewerError(StoreUnavailableError):
    """A newer version of this program made the database: upgrade the program."""

    code = "store_newer"
    exit_code = 78


class StoreEncodingError(StoreUnavailableError):
    """The database must have the encoding UTF8."""

    code = "store_encoding"
    exit_code = 78


class DamagedRecordError(RunbookError):
    """A record in the database is damaged."""

    code = "record_damaged"
    exit_code = 74


class AlreadyRerunError(ConflictError):
    """Another run has resumed or undone this run, or is doing so."""


class BackupError(RunbookError):
    """The backup can't be made or restored."""

    code = "backup_failed"
    exit_code = 74


class CopyDiffersError(RunbookError):
    """The copy of the database differs from the original, and was undone."""

    code = "copy_differs"


class ServerUnavailableError(RunbookError):
    """Couldn't reach the server."""

    code = "server_unavailable"
    http_status = 503
    exit_code = 69


class SourceConflictError(RunbookError):
    """Two sources of runbooks use the same names."""

    code = "source_conflict"
    http_status = 409
    exit_code = 78


class ToolkitRefusedError(RunbookError):
    """The toolkit can't be installed; see `reason`."""

    code = "toolkit_refused"
    http_status = 422
    exit_code = 65


class InvalidConnectionError(RunbookError):
    """The connection is invalid; see `errors`."""

    code = "invalid_connection"
    http_status = 422
    exit_code = 65


class InvalidDeviceError(RunbookError):
    """Something is wrong with a device, or with a table of devices; see `errors`."""

    code = "invalid_device"
    http_status = 422
    exit_code = 65


class CatalogueError(RunbookError):
    """The catalogue of toolkits, or an archive in it, can't be read."""

    code = "catalogue_unavailable"
    http_status = 503
    exit_code = 69


class HistoryError(RunbookError):
    """Couldn't write the history entry."""

    code = "history_not_written"
    exit_code = 74


class HistoryReadOnlyError(HistoryError):
    """The runbook's file or file system is read-only."""

    code = "history_read_only"


_BY_STATUS: Mapping[int, type[RunbookError]] = {
    400: RequestError,
    401: AuthenticationError,
    403: AccessDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: RequestError,
    422: RequestError,
    429: QueueFullError,
    503: QueueFullError,
}


def errors_by_code(base: type[RunbookError] = RunbookError) -> dict[str, type[RunbookError]]:
    """The errors that don't share the code of their base class."""
    found = {base.code: base} if "code" in vars(base) else {}
    for kind in base.__subclasses__():
        found |= errors_by_code(kind)
    return found


def error_named(code: object, http_status: int, text: str, **details: object) -> RunbookError:
    """The error that another process returned, by its code or else by its HTTP status."""
    named = None if code == RunbookError.code else errors_by_code().get(str(code))
    kind = named or _BY_STATUS.get(http_status)
    if kind is None:
        kind = ServerUnavailableError if http_status >= 500 else RequestError
    return kind(text, **details)
