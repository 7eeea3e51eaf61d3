"""What differs between two configurations: as lines, and as commands of each menu."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from runbook.connectors.routeros import rsc
from runbook.connectors.routeros.rsc import Command

# What tells the rows of a menu apart, the most telling first.
_KEYS = ("default-name", "name", "mac-address", "user", "topics", "dst-address", "address",
         "comment", "interface", "chain")  # fmt: skip
_PAIR = re.compile(r'([\w.-]+)=("(?:\\.|[^"\\])*"|[^\s\]]*)')
MOST_EXAMPLES = 5
CONTEXT = 3


@dataclass(frozen=True, slots=True)
class MenuChange:
    """What changed in a menu. `moved`: the same rows in another order, as in a firewall."""

    path: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[tuple[str, str], ...] = ()
    moved: int = 0

    @property
    def text(self) -> str:
        """`/ip firewall filter: 2 added, 1 changed`."""
        counts = {
            "added": len(self.added),
            "removed": len(self.removed),
            "changed": len(self.changed),
            "moved": self.moved,
        }
        shown = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
        return f"{self.path}: {shown}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Of two configurations. `unified` is empty if they are the same."""

    unified: str
    added: int
    removed: int
    menus: tuple[MenuChange, ...]

    def __bool__(self) -> bool:
        return bool(self.unified)

    @property
    def text(self) -> str:
        return f"+{self.added} -{self.removed} lines"


def difference(before: str, after: str, names: tuple[str, str] = ("before", "after")) -> Difference:
    """Without what changes by itself, such as the date of the export."""
    old, new = rsc.normalized(before), rsc.normalized(after)
    lines = list(
        difflib.unified_diff(old.splitlines(), new.splitlines(), *names, n=CONTEXT, lineterm="")
    )
    body = lines[2:]
    return Difference(
        "\n".join(lines),
        sum(line.startswith("+") for line in body),
        sum(line.startswith("-") for line in body),
        tuple(menu_changes(old, new)) if lines else (),
    )


def menu_changes(before: str, after: str) -> Iterable[MenuChange]:
    old, new = by_menu(before), by_menu(after)
    for path in sorted(old.keys() | new.keys()):
        change = menu_change(path, old.get(path, []), new.get(path, []))
        if change is not None:
            yield change


def by_menu(text: str) -> dict[str, list[str]]:
    """The commands of each menu, in order."""
    menus: dict[str, list[str]] = {}
    for command in rsc.parse(text).commands:
        menus.setdefault(command.path, []).append(without_menu(command))
    return menus


def without_menu(command: Command) -> str:
    """The command as it is written within its menu."""
    text = command.text
    start = text.find(command.verb) if command.verb and text.startswith("/") else 0
    return " ".join(text[max(start, 0) :].split())


def menu_change(path: str, before: list[str], after: list[str]) -> MenuChange | None:
    removed, added = Counter(before) - Counter(after), Counter(after) - Counter(before)
    if not removed and not added:
        moved = _moved(before, after)
        return MenuChange(path, moved=moved) if moved else None
    gone, come = list(removed.elements()), list(added.elements())
    pairs = []
    for line in list(gone):
        match = next((one for one in come if _same_row(line, one)), None)
        if match is not None:
            pairs.append((line, match))
            gone.remove(line)
            come.remove(match)
    return MenuChange(path, tuple(come), tuple(gone), tuple(pairs))


def _moved(before: list[str], after: list[str]) -> int:
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return len(before) - sum(block.size for block in blocks)


def _same_row(before: str, after: str) -> bool:
    """Whether two commands are about the same row, by what tells rows apart."""
    if before.split()[:1] != after.split()[:1]:
        return False
    if before.startswith("set ") and "[" not in before + after:
        return True
    old, new = dict(_PAIR.findall(before)), dict(_PAIR.findall(after))
    key = next((key for key in _KEYS if key in old or key in new), "")
    return old.get(key) == new.get(key) and _likeness(old, new) > 0.4


def _likeness(old: dict[str, str], new: dict[str, str]) -> float:
    same = len(old.items() & new.items())
    return same / max(len(old), len(new), 1)


def as_lines(changes: Iterable[MenuChange]) -> list[str]:
    """For people: each menu, and some of its commands."""
    lines = []
    for change in changes:
        lines.append(change.text)
        examples = [f"  + {one}" for one in change.added] + [f"  - {one}" for one in change.removed]
        examples += [f"  ~ {after}" for _, after in change.changed]
        lines += examples[:MOST_EXAMPLES]
        if len(examples) > MOST_EXAMPLES:
            lines.append(f"  … and {len(examples) - MOST_EXAMPLES} more")
    return lines


def as_json(change: MenuChange) -> dict[str, object]:
    return {
        "menu": change.path,
        "added": len(change.added),
        "removed": len(change.removed),
        "changed": len(change.changed),
        "moved": change.moved,
    }
