"""Sources of runbooks: folders, each with a prefix for the refs of its runbooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runbook.core.toolkit import ToolkitVersion
from runbook.errors import SourceConflictError
from runbook.library.refs import Place, not_found, valid_segment
from runbook.quick_dataclass import dataclass


def _always() -> bool:
    return True


def _none() -> Mapping[str, Source]:
    return {}


@dataclass(frozen=True, slots=True)
class Source:
    """A folder of runbooks. `prefix` is empty, or one name and a slash.

    `enabled` is called on each use, so it must be fast. Nothing is written to the folder of a
    `read_only` source. `toolkit` is the installed toolkit whose folder it is.
    """

    folder: Path
    prefix: str = ""
    enabled: Callable[[], bool] = _always
    read_only: bool = False
    toolkit: ToolkitVersion | None = None

    def place(self, name: str) -> Place:
        """The location of a runbook, by its name below the folder."""
        return Place(self.folder, name, self.prefix + name)


class Sources:
    """Each ref belongs to one source: the enabled one with its prefix, else the unprefixed one."""

    def __init__(
        self, sources: Sequence[Source], added: Callable[[], Mapping[str, Source]] = _none
    ) -> None:
        """`added` are more sources by prefix, which may change; called on each use.

        Call `check_free` before adding or enabling a source later. Raises SourceConflictError if
        two sources would claim the same ref.
        """
        self._added = added
        self._root = _only_root(sources)
        self._prefixed = {source.prefix: source for source in sources if source.prefix}
        if 1 + len(self._prefixed) != len(sources):
            raise SourceConflictError("Two sources of runbooks have the same prefix")
        for source in self._prefixed.values():
            _check_prefix(source.prefix)
            if source.enabled():
                self.check_free(source.prefix)

    @property
    def root(self) -> Source:
        """The source without a prefix."""
        return self._root

    def enabled(self) -> tuple[Source, ...]:
        """The enabled sources, the unprefixed one first."""
        prefixed = (source for source in self._all().values() if source.enabled())
        return (self._root, *prefixed) if self._root.enabled() else tuple(prefixed)

    def of(self, ref: str) -> Source:
        """The source that a ref belongs to; the runbook need not exist. Raises NotFoundError."""
        prefix = first_folder(ref)
        source = self._all().get(prefix) if prefix else None
        if source is not None and source.enabled():
            return source
        if not self._root.enabled():
            raise not_found(ref)
        return self._root

    def _all(self) -> Mapping[str, Source]:
        """The sources with a prefix, enabled or not."""
        added = self._added()
        return {**added, **self._prefixed} if added else self._prefixed

    def place(self, ref: str) -> Place:
        """Where to look for the ref's file, whether or not it is valid.

        Raises NotFoundError.
        """
        source = self.of(ref)
        return source.place(ref[len(source.prefix) :])

    def check_free(self, prefix: str) -> None:
        """Raises SourceConflictError if the unprefixed source has a folder with this name."""
        if (self._root.folder / prefix).is_dir():
            raise SourceConflictError(
                f"The runbooks directory already has a folder {prefix}: rename it first",
                prefix=prefix,
            )


def first_folder(ref: str) -> str:
    """The ref's first folder with its slash; empty if it has none."""
    name, slash, _ = ref.partition("/")
    return name + slash if slash else ""


def _only_root(sources: Sequence[Source]) -> Source:
    roots = [source for source in sources if not source.prefix]
    if len(roots) != 1:
        raise SourceConflictError(f"Exactly one source must have no prefix, not {len(roots)}")
    return roots[0]


def _check_prefix(prefix: str) -> None:
    if not (prefix.endswith("/") and valid_segment(prefix[:-1])):
        raise SourceConflictError(f"Invalid prefix for runbooks: {prefix!r}", prefix=prefix)
