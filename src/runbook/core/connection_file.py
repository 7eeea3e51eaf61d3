"""A connection as a file: YAML, or JSON, with `kind` and `values`.

kind: proxmox
values:
  host: pve.example.com
  token_id: root@pam!runbook
  token_secret: 00000000-0000-0000-0000-000000000000
claims:
  roles: sre, netops
labels:
  site: berlin
"""

from __future__ import annotations

from dataclasses import field

from runbook.core.document import Problem
from runbook.core.syntax.unknown_keys import unknown_key
from runbook.core.syntax.yaml_subset import Mapping, Scalar, Sequence, compose
from runbook.quick_dataclass import dataclass

KEYS = ("kind", "values", "claims", "labels", "description")


@dataclass(frozen=True, slots=True)
class ConnectionFile:
    """What a file says, unchecked."""

    kind: str = ""
    values: dict[str, object] = field(default_factory=dict, repr=False)
    claims: dict[str, object] = field(default_factory=dict)
    labels: dict[str, object] = field(default_factory=dict)
    description: str = ""


def read_connection(text: str) -> tuple[ConnectionFile, list[Problem]]:
    """No problem shows a value."""
    node = compose(text.removeprefix("\ufeff"), 1)
    if isinstance(node, Problem):
        return ConnectionFile(), [node]
    if not isinstance(node, Mapping):
        hint = "Write kind: proxmox, and the fields below values:"
        return ConnectionFile(), [
            Problem("bad_connection_file", "The file must be a mapping", 1, hint=hint)
        ]
    problems: list[Problem] = []
    texts: dict[str, str] = {}
    groups: dict[str, dict[str, object]] = {}
    for key, value in node.entries:
        match key.raw, value:
            case (("kind" | "description"), Scalar()):
                texts[key.raw] = value.text.strip()
            case (("values" | "claims" | "labels"), Mapping()):
                groups[key.raw] = _members(value, problems)
            case name, _ if name in KEYS:
                problems.append(_unfit(name, value.line))
            case _:
                problems.append(unknown_key(key, KEYS))
    return ConnectionFile(**texts, **groups), problems  # type: ignore[arg-type]


def _members(node: Mapping, problems: list[Problem]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in node.entries:
        match value:
            case Scalar():
                found[key.raw] = value.text
            case Sequence() if all(isinstance(item, Scalar) for item in value.items):
                found[key.raw] = [item.text for item in value.items if isinstance(item, Scalar)]
            case _:
                problems.append(_unfit(key.raw, value.line))
    return found


def _unfit(name: str, line: int) -> Problem:
    text = f"{name[:80]} has an unsuitable value"
    hint = "kind and description are text; values, claims and labels are mappings"
    return Problem("bad_connection_file", text, line, hint=hint)
