"""Backups of an installation: one archive with the database, keys, artifacts and runbooks.

A manifest in it has the digest of each file, so that restoring can tell whether it is whole.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, field
from pathlib import Path
from tempfile import TemporaryDirectory

from runbook.core import return_codes
from runbook.core.document import Problem
from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.run import Run
from runbook.core.status import RunStatus
from runbook.core.times import Millis, iso
from runbook.engine.record.ending import done_data
from runbook.engine.regular_files import regular_files
from runbook.errors import BackupError, ConflictError, StoreNewerError
from runbook.quick_dataclass import dataclass
from runbook.store.dialects.sqlite import url_for
from runbook.store.migrations import HEAD
from runbook.store.models import NewEvent
from runbook.store.store import Store

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "runbook.db"
KEYS = "keys"
ARTIFACTS = "artifacts"
RUNBOOKS = "runbooks"
_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BackedUp:
    """One file of a backup."""

    size: int
    sha256: str


@dataclass(slots=True)
class Manifest:
    """What a backup holds. `missing` are artifacts that weren't in DATA_DIR when it was made."""

    program: str
    made_at: str
    database: str
    schema: str = HEAD
    format: int = FORMAT
    files: dict[str, BackedUp] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def of_json(cls, text: str) -> Manifest:
        """Raises BackupError."""
        try:
            given = json.loads(text)
            files = {name: BackedUp(**item) for name, item in given.pop("files").items()}
            manifest = cls(**given, files=files)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise BackupError(f"The backup's manifest can't be read: {error}.") from None
        if manifest.format != FORMAT:
            raise BackupError("The backup was made by a newer version of this program.")
        if manifest.schema > HEAD:
            text = f"The backup has a database of version {manifest.schema}; this program: {HEAD}."
            raise StoreNewerError(text)
        return manifest


@dataclass(frozen=True, slots=True)
class Folders:
    """Where an installation keeps its files; without `runbooks`, they aren't part of it."""

    data: Path
    runbooks: Path | None = None


def back_up(store: Store, folders: Folders, target: Path, program: str, at: Millis) -> Manifest:
    """Write a backup to a new file, readable only by its owner. Runs continue meanwhile.

    The database comes first, as of one moment: all that it refers to exists by then, and nothing
    that comes later is needed. The inputs of runs that haven't ended are left out. Raises
    ConflictError if the file exists, BackupError, and what the store raises.
    """
    manifest = Manifest(program, iso(at), store.maintenance.kind)
    try:
        with (
            _reserved(target),
            TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch,
        ):
            partial = Path(scratch) / target.name
            mode = "w:gz" if target.name.endswith("gz") else "w"
            with (
                os.fdopen(os.open(partial, os.O_CREAT | os.O_RDWR, 0o600), "w+b") as file,
                tarfile.open(fileobj=file, mode=mode) as archive,  # type: ignore[call-overload]
            ):
                _Writer(archive, manifest).write(store, folders, Path(scratch))
            partial.replace(target)
    except FileExistsError:
        raise ConflictError("The backup's file exists; choose another name.") from None
    except OSError as error:
        raise BackupError(f"The backup can't be written: {error.strerror}.") from error
    return manifest


