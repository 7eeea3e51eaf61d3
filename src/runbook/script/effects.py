"""The script's side of the journal of effects.

It says what it is about to change, and waits until the engine has that on disk. It asks the engine
for the host keys of SSH servers the same way.

Imports only the standard library. `runbook.connectors.effects` is what scripts use.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import select
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runbook.errors import RunbookError
from runbook.script.commands import NotInRunError
from runbook.script.limits import EARLIER_EFFECTS, EFFECT_KEY, LINE_BYTES, EffectState

ANSWER_SECONDS = 60.0
REPLY_BYTES = 4096


class NotRecordedError(RunbookError):
    """The engine couldn't record the change, so it was not made."""

    code = "effect_not_recorded"
    exit_code = 74


def intend(pipe: str, key: str, what: str, probe: Mapping[str, Any]) -> str:
    """Record a change before it is made. Returns its ID.

    Raises NotRecordedError, NotInRunError, and ValueError for an invalid key, or for a probe that
    is too long or not JSON.
    """
    if not EFFECT_KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not a valid key. Use letters, digits and . _ : / -")
    return str(_ask(pipe, {"op": "intend", "key": key, "what": what, "probe": dict(probe)})["id"])


def settle(pipe: str, effect_id: str, state: EffectState, outcome: Mapping[str, Any]) -> None:
    """Record how a change ended. Raises what `intend` raises."""
    said = {"op": "settle", "id": effect_id, "state": state.value, "outcome": dict(outcome)}
    _ask(pipe, said)


def expected_host_key(pipe: str, host: str, port: int, key: str | None = None) -> str | None:
    """The host key to expect of an SSH server, as `TYPE BASE64`; None if it hasn't been met.

    With `key`, the key that it shows: the first one that is met is the one to expect from then on.
    Raises what `intend` raises.
    """
    said = {"op": "host_key", "host": host, "port": port, "key": key}
    found = _ask(pipe, said)["key"]
    return None if found is None else str(found)


def earlier(pipe: str) -> list[dict[str, Any]]:
    """The changes that may be in place from earlier attempts, latest first."""
    try:
        text = Path(pipe).with_name(EARLIER_EFFECTS).read_text("utf-8")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.splitlines()]


def _ask(pipe: str, said: Mapping[str, Any]) -> dict[str, Any]:
    name = secrets.token_hex(16)
    line = json.dumps({**said, "reply": name}).encode() + b"\n"
    if len(line) > LINE_BYTES:
        raise ValueError(f"a change has at most {LINE_BYTES} bytes of data, not {len(line)}")
    with _reply_pipe(Path(pipe).with_name(f"reply-{name}")) as reply:
        _send(pipe, line)
        answer = _answer(reply)
    if "error" in answer:
        raise NotRecordedError(str(answer["error"]))
    return answer


@contextmanager
def _reply_pipe(path: Path) -> Iterator[int]:
    os.mkfifo(path, 0o600)
    try:
        # Also open for writing, so that the engine finds a reader and we never see an end.
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    finally:
        path.unlink(missing_ok=True)


def _send(pipe: str, line: bytes) -> None:
    try:
        descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):
            raise NotInRunError("The engine of this run doesn't listen any more") from None
        raise
    try:
        os.set_blocking(descriptor, True)
        os.write(descriptor, line)  # in one piece: it is no longer than an atomic write
    finally:
        os.close(descriptor)


def _answer(reply: int) -> dict[str, Any]:
    data = b""
    while not data.endswith(b"\n"):
        poll = select.poll()
        poll.register(reply, select.POLLIN)
        if not poll.poll(ANSWER_SECONDS * 1000):
            raise NotRecordedError("The engine doesn't answer, so the change was not made.")
        data += os.read(reply, REPLY_BYTES)
    answer: dict[str, Any] = json.loads(data)
    return answer
