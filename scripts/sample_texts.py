"""Print a random sample of user-facing texts, to review against the writing rules.

    .venv/bin/python scripts/sample_texts.py --seed 7 --count 60

Samples the web app, command help, docs, OpenAPI document and messages in about equal parts.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
Text = tuple[str, str]
"""The place of a text, and the text."""

_FENCE = re.compile(r"^(`{3,})[^`\n]*\n.*?^\1`*$", re.MULTILINE | re.DOTALL)
_TEMPLATE = re.compile(r"<template>.*</template>", re.DOTALL)
_BETWEEN_TAGS = re.compile(r">([^<>{}]*[A-Za-z]{2}[^<>{}]*)<")
_ATTRIBUTE = re.compile(r'\s(?:label|title|text|hint|placeholder|aria-label)="([^"]{4,})"')
_LITERAL = re.compile(r"""'([A-Z][^'\n]*\s[^'\n]*)'|`([A-Z][^`\n]*\s[^`\n]*)`""")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    options = parser.parse_args()
    chosen = random.Random(options.seed)  # noqa: S311 - a sample, not a secret
    kinds = [web_texts, help_texts, doc_texts, api_texts, message_texts]
    for number, kind in enumerate(kinds):
        share = options.count * (number + 1) // len(kinds) - options.count * number // len(kinds)
        texts = sorted(set(kind()))
        for place, text in chosen.sample(texts, min(share, len(texts))):
            sys.stdout.write(f"{place}: {text}\n")


def web_texts() -> Iterator[Text]:
    for path in sorted((ROOT / "src/web/src").rglob("*")):
        if path.suffix not in {".vue", ".ts"} or path.name.endswith((".test.ts", ".d.ts")):
            continue
        source = path.read_text(encoding="utf-8")
        texts = [first or second for first, second in _LITERAL.findall(source)]
        for template in _TEMPLATE.findall(source):
            texts += _BETWEEN_TAGS.findall(template) + _ATTRIBUTE.findall(template)
        yield from ((_place(path), _plain(text)) for text in texts if len(_plain(text)) > 3)


def help_texts() -> Iterator[Text]:
    from runbook.cli.app import cli

    return _command_texts("runbook", cli)


def _command_texts(name: str, command: click.Command) -> Iterator[Text]:
    for paragraph in (command.help or "").split("\n\n"):
        if paragraph.strip():
            yield f"{name} --help", _plain(paragraph)
    for parameter in command.params:
        if help_text := getattr(parameter, "help", None):
            yield f"{name} {parameter.opts[0]}", _plain(help_text)
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from _command_texts(f"{name} {child.name}", child)


def doc_texts() -> Iterator[Text]:
    for folder in (".", "docs", "docs/adr"):
        for path in sorted((ROOT / folder).glob("*.md")):
            text = _FENCE.sub("", path.read_text(encoding="utf-8"))
            for paragraph in re.split(r"\n\n|\n(?=[|#*-])", text):
                if len(paragraph.split()) > 3 and not set(paragraph) <= set("|-: \n"):
                    yield _place(path), _plain(paragraph)


def api_texts() -> Iterator[Text]:
    program = ROOT / "src/web/scripts/openapi.py"
    printed = subprocess.run([sys.executable, program], capture_output=True, check=True)
    return _described("openapi", json.loads(printed.stdout))


def _described(place: str, value: object) -> Iterator[Text]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in {"summary", "description"} and isinstance(inner, str):
                yield place, _plain(inner)
            else:
                yield from _described(f"{place}/{key}" if place.count("/") < 3 else place, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _described(place, inner)


def message_texts() -> Iterator[Text]:
    for path in sorted((ROOT / "src/runbook").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _is_message_maker(node.func):
                for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                    text = _literal(argument)
                    if len(text.split()) > 2:
                        yield f"{_place(path)}:{argument.lineno}", _plain(text)


def _is_message_maker(function: ast.expr) -> bool:
    name = getattr(function, "id", getattr(function, "attr", ""))
    return name.endswith(("Error", "Problem", "problem")) or name in {
        "note",
        "print_line",
        "print_error",
        "print_warning",
        "Parameter",
        "Policy",
    }


def _literal(node: ast.expr) -> str:
    """The text of a string, with `{...}` for each placeholder of an f-string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (
            _literal(part) if isinstance(part, ast.Constant) else "{...}" for part in node.values
        )
        return "".join(parts)
    return ""


def _place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _plain(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()
