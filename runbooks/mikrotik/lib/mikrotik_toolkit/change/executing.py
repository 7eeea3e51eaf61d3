"""Reads and changes single rows of a router's menus."""

from __future__ import annotations

import os

import runbook
from mikrotik_toolkit import given, known, showing
from mikrotik_toolkit.change import menus
from runbook.connectors import routeros
from runbook.connectors.effects import EarlierChange, earlier, effect
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros.device import Row
from runbook.connectors.routeros.properties import is_secret
from runbook.connectors.routeros.router import Router

EFFECT = "exec"
PRINT, ADD, SET, REMOVE, RUN = "print", "add", "set", "remove", "run"
PLACEHOLDER = "$SECRET"
LONGEST = 1000
"""Characters of the values that the journal of effects keeps."""
_OWN = frozenset({".id", "dynamic", "invalid", "running", "bytes", "packets", "default"})


def main() -> None:
    """The input ACTION says what is done."""
    action = given.text("ACTION")
    path, values = menus.path_of(given.text("MENU")), given.pairs("VALUES")
    menus.check_properties(list(values))
    values = {name: _filled(value) for name, value in values.items()}
    if action == RUN:
        # The last word is the command; the menu itself may be denied, or all of it.
        menus.path_of(f"{path}/{given.text('COMMAND')}")
    with routeros.connect("ROUTER") as router:
        if not _made_before(router, path, values):
            _ACTIONS[action](router, path, values)


def _filled(value: str) -> str:
    """The secret where a value stands for it: values of lists are stored with the run."""
    if value != PLACEHOLDER:
        return value
    secret = os.environ.get("SECRET", "")
    if not secret:
        raise given.invalid(f"SECRET is needed for the value {PLACEHOLDER}")
    return secret


def _print(router: Router, path: str, values: dict[str, str]) -> None:
    show(router.print(path, where=values or None))


def _add(router: Router, path: str, values: dict[str, str]) -> None:
    probe = {"menu": path, "action": ADD, "last": _last(router, path)}
    what = f"add {_named(values)} to {path} of {known.name_of()}"
    with effect(what, key=EFFECT, probe=probe) as change:
        change.outcome["row"] = router.add(path, values)
    runbook.output("ROW", change.outcome["row"])


def _set(router: Router, path: str, values: dict[str, str]) -> None:
    if not values:
        raise given.invalid("VALUES is empty: there is nothing to set")
    row = given.text("ROW")
    found = row_of(router, path, row)
    before = {name: found.get(name, "") for name in values}
    which = found.get(".id") if row else None
    probe = {"menu": path, "action": SET, "row": which or "", "before": _short(before)}
    what = f"set {_named(values)} in {path} {row}".rstrip()
    with effect(f"{what} of {known.name_of()}", key=EFFECT, probe=probe):
        router.set(path, which, values)
    runbook.output("BEFORE", menus.hidden(before))


def _remove(router: Router, path: str, values: dict[str, str]) -> None:
    if values:
        raise given.invalid("VALUES is not used to remove a row. Name it in ROW")
    row = given.text("ROW")
    if not row:
        raise given.invalid("ROW is needed: which row to remove")
    found = row_of(router, path, row)
    probe = {
        "menu": path,
        "action": REMOVE,
        "row": found[".id"],
        "before": _short(_settable(found)),
    }
    with effect(f"remove {row} from {path} of {known.name_of()}", key=EFFECT, probe=probe):
        router.remove(path, found[".id"])
    runbook.output("BEFORE", menus.hidden(_settable(found)))


def _run(router: Router, path: str, values: dict[str, str]) -> None:
    command = f"{path}/{given.text('COMMAND')}"
    row = given.text("ROW")
    if row:
        values = {"numbers": row_of(router, path, row)[".id"], **values}
    probe = {"menu": path, "action": RUN, "command": command}
    with effect(f"run {command} on {known.name_of()}", key=EFFECT, probe=probe):
        rows = router.call(command, values)
    show(rows)


_ACTIONS = {PRINT: _print, ADD: _add, SET: _set, REMOVE: _remove, RUN: _run}


