"""Runs a Python step that can import from a folder: `python_step.py SCRIPT FOLDER`.

Python's isolated mode ignores PYTHONPATH. The folder comes last, so that it hides nothing.
"""

from __future__ import annotations

import sys
from types import CodeType, TracebackType

TYPE_CHECKING = False  # importing `typing` would slow every start
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import FileFinder


def main() -> None:
    script, library = sys.argv[1:3]
    sys.argv[:] = [script]
    sys.path_hooks.insert(0, source_only(library))
    sys.path.append(library)
    with open(script, "rb") as file:  # noqa: PTH123 - pathlib would slow down every start
        code = compile(file.read(), script, "exec", dont_inherit=True)
    sys.excepthook = show_error
    names = vars(sys.modules["__main__"])
    for name in [name for name in names if not name.startswith("__")]:
        del names[name]
    names["__file__"] = script
    exec(code, names)  # noqa: S102 - it is what the run executes


def source_only(library: str) -> Callable[[str], FileFinder]:
    """Finds modules below the folder by their source, never by bytecode, which isn't reviewed.

    It isn't written either. That of Python's own and installed modules is used as ever.
    """
    from importlib.machinery import (  # here, as the step replaces the names of this module
        EXTENSION_SUFFIXES,
        SOURCE_SUFFIXES,
        ExtensionFileLoader,
        FileFinder,
        SourceFileLoader,
    )

    class Loader(SourceFileLoader):
        def get_code(self, fullname: str) -> CodeType:
            path = self.get_filename(fullname)
            return self.source_to_code(self.get_data(path), path)

    def find(path: str) -> FileFinder:
        if path != library and not path.startswith(library + "/"):
            raise ImportError(path)
        return FileFinder(
            path, (ExtensionFileLoader, EXTENSION_SUFFIXES), (Loader, SOURCE_SUFFIXES)
        )

    return find


def show_error(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """As Python does, but without our own two frames."""
    import sys  # the step has replaced the names of this module

    for _ in range(2):
        traceback = traceback.tb_next if traceback is not None else None
    sys.__excepthook__(kind, error.with_traceback(traceback), traceback)


if __name__ == "__main__":
    main()
