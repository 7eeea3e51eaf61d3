"""Environment variables that a Python script reads and sets, found by static analysis."""

from __future__ import annotations

import ast
import warnings
from dataclasses import field

from runbook.core.authoring.shell_names import NameUse
from runbook.quick_dataclass import dataclass

_READERS = frozenset({"get", "pop", "setdefault"})


@dataclass(slots=True)
class PythonNames:
    """`indirect`: it reads variables whose names are computed at run time."""

    uses: list[NameUse] = field(default_factory=list)
    assigned: set[str] = field(default_factory=set)
    indirect: bool = False


def python_names(source: str) -> PythonNames:
    """Analyze a script; nothing is found in one with syntax errors. Never raises."""
    found = PythonNames()
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return found
    known: set[ast.AST] = set()
    for node in ast.walk(tree):
        _look_at(node, found, known)
    found.indirect |= any(_is_environ(node) and node not in known for node in ast.walk(tree))
    return found


def _look_at(node: ast.AST, found: PythonNames, known: set[ast.AST]) -> None:
    """Record one read or assignment; `known` collects the accesses that were understood."""
    match node:
        case ast.Subscript(value=value, slice=ast.Constant(value=str(name))) if _is_environ(value):
            known.add(value)
            if isinstance(node.ctx, ast.Load):
                found.uses.append(NameUse(name, node.lineno - 1))
            else:
                found.assigned.add(name)
        case ast.Call(
            func=ast.Attribute(value=value, attr=method),
            args=[ast.Constant(value=str(name)), *_],
        ) if _is_environ(value) and method in _READERS:
            known.add(value)
            if method == "setdefault":
                found.assigned.add(name)
            else:
                found.uses.append(NameUse(name, node.lineno - 1))
        case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]) if _is_getenv(
            function
        ):
            found.uses.append(NameUse(name, node.lineno - 1))
        case ast.Call(func=function) if _is_getenv(function):
            found.indirect = True


def _is_environ(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr="environ") | ast.Name(id="environ"):
            return True
    return False


def _is_getenv(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr="getenv") | ast.Name(id="getenv"):
            return True
    return False