@contextmanager
def _reserved(target: Path) -> Iterator[None]:
    """Make the file at once, so that no other backup takes its name. Raises FileExistsError."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield
    except BaseException:
        target.unlink(missing_ok=True)
        raise


class _Writer:
    def __init__(self, archive: tarfile.TarFile, manifest: Manifest) -> None:
        self._archive = archive
        self._manifest = manifest

    def write(self, store: Store, folders: Folders, scratch: Path) -> None:
        snapshot = scratch / DATABASE
        store.maintenance.backup(snapshot)
        with closing(Store(url_for(snapshot))) as copy:
            copy.maintenance.forget_inputs()
            artifacts = [f"{run_id}/{item.name}" for run_id, item in copy.artifacts.all()]
        self._add(snapshot, DATABASE)
        for path in regular_files(folders.data / KEYS):
            self._add(path, f"{KEYS}/{path.relative_to(folders.data / KEYS).as_posix()}")
        for name in artifacts:
            self._add(folders.data / ARTIFACTS / name, f"{ARTIFACTS}/{name}", may_miss=True)
        if folders.runbooks is not None:
            for path in regular_files(folders.runbooks):
                name = path.relative_to(folders.runbooks).as_posix()
                self._add(path, f"{RUNBOOKS}/{name}", may_miss=True)
        text = self._manifest.as_json().encode()
        self._put(MANIFEST, io.BytesIO(text), len(text))

    def _add(self, path: Path, name: str, *, may_miss: bool = False) -> None:
        """Add a file as it is now, even if it grows meanwhile."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            if not may_miss:
                raise
            self._manifest.missing.append(name)
            return
        with file:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.sha256()
            self._put(name, _Counted(file, digest), size)
            self._manifest.files[name] = BackedUp(size, digest.hexdigest())

    def _put(self, name: str, content: io.BytesIO | _Counted, size: int) -> None:
        info = tarfile.TarInfo(name)
        info.mode = 0o600
        info.size = size
        self._archive.addfile(info, content)


class _Counted:
    """A file whose content is digested as it is read."""

    def __init__(self, file: io.BufferedReader, digest: hashlib._Hash) -> None:
        self._file = file
        self._digest = digest

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        return data


def unpack(archive: Path, folder: Path) -> Manifest:
    """Unpack a backup and verify each file. Raises BackupError and StoreNewerError."""
    try:
        with tarfile.open(archive) as opened:
            _extract(opened, folder)
        manifest = Manifest.of_json((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        what = "file" if error.filename == str(archive) else "manifest in this file"
        raise BackupError(f"There is no such {what}: it is not a whole backup.") from None
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise BackupError(f"The backup can't be read: {error}.") from None
    for name, wanted in manifest.files.items():
        _verify(folder / name, name, wanted)
    return manifest


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Only files, and only below the folder. Python has filters for that since 3.11.4 only."""
    top = folder.resolve()
    for member in archive:
        if member.isdir():  # made for its files
            continue
        path = (top / member.name).resolve()
        source = archive.extractfile(member) if member.isfile() else None
        if source is None or not path.is_relative_to(top):
            raise tarfile.TarError(f"{member.name} doesn't belong to a backup")
        path.parent.mkdir(parents=True, exist_ok=True)
        with source, path.open("xb") as file:
            path.chmod(0o600)
            shutil.copyfileobj(source, file)


def _verify(path: Path, name: str, wanted: BackedUp) -> None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while data := file.read(_READ_BYTES):
                digest.update(data)
    except OSError:
        raise BackupError(f"The backup lacks {name}.") from None
    if digest.hexdigest() != wanted.sha256:
        raise BackupError(f"The backup is damaged: {name} differs from what was backed up.")


@dataclass(frozen=True, slots=True)
class Revived:
    """`ended` are the runs that hadn't ended; `audit_ok` is whether the audit trail verifies."""

    runs: int
    ended: int
    audit_ok: bool


def revive(folder: Path, at: Millis) -> Revived:
    """Make an unpacked database ready for use: migrate it, check it, and end the active runs.

    What those runs did after the backup isn't known, so none of them is executed. Raises what the
    store raises.
    """
    with closing(Store(url_for(folder / DATABASE))) as store:
        store.maintenance.migrate()
        store.maintenance.check_integrity()
        active = store.runs.active()
        for run in active:
            _end(store, run, at)
        for worker in store.workers.all():
            store.workers.remove(worker.id)
        return Revived(store.runs.count(), len(active), store.audit.verify().ok)


def _end(store: Store, run: Run, at: Millis) -> None:
    text = "The run hadn't ended when the backup was made; what it did afterwards isn't known"
    problem = Problem("restored", text)
    outcome = Outcome(RunStatus.LOST, return_codes.UNKNOWN, errors=(problem,))
    done = NewEvent(at, EventType.DONE, data=done_data(run, outcome))
    with suppress(ConflictError):  # a damaged one, which the first worker sets aside
        store.runs.finish(run.id, outcome, [done], durable=False)
