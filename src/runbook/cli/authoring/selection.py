"""Selects runbooks by the files and folders on the command line."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from runbook.cli.source.locate import absolute, roots
from runbook.cli.source.opening import load_settings
from runbook.core.manifest import MANIFEST
from runbook.errors import NotFoundError
from runbook.library.folders import Folders
from runbook.library.loading import is_documentation
from runbook.library.refs import SUFFIX, valid_segment
from runbook.quick_dataclass import dataclass
from runbook.settings import Settings

CASES_SUFFIX = ".test.yaml"


@dataclass(frozen=True, slots=True)
class Selected:
    """A file, its runbooks directory, and its ref below that."""

    file: Path
    root: Path

    @property
    def ref(self) -> str:
        return self.file.relative_to(self.root).as_posix()

    @property
    def shown(self) -> str:
        return shown_path(self.file)


def shown_path(file: Path) -> str:
    """An absolute path, relative to the working directory if it is below it."""
    here = Path.cwd()
    return str(file.relative_to(here) if here in file.parents else file)


def select_runbooks(paths: Sequence[str], environment: Mapping[str, str]) -> list[Selected]:
    """The runbooks at these paths, each once: files, and all runbooks below folders.

    Without paths, the runbooks of RUNBOOKS_DIR. The runbooks directory of a file or folder outside
    RUNBOOKS_DIR is its own folder or, in a toolkit, the folder above the toolkit's, so that
    toolkits beside each other can call each other. Raises NotFoundError and ConfigurationError.
    """
    selection = _Selection(load_settings(environment))
    found = [item for path in paths or [""] for item in selection.runbooks(path)]
    return list(dict.fromkeys(found))


def select_cases(paths: Sequence[str], environment: Mapping[str, str]) -> list[Selected]:
    """The runbooks to test: from runbooks, `.test.yaml` files and folders.

    In folders, only runbooks with a `.test.yaml` file. Raises the errors of `select_runbooks`.
    """
    selection = _Selection(load_settings(environment))
    found = [item for path in paths for item in selection.with_cases(path)]
    return list(dict.fromkeys(found))


def cases_path(runbook: Path) -> Path:
    """The path of a runbook's test cases."""
    return runbook.with_name(runbook.stem + CASES_SUFFIX)


class _Selection:
    def __init__(self, settings: Settings) -> None:
        self._roots = roots(settings)

    def runbooks(self, name: str) -> Iterator[Selected]:
        path = self._existing(name) if name else self._roots[0]
        if path.is_dir():
            root = self._root_of(path)
            for ref in sorted(Folders(path).files(time.time_ns())):
                if not is_documentation(path / ref):
                    yield Selected(path / ref, root)
        else:
            yield self._runbook(path)

    def with_cases(self, name: str) -> Iterator[Selected]:
        path = self._existing(name)
        if path.is_dir():
            root = self._root_of(path)
            for cases in sorted(path.rglob(f"*{CASES_SUFFIX}")):
                yield self._of_cases(cases, root)
        elif path.name.endswith(CASES_SUFFIX):
            yield self._of_cases(path, self._root_of(path.parent))
        else:
            yield self._runbook(path)

    def _runbook(self, path: Path) -> Selected:
        if path.suffix != SUFFIX:
            raise NotFoundError(f"{path.name} is not a runbook: its name doesn't end with {SUFFIX}")
        return Selected(path, self._root_of(path.parent))

    def _of_cases(self, cases: Path, root: Path) -> Selected:
        file = cases.with_name(cases.name.removesuffix(CASES_SUFFIX) + SUFFIX)
        if not file.is_file():
            raise NotFoundError(f"There is no runbook {file.name} next to {cases.name}")
        return Selected(file, root)

    def _existing(self, name: str) -> Path:
        for candidate in (Path(name), *(root / name for root in self._roots)):
            if candidate.exists():
                return absolute(candidate)
        raise NotFoundError(f"No such file or folder: {name}")

    def _root_of(self, folder: Path) -> Path:
        above = (folder, *folder.parents)
        for root in self._roots:
            if root in above:
                return root
        toolkit = next((path for path in above if (path / MANIFEST).is_file()), None)
        if toolkit is not None and valid_segment(toolkit.name):
            return toolkit.parent
        return folder
