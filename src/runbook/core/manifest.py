"""The manifest of a toolkit, `toolkit.yaml`: what it is and what it needs.

    slug: proxmox
    name: Proxmox VE
    version: 1.2.0
    description: Virtual machines, containers, snapshots and backups.
    engine: ">=0.1"
    extras: [proxmox]
    commands: [ssh]
    connections: [proxmox]
    card:
      title: Guests
      runbook: List.md

`manifest_schema` is the same as JSON Schema 2020-12, for editors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import replace

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from runbook.core.document import Problem
from runbook.core.syntax.yaml_blocks import (
    Context,
    Reader,
    read_fields,
    read_items,
    read_text,
)
from runbook.core.syntax.yaml_subset import Mapping, Node, compose
from runbook.quick_dataclass import dataclass

MANIFEST = "toolkit.yaml"
SLUG_RULE = "1 to 40 lowercase letters, digits and hyphens, starting with a letter"
SLUG = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
WORD_RULE = "1 to 64 letters, digits, dots, hyphens and underscores"
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TEXT_LIMIT = 500
MOST_ITEMS = 50

_REQUIRED = ("slug", "name", "version")


@dataclass(frozen=True, slots=True)
class Card:
    """What a dashboard shows: the output of a runbook of the toolkit."""

    title: str = ""
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A toolkit's manifest. `engine` is a version specifier (PEP 440); empty for any engine.

    `extras` are optional parts of this package, `commands` programs, and `connections` kinds of
    connections, without which some of its runbooks don't work.
    """

    slug: str = ""
    name: str = ""
    version: str = ""
    description: str = ""
    engine: str = ""
    extras: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    card: Card | None = None

    def allows_engine(self, version: str) -> bool:
        return not self.engine or SpecifierSet(self.engine).contains(version, prereleases=True)

    def is_newer_than(self, version: str) -> bool:
        return Version(self.version) > Version(version)


def read_manifest(text: str) -> tuple[Manifest | None, tuple[Problem, ...]]:
    """The manifest, or None with all its problems. Never raises."""
    node = compose(text, 1)
    if isinstance(node, Problem):
        return None, (node,)
    if not isinstance(node, Mapping):
        return None, (Problem("not_a_mapping", f"{MANIFEST} must be a mapping (key: value)", 1),)
    problems: list[Problem] = []
    manifest = read_fields(Manifest(), node, _FIELDS, Context(MANIFEST, (), problems))
    given = {key.raw for key, _ in node.entries}
    problems += [_missing(key) for key in _REQUIRED if key not in given]
    return (None if problems else manifest), tuple(problems)


def _missing(key: str) -> Problem:
    text = f"{MANIFEST}: '{key}' is missing"
    return Problem("missing_key", text, 1, hint=f"Add {key}: {_EXAMPLES[key]}", params={"key": key})


_EXAMPLES = {"slug": "my-toolkit", "name": "My toolkit", "version": "0.1.0"}


def _read_limited(node: Node, context: Context) -> str:
    text = read_text(node, context)
    if len(text) > TEXT_LIMIT:
        raise context.must_be(f"at most {TEXT_LIMIT} characters long", node.line)
    return text


def _read_slug(node: Node, context: Context) -> str:
    text = read_text(node, context)
    if not SLUG.fullmatch(text):
        raise context.must_be(SLUG_RULE, node.line)
    return text


def _read_version(node: Node, context: Context) -> str:
    text = _read_limited(node, context)
    try:
        Version(text)
    except InvalidVersion:
        raise context.must_be("a version, such as 1.2.0", node.line) from None
    return text


def _read_engine(node: Node, context: Context) -> str:
    text = _read_limited(node, context)
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise context.must_be('a version specifier, such as ">=0.1"', node.line) from None
    return text


def _read_words(node: Node, context: Context) -> tuple[str, ...]:
    words = [read_text(item, context) for item in read_items(node, "a list of names", context)]
    if len(words) > MOST_ITEMS or not all(WORD.fullmatch(word) for word in words):
        raise context.must_be(f"a list of at most {MOST_ITEMS} names of {WORD_RULE}", node.line)
    if len(set(words)) < len(words):
        raise context.must_be("a list without duplicates", node.line)
    return tuple(words)


def _read_card(node: Node, context: Context) -> Card:
    if not isinstance(node, Mapping):
        raise context.must_be("a mapping with title and runbook", node.line)
    card = read_fields(Card(), node, _CARD, replace(context, where=f"{MANIFEST}, card"))
    if {key.raw for key, _ in node.entries} < set(_CARD):
        raise context.must_be("a mapping with title and runbook", node.line)
    return card


def _read_runbook(node: Node, context: Context) -> str:
    text = read_text(node, context)
    parts = text.split("/")
    if not text.endswith(".md") or not all(parts) or ".." in parts:
        raise context.must_be("a runbook of the toolkit, such as List.md", node.line)
    return text


_CARD: MappingType[str, Reader[Card]] = {
    "title": lambda card, node, context: replace(card, title=_read_limited(node, context)),
    "runbook": lambda card, node, context: replace(card, runbook=_read_runbook(node, context)),
}

_FIELDS: MappingType[str, Reader[Manifest]] = {
    "slug": lambda it, node, context: replace(it, slug=_read_slug(node, context)),
    "name": lambda it, node, context: replace(it, name=_read_limited(node, context)),
    "version": lambda it, node, context: replace(it, version=_read_version(node, context)),
    "description": lambda it, node, context: replace(it, description=_read_limited(node, context)),
    "engine": lambda it, node, context: replace(it, engine=_read_engine(node, context)),
    "extras": lambda it, node, context: replace(it, extras=_read_words(node, context)),
    "commands": lambda it, node, context: replace(it, commands=_read_words(node, context)),
    "connections": lambda it, node, context: replace(it, connections=_read_words(node, context)),
    "card": lambda it, node, context: replace(it, card=_read_card(node, context)),
}


def manifest_schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of a manifest."""
    text = {"type": "string", "minLength": 1, "maxLength": TEXT_LIMIT}
    words = {
        "type": "array",
        "items": {"type": "string", "pattern": f"^{WORD.pattern}$"},
        "minItems": 1,
        "maxItems": MOST_ITEMS,
        "uniqueItems": True,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Toolkit manifest",
        "type": "object",
        "properties": {
            "slug": {"type": "string", "pattern": f"^{SLUG.pattern}$", "description": SLUG_RULE},
            "name": text,
            "version": {**text, "examples": ["1.2.0"]},
            "description": text,
            "engine": {"type": "string", "maxLength": TEXT_LIMIT, "examples": [">=0.1"]},
            "extras": words,
            "commands": words,
            "connections": words,
            "card": {
                "type": "object",
                "properties": {
                    "title": text,
                    "runbook": {"type": "string", "pattern": r"^[^/].*\.md$"},
                },
                "required": ["title", "runbook"],
                "additionalProperties": False,
            },
        },
        "required": list(_REQUIRED),
        "additionalProperties": False,
    }
