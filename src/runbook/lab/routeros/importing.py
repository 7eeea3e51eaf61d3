"""`/import`: a script from a file. One that doesn't parse changes nothing, unless it is verbose."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.lab.routeros import files
from runbook.lab.routeros.console.builtins import Return
from runbook.lab.routeros.console.interpreter import Interpreter
from runbook.lab.routeros.console.parser import Parser
from runbook.lab.routeros.console.tree import Block, Code, Literal, Substitution
from runbook.lab.routeros.device import Device, Reply
from runbook.lab.routeros.errors import Category, RouterError
from runbook.lab.routeros.session import Session

DONE = "Script file loaded and executed successfully"


def run(router: Device, session: Session, given: Mapping[str, str]) -> Reply:
    name = given.get("file-name", "")
    if not name:
        raise RouterError("missing value(s) of argument(s) file-name", Category.MISSING)
    text = _text(router, name)
    verbose = given.get("verbose") == "yes"
    dry = "dry-run" in given and given["dry-run"] != "no"
    if dry and not verbose:
        raise RouterError("dry-run can be used only with verbose=yes", Category.ARGUMENT)
    first = int(given.get("from-line") or 1)
    text = "\n".join(text.replace("\r\n", "\n").split("\n")[first - 1 :])
    interpreter = Interpreter(router, session)
    try:
        if verbose:
            _step_by_step(router, interpreter, text, first, dry=dry)
        else:
            interpreter.run(Parser(text, router.tree, first_line=first).script(), interpreter.scope)
    except Return:
        pass
    except RouterError as error:
        shown = "\n".join([*interpreter.output, _said(router, error)])
        return Reply(text=shown, error=_as_error(router, error))
    opening = [f"Opening script file {name}", ""] if router.release.is_6 else []
    return Reply(text="\n".join([*opening, *interpreter.output, DONE]))


def _text(router: Device, name: str) -> str:
    for one in (name, f"{name}.rsc"):
        if one in router.state.files:
            return files.get(router, one).content.decode("utf-8", "replace")
    if router.release.is_6:
        raise RouterError("input does not match any value of file-name", Category.ARGUMENT)
    raise RouterError("Cannot open import file, file does not exist", Category.MISSING)


def _step_by_step(
    router: Device, interpreter: Interpreter, text: str, first: int, *, dry: bool
) -> None:
    parser = Parser(text, router.tree, first_line=first)
    while True:
        command = parser.next_command()
        if command is None:
            return
        interpreter.output += [f"#line {command.line}", *parser.source_of_last().splitlines()]
        try:
            if dry:
                _check(router, Block([command]))
            else:
                interpreter.execute(command, interpreter.scope)
        except RouterError as error:
            error.at = error.at or (f"/{command.path}/{command.name}", command.line)
            raise


def _check(router: Device, block: Block) -> None:
    """Values that are written out are checked; what depends on the state isn't."""
    for command in block.commands:
        for one in command.arguments:
            if isinstance(one.value, Code | Substitution):
                _check(router, one.value.block)
        menu = router.menus.get(command.path)
        if menu is None or command.name not in {"add", "set"}:
            continue
        given = {
            one.name: one.value.text
            for one in command.arguments
            if isinstance(one.value, Literal) and one.name in menu.properties
        }
        router.operations.checked(menu, given, refer=False)


def _said(router: Device, error: RouterError) -> str:
    """7 says where it comes from, and newer versions which command it was."""
    if router.release.is_6:
        return error.text
    place = ""
    if error.at and not error.line and router.release.places_errors:
        place = f" ({error.at[0]}; line {error.at[1]})"
    return f"Script Error: {error.text}{place}"


def _as_error(router: Device, error: RouterError) -> RouterError:
    return RouterError(_said(router, error), error.category or Category.SCRIPT, output="shown")
