"""A stack: a project of Docker Compose, described by files in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from runbook.connectors.compose import data
from runbook.connectors.compose.data import Container, Service
from runbook.connectors.compose.engine import Docker

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")


@dataclass(frozen=True)
class Stack:
    """`files` are its Compose files; without any, Compose looks for one in the folder.

    Methods raise ConnectorError. In a dry run, changes become lines of the plan.
    """

    engine: Docker
    name: str
    folder: Path
    files: tuple[Path, ...] = ()

    def described_by(self, *files: Path) -> Stack:
        """The same stack, as other files describe it."""
        return replace(self, files=files)

    # -- reading ----------------------------------------------------------------------------------

    @cached_property
    def resolved(self) -> Mapping[str, Any]:
        """The files as one, with all values filled in: it may contain secrets."""
        text = self._read("config", "--format", "json", "--no-path-resolution")
        found: dict[str, Any] = json.loads(text)
        return found

    def resolved_text(self) -> str:
        """The same with absolute paths, so that Compose can read it from anywhere."""
        return self._read("config", "--format", "json")

    @cached_property
    def services(self) -> dict[str, Service]:
        return data.services_of(self.resolved)

    @cached_property
    def volumes(self) -> dict[str, str]:
        """The engine's names of the volumes that this stack owns, by those in the files."""
        known = self.resolved.get("volumes") or {}
        return {
            key: str(one.get("name") or f"{self.name}_{key}")
            for key, one in sorted(known.items())
            if not (one or {}).get("external")
        }

    @cached_property
    def hashes(self) -> dict[str, str]:
        """Of the configuration of each service, as its containers have them in a label."""
        lines = self._read("config", "--hash", "*").splitlines()
        return dict(line.split(maxsplit=1) for line in lines if len(line.split()) == 2)

    def containers(self) -> list[Container]:
        return self.engine.containers(self.name)

    # -- changing ---------------------------------------------------------------------------------

    def pull(self) -> None:
        """The images of all services that aren't built here."""
        self._change("pull", "--ignore-buildable", "--quiet")

    def up(
        self,
        scale: Mapping[str, int],
        *,
        services: Iterable[str] = (),
        recreate: bool = True,
        pull: bool = False,
    ) -> None:
        """Create, replace and start containers, with the given count for each service.

        `services`: only these, without those that they depend on. `recreate=False`: leave the
        containers that are there as they are. Returns before they are healthy.
        """
        only = list(services)
        words = ["up", "--detach", "--no-build", "--pull", "missing" if pull else "never"]
        words += [] if recreate else ["--no-recreate"]
        words += ["--no-deps"] if only else []
        for name, count in sorted(scale.items()):
            words += ["--scale", f"{name}={count}"]
        self._change(*words, *only)

    def stop(self) -> None:
        self._change("stop")

    def pause(self) -> None:
        self._change("pause")

    def unpause(self) -> None:
        self._change("unpause")

    def start(self) -> None:
        self._change("start")

    def remove_containers(self) -> None:
        """And networks; volumes stay."""
        self._change("down")

    def all_files(self) -> tuple[Path, ...]:
        """Its Compose files, also if they are found by their names."""
        return self.files or _found(self.folder)

    def command(self, *words: str) -> list[str]:
        """The arguments of the CLI for a command of Compose."""
        files = [word for file in self.all_files() for word in ("--file", str(file))]
        project = ["--project-name", self.name, "--project-directory", str(self.folder)]
        return ["compose", *project, *files, *words]

    def _read(self, *words: str) -> str:
        return self.engine.cli.read(*self.command(*words))

    def _change(self, *words: str) -> None:
        self.engine.change(*self.command(*words), live=True)


class Engine(Docker):
    """A Docker Engine with Compose."""

    def stack(self, name: str, folder: str | Path, file: str | Path | None = None) -> Stack:
        """A project of Compose. `file` defaults to the one that Compose finds in the folder."""
        return Stack(self, name, Path(folder), (Path(file),) if file else ())


def _found(folder: Path) -> tuple[Path, ...]:
    """By the names that Compose looks for, but it only does in its current folder."""
    for name in NAMES:
        path = folder / name
        if path.is_file():
            overrides = (path.with_name(f"{path.stem}.override{it}") for it in (".yml", ".yaml"))
            return (path, *[one for one in overrides if one.is_file()][:1])
    return ()
