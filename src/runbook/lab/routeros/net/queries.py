"""The queries of `print`: a stack of truths, which the last words combine."""

from __future__ import annotations

from runbook.lab.routeros.errors import Category, RouterError
from runbook.lab.routeros.state import Row
from runbook.lab.routeros.values import order

_SAID = {"true": "yes", "false": "no"}


def matches(queries: list[str], row: Row) -> bool:
    """All that is left on the stack must be true."""
    stack: list[bool] = []
    for query in queries:
        if query.startswith("#"):
            _operate(query[1:], stack)
        else:
            stack.append(_holds(query, row))
    return all(stack)


def _holds(query: str, row: Row) -> bool:
    if query.startswith("-"):
        return query[1:] not in row
    sign = query[0] if query[:1] in {"<", ">", "="} else ""
    name, given, value = query.removeprefix(sign).partition("=")
    if not given:
        return name in row
    if name not in row:
        return False
    value = _SAID.get(value, value)
    if sign == "<":
        return order(row[name]) < order(value)
    if sign == ">":
        return order(row[name]) > order(value)
    return row[name] == value


def _operate(operations: str, stack: list[bool]) -> None:
    digits = ""
    for one in operations:
        if one.isdigit():
            digits += one
            continue
        try:
            _apply(one, digits, stack)
        except IndexError:
            raise RouterError("invalid query", Category.ARGUMENT) from None
        digits = ""
    if digits:
        stack[:] = [_at(stack, digits)]


def _at(stack: list[bool], digits: str) -> bool:
    """The top is 0."""
    index = int(digits)
    if index >= len(stack):
        raise RouterError("invalid query", Category.ARGUMENT)
    return stack[-1 - index]


def _apply(one: str, digits: str, stack: list[bool]) -> None:
    if digits:
        stack.append(_at(stack, digits))
    elif one == ".":
        stack.append(stack[-1])
    if one == ".":
        return
    if one == "!":
        stack.append(not stack.pop())
    elif one in {"&", "|"}:
        right, left = stack.pop(), stack.pop()
        stack.append(left and right if one == "&" else left or right)
    else:
        raise RouterError("invalid query", Category.ARGUMENT)
