"""The configurations of devices, as commits with their source."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from runbook.connectors.backups.git import BRANCH, Git, GitError
from runbook.connectors.backups.sealing import DamagedError, Sealer, stored_key

EXPORT, BINARY, FACTS = "export.rsc", "backup.bin", "device.json"
DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SHORTEST_COMMIT = 7
_COMMIT = re.compile(rf"[0-9a-f]{{{_SHORTEST_COMMIT},40}}")
_FIELDS = "%H%x1f%ct%x1f%s%x1f%(trailers:unfold=true,separator=%x1d)%x1e"


class Origin(StrEnum):
    """Why a configuration is another one than before."""

    FIRST = "first"
    """It is the first one that was stored."""
    SEEN = "seen"
    """It was found changed: somebody changed the device outside of this engine."""
    RUN = "run"
    """The run itself has changed the device."""


@dataclass(frozen=True, slots=True)
class Source:
    """Which run saved it. `step` is the name of the run's step."""

    run_id: str = ""
    runbook: str = ""
    step: str = ""
    requested_by: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A configuration without secrets, already normalized. `facts` are short texts.

    `fingerprint` differs if the configuration differs in a secret only: see
    `BackupStore.fingerprint`.
    """

    device: str
    export: str
    facts: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Saved:
    """The commit that has the configuration, and whether it was made for it."""

    commit: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Version:
    """A stored configuration of a device."""

    commit: str
    at: datetime
    subject: str
    device: str
    origin: Origin
    source: Source


class BackupStore:
    """`folder` has the repository. Methods raise GitError."""

    def __init__(self, folder: Path, key: Path) -> None:
        self.git = Git(folder)
        self._key = key

    @property
    def sealer(self) -> Sealer:
        return Sealer(stored_key(self._key))

    def fingerprint(self, text: str) -> str:
        """Tells configurations with secrets apart; it can't be guessed without the key."""
        return self.sealer.fingerprint(text)

    # -- writing ---------------------------------------------------------------------------------

    def save(
        self,
        snapshot: Snapshot,
        origin: Origin,
        source: Source,
        *,
        binary: Callable[[], bytes] | None = None,
    ) -> Saved:
        """Commit it, unless it is what is stored. `binary` is called only if it is committed.

        The first configuration of a device always has the origin `first`.
        """
        _check(snapshot.device)
        known = self._same(snapshot)
        if known is not None:
            return Saved(known, is_new=False)
        content = binary() if binary else None
        facts = {
            **snapshot.facts,
            "fingerprint": snapshot.fingerprint,
            "export_sha256": _digest(snapshot.export.encode()),
            "backup_sha256": _digest(content) if content is not None else "",
        }
        device = snapshot.device
        files = {
            f"{device}/{EXPORT}": snapshot.export.encode(),
            f"{device}/{FACTS}": (json.dumps(facts, indent=1, sort_keys=True) + "\n").encode(),
        }
        files[f"{device}/{BINARY}"] = b"" if content is None else self.sealer.seal(content, device)
        with self.git.writing():
            known = self._same(snapshot)
            if known is not None:
                return Saved(known, is_new=False)
            first = self.latest(device) is None
            message = _message(device, Origin.FIRST if first else origin, source)
            commit = self.git.commit(files, message)
            self.git.tidy()
        return Saved(commit, is_new=True)

    def _same(self, snapshot: Snapshot) -> str | None:
        """The latest commit of the device, if it has this configuration."""
        latest = self.latest(snapshot.device)
        if latest is None:
            return None
        known = self._facts(snapshot.device, latest)
        wanted = {**snapshot.facts, "fingerprint": snapshot.fingerprint}
        same = all(known.get(name) == value for name, value in wanted.items())
        stored = self.git.read(latest, f"{snapshot.device}/{EXPORT}")
        return latest if same and stored == snapshot.export.encode() else None

    # -- reading ---------------------------------------------------------------------------------

    def devices(self) -> list[str]:
        """The names of those that have a backup."""
        head = self.git.head()
        if head is None:
            return []
        return self.git.text("ls-tree", "--name-only", "-d", head).splitlines()

    def latest(self, device: str) -> str | None:
        """The commit of its latest configuration."""
        return next((one.commit for one in self.history(device, limit=1)), None)

    def history(self, device: str, limit: int = 1000, until: str = BRANCH) -> list[Version]:
        """The latest first; of those up to a commit, if it is given."""
        _check(device)
        if self.git.head() is None:
            return []
        arguments = ("log", f"--format={_FIELDS}", f"--max-count={limit}", until, "--", device)
        return list(_versions(self.git.text(*arguments)))

    def version(self, device: str, commit: str) -> Version:
        """The one with this commit, or its beginning. Raises DamagedError if there is none."""
        found = self.find(device, commit)
        if found is None:
            raise DamagedError(f"{device} has no backup {commit}")
        return found

    def find(self, device: str, commit: str) -> Version | None:
        """The one with this commit, or its beginning."""
        if not _COMMIT.fullmatch(commit):
            return None
        all_of_it = self.history(device, limit=100_000)
        return next((one for one in all_of_it if one.commit.startswith(commit)), None)

    def export(self, device: str, commit: str | None = None) -> str:
        """Raises DamagedError if there is none, or if it isn't what was stored."""
        content = self._content(device, commit, EXPORT)
        facts = self._facts(device, commit)
        if facts.get("export_sha256") != _digest(content):
            raise DamagedError(f"The export of {device} is not the one that was stored")
        return content.decode()

    def binary(self, device: str, commit: str | None = None) -> bytes:
        """Decrypted. Raises DamagedError."""
        sealed = self._content(device, commit, BINARY)
        if not sealed:
            raise DamagedError(f"{device} has no binary backup in this version")
        content = self.sealer.open(sealed, device)
        if self._facts(device, commit).get("backup_sha256") != _digest(content):
            raise DamagedError(f"The binary backup of {device} is not the one that was stored")
        return content

    def facts(self, device: str, commit: str | None = None) -> dict[str, str]:
        """What was known of the device then. Raises DamagedError."""
        facts = self._facts(device, commit)
        if not facts:
            raise DamagedError(f"{device}/{FACTS} is missing or damaged")
        return facts

    def _facts(self, device: str, commit: str | None) -> dict[str, str]:
        try:
            found = json.loads(self._content(device, commit, FACTS))
        except (DamagedError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _content(self, device: str, commit: str | None, name: str) -> bytes:
        _check(device)
        at = commit or self.latest(device)
        if at is None:
            raise DamagedError(f"{device} has no backup")
        try:
            content = self.git.read(at, f"{device}/{name}")
        except GitError as error:
            raise DamagedError(f"{device}/{name} can't be read: {error.message}") from None
        if content is None:
            raise DamagedError(f"{device}/{name} is missing")
        return content


def _check(device: str) -> None:
    if not DEVICE.fullmatch(device):
        raise ValueError(f"{device!r} is not the name of a device")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_SUBJECTS = {
    Origin.FIRST: "First backup of {}",
    Origin.SEEN: "{} has changed",
    Origin.RUN: "Change {}",
}


def _message(device: str, origin: Origin, source: Source) -> str:
    trailers = {
        "Device": device,
        "Origin": origin.value,
        "Run": source.run_id,
        "Runbook": source.runbook,
        "Step": source.step,
        "Requested-By": source.requested_by,
    }
    lines = [f"{name}: {_line(value)}" for name, value in trailers.items() if value]
    return "\n".join([_SUBJECTS[origin].format(device), "", *lines]) + "\n"


def _line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _origin(text: str) -> Origin:
    """A commit that wasn't made here may say anything."""
    return Origin(text) if text in list(Origin) else Origin.SEEN


def _versions(log: str) -> Iterator[Version]:
    for record in log.split("\x1e"):
        if not record.strip():
            continue
        commit, at, subject, trailers = record.strip("\n").split("\x1f")
        given = dict(line.split(": ", 1) for line in trailers.split("\x1d") if ": " in line)
        yield Version(
            commit,
            datetime.fromtimestamp(int(at), UTC),
            subject,
            given.get("Device", ""),
            _origin(given.get("Origin", "")),
            Source(
                given.get("Run", ""),
                given.get("Runbook", ""),
                given.get("Step", ""),
                given.get("Requested-By", ""),
            ),
        )
