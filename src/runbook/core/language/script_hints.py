"""Blocks that were probably meant as scripts, and scripts that were probably pasted from elsewhere.

Each hint names the block's line and says what to change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from runbook.core.document import Language, Problem, Severity
from runbook.core.syntax.markdown import Block, BlockKind

_MEANT: Mapping[str, str] = {
    **dict.fromkeys(("shell", "console", "terminal", "session", "shellscript", "ksh", "ash"), "sh"),
    **dict.fromkeys(("dash", "posix", "shell-session", "sh-session", "shellsession"), "sh"),
    **dict.fromkeys(("shell-script", "zsh-session"), "sh"),
    **dict.fromkeys(("sh", "zsh"), "sh"),
    **dict.fromkeys(("bash", "bash-session"), "bash"),
    **dict.fromkeys(("python", "py", "python3", "python2", "pycon"), "python"),
}
_ATTRIBUTE = re.compile(r"\{?\s*[.=]?([\w+-]+)")
_PROMPT = re.compile(r"[ \t]*(\$|%|>>>) ")
_SHEBANG = re.compile(r"#![ \t]*(?:\S*/)?env(?:[ \t]+-\S+)*[ \t]+(\S+)|#![ \t]*(?:\S*/)?(\S+)")
_FITTING: Mapping[Language, frozenset[str]] = {
    Language.ZSH: frozenset({"sh", "zsh", "dash", "ash"}),
    Language.BASH: frozenset({"bash", "sh"}),
    Language.PYTHON: frozenset({"python"}),
}


def meant_script(blocks: Iterable[Block]) -> tuple[Block, str] | None:
    """The first block marked as a shell or Python in a way that is no script, and the right mark.

    Only call this for blocks without a script among them.
    """
    for block in blocks:
        if block.kind is BlockKind.FENCE and not block.nested and (mark := _meant(block)):
            return block, mark
    return None


def _meant(block: Block) -> str | None:
    match = _ATTRIBUTE.match(block.info.strip().lower())
    return _MEANT.get(match[1]) if match else None


def how_to_mark(block: Block, mark: str) -> str:
    prompts = any(_PROMPT.match(line) for line in block.text.split("\n"))
    more = ", and remove the prompts and the output from it" if prompts else ""
    return f"Change line {block.line} to {block.marker}{mark}{more}"


def not_executed(block: Block, mark: str) -> Problem:
    return Problem(
        "script_not_executed",
        f"The block marked {_shown(block)} is not executed",
        block.line,
        Severity.WARNING,
        hint=how_to_mark(block, mark),
        params={"word": _shown(block)},
    )


def _shown(block: Block) -> str:
    return block.info.strip().split(maxsplit=1)[0][:40]


def pasted(block: Block, language: Language) -> Iterator[Problem]:
    """Warnings about a script's first lines."""
    lines = block.text.split("\n")
    if (problem := _shebang(lines[0], block, language)) is not None:
        yield problem
    for number, line in enumerate(lines, start=block.line + 1):
        if line.strip() and not line.lstrip().startswith("#"):
            if match := _PROMPT.match(line):
                yield _prompt(match[1], number, block)
            return


def _shebang(line: str, block: Block, language: Language) -> Problem | None:
    match = _SHEBANG.match(line)
    if match is None:
        return None
    name = (match[1] or match[2]).rpartition("/")[2][:40]
    plain = re.sub(r"[\d.]+$", "", name)
    if plain in _FITTING[language]:
        return None
    mark = _MEANT.get(plain)
    where = f"on line {block.line}"
    hint = f"Mark the block {where} {mark}" if mark else f"Call {name} in the block {where}"
    return Problem(
        "shebang_ignored",
        f"The first line asks for {name}, but {language} runs a block marked {block.word}",
        block.line + 1,
        Severity.WARNING,
        hint=hint,
        params={"interpreter": name, "language": language.value},
    )


def _prompt(prompt: str, line: int, block: Block) -> Problem:
    return Problem(
        "prompt_in_script",
        f"The script begins with a prompt: {prompt}",
        line,
        Severity.WARNING,
        hint=f"Remove prompts and output from the block on line {block.line}",
        params={"prompt": prompt},
    )
