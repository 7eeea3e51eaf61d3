"""Server-sent events (WHATWG HTML, 9.2.6): a parser, and how long those who read them wait."""

from __future__ import annotations

from collections.abc import Iterator

from runbook.errors import ServerUnavailableError
from runbook.quick_dataclass import dataclass

MAX_EVENT_BYTES = 16 * 1024 * 1024
ANSWER_SECONDS = 30.0
SILENCE_SECONDS = 45.0
"""How long a stream may be silent: the server sends a comment at least every 15 s."""
RETRY_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
"""How long to retry an unreachable server that responded before."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event."""

    id: str
    type: str
    data: str


class EventParser:
    """Parses server-sent events from chunks of any size."""

    def __init__(self) -> None:
        self._buffer = b""
        self._last_id = ""
        self._type = ""
        self._data: list[str] = []

    def feed(self, data: bytes) -> Iterator[ServerEvent]:
        """Events completed by these bytes. Raises ServerUnavailableError if one is too large."""
        self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        if len(self._buffer) > MAX_EVENT_BYTES:
            raise ServerUnavailableError("The server sent an invalid event stream.")
        for line in lines:
            event = self._line(line.removesuffix(b"\r").decode(errors="replace"))
            if event is not None:
                yield event

    def _line(self, line: str) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id":
            self._last_id = value
        return None

    def _dispatch(self) -> ServerEvent | None:
        data, self._data = self._data, []
        type_, self._type = self._type, ""
        return ServerEvent(self._last_id, type_ or "message", "\n".join(data)) if data else None
