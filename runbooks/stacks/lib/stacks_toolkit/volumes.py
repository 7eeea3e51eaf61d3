"""Archives of a stack's volumes, and how they come back."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook.connectors.compose import Engine
from runbook.connectors.errors import ConnectorError, ErrorCode
from stacks_toolkit.given import Job
from stacks_toolkit.state import Change, State, write

MANIFEST, CONFIGURATION = "manifest.json", "compose.sealed"
CHUNK_BYTES = 1024 * 1024
PAUSE, STOP = "pause", "stop"


@dataclass(frozen=True)
class Saved:
    """An archive of one volume. `like` is what the engine says about the volume."""

    volume: str
    file: str
    sha256: str
    size: int
    entries: int
    like: Mapping[str, Any]


def save_all(job: Job, image: str, into: Path) -> list[Saved]:
    """All volumes of the stack that there are. The archive is whole once it has its manifest."""
    into.mkdir(parents=True, mode=0o700)
    saved = []
    for key, name in job.stack.volumes.items():
        like = job.engine.volume(name)
        if like is None:
            print(f"The volume {name} doesn't exist")
            continue
        saved.append(_save(job.engine, key, name, like, image, into))
    state = State(job.engine.name, job.stack.name)
    state.save_sealed(
        f"{into.relative_to(state.folder)}/{CONFIGURATION}", job.stack.resolved_text()
    )
    manifest = {"stack": job.stack.name, "image": image, "volumes": [asdict(it) for it in saved]}
    write(into / MANIFEST, json.dumps(manifest, indent=1).encode())
    return saved


def _save(
    engine: Engine, key: str, name: str, like: Mapping[str, Any], image: str, into: Path
) -> Saved:
    path = into / f"{key}.tar"
    path.touch(mode=0o600)
    with path.open("wb") as file:
        engine.save_volume(name, image, file)
    saved = Saved(name, path.name, _digest(path), path.stat().st_size, _entries(path), like)
    print(f"Saved the volume {name}: {saved.entries} entries, {saved.size} bytes", flush=True)
    return saved


def checked(folder: Path) -> tuple[str, list[Saved]]:
    """The image for helper containers, and the archives, which are what they were when saved.

    Raises ConnectorError.
    """
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        saved = [Saved(**one) for one in found["volumes"]]
        damaged = [it.file for it in saved if _digest(folder / it.file) != it.sha256]
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = f"The backup {folder.name} is incomplete: {error}"
        raise ConnectorError(text, ErrorCode.TRUNCATED, nothing_changed=True) from None
    if damaged:
        text = f"The backup {folder.name} is damaged: {', '.join(damaged)}"
        raise ConnectorError(text, ErrorCode.TRUNCATED, nothing_changed=True)
    return str(found["image"]), saved


def replace_all(job: Job, folder: Path) -> None:
    """Remove the containers, and make the volumes anew from their archives."""
    image, saved = checked(folder)
    job.stack.remove_containers()
    for one in saved:
        job.engine.remove_volume(one.volume)
        job.engine.create_volume(one.volume, one.like)
        if not job.dry_run:
            with (folder / one.file).open("rb") as archive:
                job.engine.load_volume(one.volume, image, archive)
        print(f"Restored the volume {one.volume}: {one.entries} entries", flush=True)


def remove_helpers(job: Job) -> None:
    """What a killed backup has left on the engine."""
    for name in job.stack.volumes.values():
        job.engine.remove_helpers(name)


def hold(job: Job, how: str) -> None:
    """So that nothing writes to the volumes."""
    if how == PAUSE:
        job.stack.pause()
    elif how == STOP:
        job.stack.stop()


def resume(job: Job, change: Change) -> None:
    """What was held goes on. Also if it goes on already."""
    states = {one.state for one in job.stack.containers()}
    if change.stopped == PAUSE and ("paused" in states or job.dry_run):
        job.stack.unpause()
    elif change.stopped == STOP:
        job.stack.start()


def kept(folder: Path) -> list[Path]:
    """The whole archives, the latest first."""
    return sorted((path.parent for path in folder.glob(f"*/{MANIFEST}")), reverse=True)


def prune(folder: Path, keep: int) -> None:
    for old in kept(folder)[keep:]:
        shutil.rmtree(old)
        print(f"Removed the backup {old.name}")


def image_of(job: Job) -> str:
    """Of any container of the stack: helper containers need one, though it is never executed."""
    for one in job.stack.containers():
        return one.image_id
    for service in job.stack.services.values():
        if service.image and (found := job.engine.image_id(service.image)):
            return found
    text = f"The engine has no image of {job.stack.name}: roll it out first"
    raise ConnectorError(text, ErrorCode.NOT_FOUND, nothing_changed=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entries(path: Path) -> int:
    """Reads the archive to its end, which proves that it can be read."""
    with tarfile.open(path, bufsize=CHUNK_BYTES) as archive:
        return sum(1 for _ in archive)
