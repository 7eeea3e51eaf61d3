"""What the parser knows of a router: its menus, and what each command takes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Signature:
    """What a command takes. `unnamed` are the names of what is given by its place."""

    names: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    unnamed: tuple[str, ...] = ()
    where: bool = False
    """What follows `where`, or `find`, is a condition."""


@dataclass
class Tree:
    menus: frozenset[str] = frozenset()
    commands: dict[str, dict[str, Signature]] = field(default_factory=dict)

    def child(self, path: str, word: str) -> str:
        """The menu below, or nothing. A word may be shortened as long as it is unmistakable."""
        prefix = f"{path}/" if path else ""
        if prefix + word in self.menus:
            return prefix + word
        found = [
            one
            for one in self.menus
            if one.startswith(prefix + word) and "/" not in one[len(prefix) :]
        ]
        return found[0] if len(found) == 1 and not self.command(path, word) else ""

    def command(self, path: str, word: str) -> str:
        known = self.commands.get(path, {})
        if word in known:
            return word
        found = [one for one in known if one.startswith(word)]
        return found[0] if len(found) == 1 and len(word) > 1 else ""
