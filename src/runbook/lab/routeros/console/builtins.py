"""The commands of the language itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from runbook.lab.routeros.clock import read_duration, write_duration
from runbook.lab.routeros.console.evaluate import Evaluator, Scope, number, text, truth
from runbook.lab.routeros.console.tree import Block, Code, Command, Value
from runbook.lab.routeros.device import Device
from runbook.lab.routeros.errors import Category, RouterError
from runbook.lab.routeros.session import Session

LOOPS = 100_000


class _Return(Exception):  # noqa: N818 - leaves the script
    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value


class Runner(Protocol):
    """See interpreter.py."""

    router: Device
    session: Session
    output: list[str]
    evaluator: Evaluator

    def run(self, block: Block, scope: Scope) -> object: ...


class Call:
    """The arguments of one command, evaluated when they are asked for."""

    def __init__(self, interpreter: Runner, command: Command, scope: Scope) -> None:
        self.interpreter = interpreter
        self.command = command
        self.scope = scope

    @property
    def places(self) -> list[Value]:
        return [one.value for one in self.command.arguments if not one.name]

    def named(self, name: str) -> Value | None:
        return next((one.value for one in self.command.arguments if one.name == name), None)

    def value(self, tree: Value | None) -> object:
        if tree is None:
            return None
        return self.interpreter.evaluator.value(tree, self.scope)

    def at(self, place: int, name: str = "") -> object:
        tree = self.named(name) if name else None
        if tree is None and place < len(self.places):
            tree = self.places[place]
        return self.value(tree)

    def word(self, place: int) -> str:
        return text(self.at(place))

    def block(self, tree: Value | None) -> object:
        if isinstance(tree, Code):
            return self.interpreter.run(tree.block, self.scope.inner())
        if tree is not None:
            return self.value(tree)
        return None


def _if(call: Call) -> object:
    return call.block(call.named("do" if truth(call.at(0)) else "else"))


def _do(call: Call) -> object:
    body = call.named("command") or (call.places[0] if call.places else None)
    on_error = call.named("on-error")
    try:
        result = call.block(body)
        loops = 0
        while (condition := call.named("while")) and truth(call.value(condition)):
            result = call.block(body)
            loops = _bounded(loops)
    except RouterError:
        if on_error is None:
            raise
        return call.block(on_error)
    return result


def _while(call: Call) -> object:
    loops = 0
    while truth(call.at(0)):
        call.block(call.named("do"))
        loops = _bounded(loops)
    return None


def _bounded(loops: int) -> int:
    if loops > LOOPS:
        raise RouterError("interrupted", Category.INTERRUPTED)
    return loops + 1


def _for(call: Call) -> object:
    first, last = number(call.value(call.named("from"))), number(call.value(call.named("to")))
    step = number(call.value(call.named("step")) or (1 if first <= last else -1))
    name = call.word(0)
    call.scope = call.scope.inner()
    for value in range(first, last + (1 if step > 0 else -1), step):
        call.scope.declare(name, value)
        call.block(call.named("do"))
    return None


def _foreach(call: Call) -> object:
    found = call.value(call.named("in"))
    names = call.word(0).split(",")
    pairs = found.items() if isinstance(found, dict) else enumerate(_items(found))
    call.scope = call.scope.inner()
    for key, value in list(pairs):
        if len(names) == 2:
            call.scope.declare(names[0], key)
        call.scope.declare(names[-1], value)
        call.block(call.named("do"))
    return None


def _items(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    return [] if value in {None, ""} else list(text(value).split(","))


def _put(call: Call) -> object:
    call.interpreter.output += text(call.at(0, "message")).split("\n")
    return None


def _log(call: Call) -> object:
    topics = f"script,{call.word(0)}"
    call.interpreter.router.log(topics, text(call.at(1, "message")))
    return None


def _local(call: Call) -> object:
    call.scope.declare(call.word(0), call.at(1))
    return None


def _global(call: Call) -> object:
    if len(call.places) > 1:
        call.scope.shared[call.word(0)] = call.at(1)
    return None


def _set(call: Call) -> object:
    call.scope.set(call.word(0), call.at(1))
    return None


def _delay(call: Call) -> object:
    said = text(call.at(0, "delay-time")) or "1s"
    try:
        seconds = read_duration(said)
    except ValueError:
        raise RouterError("invalid value for argument delay-time", Category.ARGUMENT) from None
    if call.interpreter.router.sleep(seconds, call.interpreter.session.cancelled):
        raise RouterError("interrupted", Category.INTERRUPTED)
    return None


def _error(call: Call) -> object:
    raise RouterError(call.word(0), Category.SCRIPT)


def _return(call: Call) -> object:
    raise _Return(call.at(0))


def _execute(call: Call) -> object:
    script = call.named("script") or (call.places[0] if call.places else None)
    session = call.interpreter.session
    if isinstance(script, Code):
        block, inner = script.block, call.scope.inner()
        call.interpreter.router.background(lambda: call.interpreter.run(block, inner), "execute")
    else:
        source, router = text(call.value(script)), call.interpreter.router
        # It outlives the session that it came by, but not the router's restart.
        job = replace(session, cancelled=router.jobs_end)
        router.background(lambda: router.run_script(source, job), "execute")
    return "*1"


def _pick(call: Call) -> object:
    found, start = call.at(0), number(call.at(1))
    end = number(call.at(2)) if len(call.places) > 2 else start + 1
    if isinstance(found, list):
        return found[start:end] if len(call.places) > 2 else found[start]
    return text(found)[start:end]


def _find(call: Call) -> object:
    found, wanted = call.at(0), call.at(1)
    if isinstance(found, list):
        return found.index(wanted) if wanted in found else None
    at = text(found).find(text(wanted))
    return at if at >= 0 else None


def _len(call: Call) -> object:
    found = call.at(0)
    return len(found) if isinstance(found, list | dict) else len(text(found))


def _typeof(call: Call) -> object:
    found = call.at(0)
    if isinstance(found, list | dict):
        return "array"
    if found is None:
        return "nothing"
    return {bool: "bool", int: "num"}.get(type(found), "str")


def _tonum(call: Call) -> object:
    said = call.word(0)
    return int(said, 0) if re.fullmatch(r"-?(\d+|0x[0-9a-fA-F]+)", said) else None


def _totime(call: Call) -> object:
    try:
        return write_duration(read_duration(call.word(0)))
    except ValueError:
        return None


def _evaluate(call: Call) -> object:
    found = call.at(0)
    if found is not None and found != "":
        call.interpreter.output += text(found).split("\n")
    return found


def _parse(call: Call) -> object:
    from runbook.lab.routeros.console.parser import Parser

    Parser(call.word(0), call.interpreter.router.tree).script()
    return f"(evl {call.word(0)})"


def _same(call: Call) -> object:
    return call.at(0)


def _nothing(_: Call) -> object:
    return None


_FUNCTIONS: dict[str, Callable[[Call], object]] = {
    "if": _if, "do": _do, "while": _while, "for": _for, "foreach": _foreach, "put": _put,
    "log": _log, "local": _local, "global": _global, "set": _set, "delay": _delay,
    "error": _error, "return": _return, "execute": _execute, "pick": _pick, "find": _find,
    "len": _len, "typeof": _typeof, "tonum": _tonum, "totime": _totime, "evaluate": _evaluate,
    "tostr": lambda call: call.word(0), "toarray": lambda call: _items(call.at(0)),
    "toip": _same, "tobool": lambda call: truth(call.at(0)), "nothing": _nothing, "beep": _nothing,
    "time": _nothing, "environment": _nothing, "parse": _parse,
}  # fmt: skip


def _called(
    function: Callable[[Call], object],
) -> Callable[[Runner, Command, Scope], object]:
    return lambda interpreter, command, scope: function(Call(interpreter, command, scope))


BUILTINS = {name: _called(function) for name, function in _FUNCTIONS.items()}
Return = _Return