def row_of(router: Router, path: str, row: str) -> Row:
    """By its ID or its name; the only row of a menu of settings if `row` is empty."""
    if not row:
        rows = router.print(path)
        if len(rows) == 1 and ".id" not in rows[0]:
            return rows[0]
        raise given.invalid(f"ROW is needed: {path} has rows")
    rows = router.print(path, where={".id" if row.startswith("*") else "name": row})
    if len(rows) == 1:
        return rows[0]
    text = f"{path} has {'no' if not rows else 'more than one'} row {row}"
    raise ConnectorError(text, ErrorCode.NOT_FOUND, nothing_changed=True)


def show(rows: list[Row]) -> None:
    rows = list(map(menus.hidden, rows))
    names = list(dict.fromkeys(name for row in rows for name in row))
    showing.table(names, [[row.get(name, "") for name in names] for row in rows])
    for row in rows:
        print(" ".join(f"{name}={value}" for name, value in row.items()))
    runbook.output("ROWS", rows[: showing.MOST_ROWS])
    runbook.output("COUNT", len(rows))


# -- earlier attempts ------------------------------------------------------------------------------


def _made_before(router: Router, path: str, values: dict[str, str]) -> bool:
    """Whether an attempt that was killed has made the change. Raises `conflict` if nobody knows."""
    made = False
    for change in earlier(EFFECT):
        row = _result_of(router, change, path, values)
        if row is None:
            change.did_not_happen()
            continue
        change.adopt(row=row)
        print(f"Run {change.run_id} has done this already: {change.what}")
        runbook.output("ROW", row)
        made = True
    return made


def _result_of(
    router: Router, change: EarlierChange, path: str, values: dict[str, str]
) -> str | None:
    """The row that was changed; None if the change wasn't made."""
    action, row = change.probe["action"], str(change.probe.get("row") or "")
    if action == ADD:
        since = [one for one in _ids(router, path) if _number(one) > change.probe["last"]]
        if len(since) > 1:
            raise _unsure(change, "several rows were added since")
        return since[0] if since else None
    if action == RUN:
        raise _unsure(change, "nothing tells whether it was")
    found = router.print(path, where={".id": row} if row else None)
    if action == REMOVE:
        return None if found else row
    is_set = bool(found) and all(found[0].get(name) == value for name, value in values.items())
    return row if is_set else None


def _unsure(change: EarlierChange, why: str) -> ConnectorError:
    text = f"Run {change.run_id} was interrupted when it was about to {change.what}, and {why}"
    return ConnectorError(f"{text}. Look at the router, then start a new run", ErrorCode.CONFLICT)


def _last(router: Router, path: str) -> int:
    """The number of the newest row: numbers only grow."""
    return max(map(_number, _ids(router, path)), default=0)


def _ids(router: Router, path: str) -> list[str]:
    return [row[".id"] for row in router.print(path, properties=(".id",)) if ".id" in row]


def _number(row: str) -> int:
    return int(row.removeprefix("*"), 16)


# -- undo ----------------------------------------------------------------------------------------


def undo() -> None:
    """Remove what was added, and set what was set back."""
    with routeros.connect("ROUTER") as router:
        for change in earlier(EFFECT):
            _undone(router, change)


def _undone(router: Router, change: EarlierChange) -> None:
    probe = change.probe
    path, action = str(probe["menu"]), probe["action"]
    row = str(probe.get("row") or change.outcome.get("row") or "")
    if action == ADD and row:
        if router.print(path, where={".id": row}):
            router.remove(path, row)
    elif action == SET and probe["before"] is not None:
        router.set(path, row or None, probe["before"])
    else:
        text = f"Run {change.run_id} did this, which can't be reversed here: {change.what}"
        raise ConnectorError(f"{text}. Use Rollback or Restore", ErrorCode.CONFLICT)
    change.undone()
    print(f"Reversed: {change.what}")


def _named(values: dict[str, str]) -> str:
    """For people, without secrets: only names of properties."""
    return ", ".join(values) or "a row"


def _short(before: dict[str, str]) -> dict[str, str] | None:
    """What the journal keeps: never a secret, and not too much. None if it can't be kept."""
    if any(map(is_secret, before)):
        return None
    return before if sum(map(len, (*before, *before.values()))) <= LONGEST else None


def _settable(row: Row) -> dict[str, str]:
    return {name: value for name, value in row.items() if name not in _OWN}
