"""The configuration of a router: export, compare, validate, import, back up, replace."""

from __future__ import annotations

import difflib
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros import rsc
from runbook.connectors.routeros.errors import line_of

if TYPE_CHECKING:
    from runbook.connectors.routeros.device import Device

IMPORTED = "loaded and executed successfully"
READ_BYTES = 32_768
MOST_BYTES = 64 * 1024 * 1024
READ_TRIES = 10
READ_PAUSE_S = 0.2
IMPORT_S = 120.0
_NOT_YET = frozenset({ErrorCode.NOT_FOUND, ErrorCode.DEVICE_ERROR, ErrorCode.INVALID})


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a script. `line` counts from 1; None if the router doesn't name it."""

    code: str
    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Validation:
    """`by_router`: the router has gone through the script; else only our own parser has."""

    findings: tuple[Finding, ...]
    by_router: bool

    @property
    def ok(self) -> bool:
        return not self.findings


def export(router: Device, *, show_sensitive: bool, verbose: bool) -> str:
    """The configuration as a script, with LF at the ends of lines.

    From 7.13 on, through a file and the API; before, and in a dry run, by SSH. Raises `truncated`
    if a part is missing.
    """
    options = [*(["verbose"] if verbose else []), *_sensitive(router, show=show_sensitive)]
    if router.dry_run or not router.version.at_least(7, 13):
        text = router.console(" ".join(["/export", *options]), reads=True)
    else:
        text = _exported(router, options)
    for problem in rsc.parse(text).problems:
        said = f"{router.address}: the export is incomplete: {problem.message}"
        raise ConnectorError(said, ErrorCode.TRUNCATED)
    return text.replace("\r\n", "\n")


def _sensitive(router: Device, *, show: bool) -> list[str]:
    """7 leaves out secrets unless it is told otherwise, 6 writes them unless it is told not to."""
    if router.version.at_least(7, 0):
        return ["show-sensitive"] if show else []
    return [] if show else ["hide-sensitive"]


def _exported(router: Device, options: list[str]) -> str:
    # A name of its own: another run may export at the same time.
    name = f"runbook-{secrets.token_hex(6)}"
    router.call("/export", {"file": name, **dict.fromkeys(options, "")})
    try:
        return _read(router, f"{name}.rsc").decode("utf-8", "replace")
    finally:
        with suppress(ConnectorError):
            router.remove_file(f"{name}.rsc")


def _read(router: Device, name: str) -> bytes:
    """The content of a file, in pieces; it is checked that it has its size."""
    content, size = b"", _size(router, name)
    if size > MOST_BYTES:
        text = f"{router.address}: {name} has {size} bytes, more than {MOST_BYTES}"
        raise ConnectorError(text, ErrorCode.TRUNCATED)
    while len(content) < size:
        piece = _piece(router, name, len(content))
        if not piece:
            break
        content += piece
    if len(content) != _size(router, name):
        text = f"{router.address}: {name} ended after {len(content)} of {size} bytes"
        raise ConnectorError(text, ErrorCode.TRUNCATED)
    return content


def _size(router: Device, name: str) -> int:
    size = _listed(router, name)
    if size is None:
        raise ConnectorError(f"{router.address}: the export left no file", ErrorCode.TRUNCATED)
    return size


def has_file(router: Device, name: str) -> bool:
    return _listed(router, name) is not None


def _listed(router: Device, name: str) -> int | None:
    """The size of a file. One that was just written may not be listed yet."""
    for attempt in range(READ_TRIES):
        if attempt:
            time.sleep(READ_PAUSE_S)
        rows = router.print("/file", where={"name": name}, properties=("size",))
        if rows and rows[0].get("size"):
            return int(rows[0]["size"])
    return None


