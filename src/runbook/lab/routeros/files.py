"""The files of the router, which `/file`, SFTP, exports and backups share."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.lab.routeros.clock import write_moment
from runbook.lab.routeros.device import Device
from runbook.lab.routeros.errors import Category, RouterError, failure, no_such_item
from runbook.lab.routeros.state import File, Row

SHOWN_BYTES = 60_000
"""`contents` isn't there for larger files. It was 4 KiB before 7."""
TYPES = {"rsc": "script", "backup": "backup", "npk": "package", "txt": ".txt file"}


def write(router: Device, name: str, content: bytes) -> None:
    moment = write_moment(router.clock.now(), iso=router.release.has_iso_dates)
    router.state.files[name] = File(content, moment, _type(name))
    router.file_id(name)
    router.keep()


def get(router: Device, name: str) -> File:
    found = router.state.files.get(name.removeprefix("/"))
    if found is None:
        raise no_such_item()
    return found


def rows(router: Device) -> list[Row]:
    return [_row(router, name, one) for name, one in sorted(router.state.files.items())]


def add(router: Device, given: Mapping[str, str]) -> str:
    if not router.release.creates_files:
        raise RouterError("no such command", Category.MISSING)
    name = given.get("name")
    if not name:
        raise RouterError("missing =name=", Category.MISSING)
    if name in router.state.files:
        raise failure("file with the same name already exists")
    if given.get("type") == "directory":
        router.state.files[name] = File(b"", "", "directory")
    else:
        write(router, name, given.get("contents", "").encode())
    return router.file_id(name)


def change(router: Device, which: list[str], given: Mapping[str, str]) -> None:
    for one in which:
        name = _name(router, one)
        if "contents" in given:
            write(router, name, given["contents"].encode())
        if "name" in given:
            router.state.files[given["name"]] = router.state.files.pop(name)


def remove(router: Device, which: list[str]) -> None:
    for one in which:
        del router.state.files[_name(router, one)]
    router.keep()


def _name(router: Device, which: str) -> str:
    for name in router.state.files:
        if which in {name, router.file_id(name)}:
            return name
    raise no_such_item()


def _row(router: Device, name: str, one: File) -> Row:
    row = {".id": router.file_id(name), "name": name, "type": one.type}
    if one.type == "directory":
        return row
    row["size"] = str(len(one.content))
    row["creation-time" if router.release.is_6 else "last-modified"] = one.modified
    limit = 4096 if router.release.is_6 else SHOWN_BYTES
    if one.type in {"script", ".txt file"} and len(one.content) <= limit:
        row["contents"] = one.content.decode("utf-8", "replace")
    return row


def _type(name: str) -> str:
    ending = name.rpartition(".")[2]
    return TYPES.get(ending, f".{ending} file" if "." in name else "file")
