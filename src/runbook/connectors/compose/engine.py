"""A Docker Engine: its containers, images and volumes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Any, Self

from runbook.connectors.compose import data
from runbook.connectors.compose.cli import Cli
from runbook.connectors.compose.data import Container
from runbook.connectors.effects import plan_change
from runbook.connectors.errors import ConnectorError, ErrorCode

INSIDE = "/runbook-volume"
"""Where a helper container, which never runs, has a volume."""
HELPER = "runbook.volume"
"""The label of helper containers."""


class Docker:
    """Use it in a `with` statement, or `close` it. Methods raise ConnectorError."""

    def __init__(self, cli: Cli, *, dry_run: bool = False) -> None:
        self.cli = cli
        self.name = cli.name
        self.dry_run = dry_run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.cli.close()

    # -- reading ----------------------------------------------------------------------------------

    def version(self) -> str:
        return self.cli.read("version", "--format", "{{.Server.Version}}").strip()

    def compose_version(self) -> str:
        return self.cli.read("compose", "version", "--short").strip()

    def projects(self) -> list[str]:
        """Of which there is a container."""
        found = json.loads(self.cli.read("compose", "ls", "--all", "--format", "json") or "[]")
        return sorted(str(one["Name"]) for one in found)

    def containers(self, project: str) -> list[Container]:
        """Also those that have ended; not those of `docker compose run`."""
        labels = (f"label={data.PROJECT}={project}", f"label={data.ONE_OFF}=False")
        filters = [word for label in labels for word in ("--filter", label)]
        listing = self.cli.read("ps", "--all", "--quiet", "--no-trunc", *filters)
        return self.inspected(listing.split())

    def inspected(self, ids: Sequence[str]) -> list[Container]:
        """Without those that are gone."""
        if not ids:
            return []
        try:
            return data.containers_of(self.cli.read("container", "inspect", *ids))
        except ConnectorError as error:
            if error.code is not ErrorCode.NOT_FOUND or len(ids) == 1:
                if error.code is ErrorCode.NOT_FOUND:
                    return []
                raise
        return [found for one in ids for found in self.inspected([one])]

    def logs(self, container: str, lines: int = 20) -> str:
        """The last lines that it printed."""
        return self.cli.read("logs", "--tail", str(lines), container)

    def image_id(self, reference: str) -> str:
        """Of the image that the engine has under this name now; empty if it has none."""
        try:
            found = self.cli.read("image", "inspect", "--format", "{{.Id}}", reference)
        except ConnectorError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return ""
            raise
        return found.strip()

    def volume(self, name: str) -> dict[str, Any] | None:
        """What the engine says about a volume; None if there is none."""
        try:
            found = json.loads(self.cli.read("volume", "inspect", name))
        except ConnectorError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return None
            raise
        return dict(found[0])

    # -- changing ---------------------------------------------------------------------------------

    def tag(self, image: str, reference: str) -> None:
        self.change("image", "tag", image, reference)

    def untag(self, reference: str) -> None:
        """One that isn't there is no error."""
        if self.image_id(reference):
            self.change("image", "rm", "--no-prune", reference)

    def change(self, *arguments: str, live: bool = False) -> str:
        """Run a command that changes something; in a dry run, only plan it."""
        if self.dry_run:
            plan_change(self.cli.shown(arguments))
            return ""
        return self.cli.change(*arguments, live=live)

    def remove_volume(self, name: str) -> None:
        """One that isn't there is no error."""
        if self.volume(name) is not None:
            self.remove_helpers(name)
            self.change("volume", "rm", name)

    def remove_helpers(self, volume: str) -> None:
        """Those that a killed process has left: they would keep the volume from being removed."""
        label = f"label={HELPER}={volume}"
        for helper in self.cli.read("ps", "--all", "--quiet", "--filter", label).split():
            self.change("container", "rm", "--force", helper)

    def create_volume(self, name: str, like: Mapping[str, Any]) -> None:
        """With the driver, options and labels of another one, as `volume` returns them."""
        words = ["--driver", str(like.get("Driver") or "local")]
        for option, known in (("--opt", like.get("Options")), ("--label", like.get("Labels"))):
            for key, value in sorted((known or {}).items()):
                words += [option, f"{key}={value}"]
        self.change("volume", "create", *words, name)

    def save_volume(self, name: str, image: str, into: IO[bytes]) -> None:
        """Write a volume as tar. `image` is any that the engine has: nothing of it is executed."""
        helper = self._helper(name, image, read_only=True)
        try:
            self._run(["cp", f"{helper}:{INSIDE}", "-"], stdout=into)
        finally:
            self.cli.change("container", "rm", "--force", helper)

    def load_volume(self, name: str, image: str, archive: IO[bytes]) -> None:
        """Unpack what `save_volume` wrote. What is in the volume already stays."""
        helper = self._helper(name, image, read_only=False)
        try:
            # Only below the folder that it unpacks into, the engine sets owners and modes: so the
            # volume's own folder is in the archive. --archive would make all the image user's.
            self._run(["cp", "-", f"{helper}:/"], stdin=archive)
        finally:
            self.cli.change("container", "rm", "--force", helper)

    def _helper(self, volume: str, image: str, *, read_only: bool) -> str:
        mount = f"type=volume,source={volume},target={INSIDE},volume-nocopy=true"
        mount += ",readonly" if read_only else ""
        words = ["create", "--label", f"{HELPER}={volume}", "--network", "none", "--mount", mount]
        return self.cli.change(*words, image, "true").strip()

    def _run(
        self, words: list[str], *, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
    ) -> None:
        most_s = self.cli.command_timeout_s
        self.cli.run(words, timeout_s=most_s, stdin=stdin, stdout=stdout)
