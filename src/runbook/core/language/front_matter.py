"""The front matter: YAML between `---` lines at the beginning of a runbook.

It belongs to other programs, such as site generators. The engine reads three keys that help to find
a runbook, and a mistake in it is only a warning.
"""

from __future__ import annotations

from runbook.core.document import FrontMatter, Problem, Severity
from runbook.core.syntax.markdown import Head
from runbook.core.syntax.yaml_subset import Mapping, Node, Scalar, Sequence, compose

MAX_TAGS = 50
_NOTHING = FrontMatter()


def read_front_matter(head: Head, problems: list[Problem]) -> FrontMatter:
    """The values of `tags`, `owner` and `description`."""
    if not head.front_lines:
        return _NOTHING
    found = compose(head.front_matter, 2)
    if isinstance(found, Problem):
        problems.append(_bad(str(found.params["reason"]), found.line or 1))
    if not isinstance(found, Mapping):
        return _NOTHING
    nodes = {key.raw: node for key, node in found.entries}
    return FrontMatter(
        tags=_tags(nodes.get("tags"), problems),
        owner=_text("owner", nodes.get("owner"), problems),
        description=_text("description", nodes.get("description"), problems),
    )


def _tags(node: Node | None, problems: list[Problem]) -> tuple[str, ...]:
    """A list, or text separated by commas."""
    if isinstance(node, Scalar):
        texts = node.text.split(",")
    elif isinstance(node, Sequence) and all(isinstance(item, Scalar) for item in node.items):
        texts = [item.text for item in node.items if isinstance(item, Scalar)]
    else:
        if node is not None:
            problems.append(_bad("'tags' must be a list of texts", node.line))
        return ()
    tags = dict.fromkeys(" ".join(text.split()) for text in texts)
    return tuple(tag for tag in tags if tag)[:MAX_TAGS]


def _text(key: str, node: Node | None, problems: list[Problem]) -> str:
    if node is None or isinstance(node, Scalar):
        return " ".join(node.text.split()) if node else ""
    problems.append(_bad(f"'{key}' must be text", node.line))
    return ""


def _bad(reason: str, line: int) -> Problem:
    text = f"The front matter can't be read: {reason}"
    hint = "The engine reads tags, owner and description from it"
    return Problem(
        "bad_front_matter", text, line, Severity.WARNING, hint, params={"reason": reason}
    )