def _piece(router: Device, name: str, offset: int) -> bytes:
    given = {"file": name, "offset": offset, "chunk-size": READ_BYTES}
    for attempt in range(1, READ_TRIES + 1):
        try:
            rows = router.read_raw("/file/read", given)
        except ConnectorError as error:
            if attempt == READ_TRIES or error.code not in _NOT_YET:
                raise
            time.sleep(READ_PAUSE_S)
        else:
            text = rows[0].get("data", "") if rows else ""
            return text.encode("utf-8", "surrogateescape")
    raise AssertionError


def compare(running: str, candidate: str) -> str:
    """Without what changes by itself: see rsc.normalized."""
    before, after = (rsc.normalized(text).splitlines() for text in (running, candidate))
    return "\n".join(difflib.unified_diff(before, after, "running", "candidate", lineterm=""))


def validate(router: Device, script: str) -> Validation:
    """Our own parser, and from 7.16 on the router's import as a dry run, by SSH.

    It goes on whatever the state: an item that is there already shows only when it is applied.
    """
    parsed = rsc.parse(script)
    own = tuple(Finding(it.code.value, it.line, it.message) for it in parsed.problems)
    if own or not router.version.at_least(7, 16):
        return Validation(own, by_router=False)
    try:
        with _uploaded(router, script, temporary=True) as name:
            command = f"/import file-name={name} verbose=yes dry-run"
            router.console(command, reads=True, timeout=IMPORT_S)
    except ConnectorError as error:
        if error.code not in (ErrorCode.INVALID, ErrorCode.DEVICE_ERROR, ErrorCode.NOT_FOUND):
            raise
        found = Finding(error.code.value, line_of(error.message), error.message)
        return Validation((found,), by_router=True)
    return Validation((), by_router=True)


def apply(router: Device, script: str, *, timeout: float | None) -> str:
    with _uploaded(router, script) as name:
        said = router.console(
            f"/import file-name={name}", timeout=IMPORT_S if timeout is None else timeout
        )
    if not router.dry_run and IMPORTED not in said:
        text = f"{router.address}: the import doesn't say that it succeeded: {said.strip()[-300:]}"
        raise ConnectorError(text, ErrorCode.DEVICE_ERROR)
    return said


@contextmanager
def _uploaded(router: Device, script: str, *, temporary: bool = False) -> Iterator[str]:
    """The script as a file on the router, which is removed in the end if it can still be reached.

    `temporary`: see Session.put.
    """
    name = f"runbook-{secrets.token_hex(6)}.rsc"
    router.session.put(name, script.encode(), temporary=temporary)
    try:
        yield name
    finally:
        with suppress(ConnectorError):
            router.session.remove(name, temporary=temporary)


def backup(router: Device, name: str, *, password: str) -> str:
    """In the folder flash if there is one: elsewhere, such a router forgets files at a restart."""
    place = persistent(router, name)
    # The API takes no empty password for none.
    way = {"password": password} if password else {"dont-encrypt": "yes"}
    router.call("/system/backup/save", {"name": place, **way})
    return f"{place}.backup"


def persistent(router: Device, name: str) -> str:
    rows = router.print("/file", where={"name": "flash"}, properties=("type",))
    has_flash = any(row.get("type") in ("directory", "disk") for row in rows)
    return f"flash/{name}" if has_flash else name


def replace(router: Device, script: str, *, keep_users: bool) -> None:
    """The connection breaks, as the router restarts without any configuration, then imports.

    Nothing reverts this: the script must make the router reachable. The file stays on the router.
    """
    name = persistent(router, f"runbook-replace-{secrets.token_hex(4)}.rsc")
    router.put(name, script.encode())
    given = {"run-after-reset": name, "no-defaults": "yes", "skip-backup": "yes"}
    try:
        router.call(
            "/system/reset-configuration",
            {**given, **({"keep-users": "yes"} if keep_users else {})},
        )
    except ConnectorError as error:
        # It may restart before it answers.
        if error.code not in (ErrorCode.UNREACHABLE, ErrorCode.TRUNCATED, ErrorCode.TIMEOUT):
            raise
