"""`/system scheduler`: fires by the router's own clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from runbook.lab.routeros.clock import read_date, read_duration, read_time
from runbook.lab.routeros.device import Device
from runbook.lab.routeros.errors import Rebooting, RouterError
from runbook.lab.routeros.menus.system import DEFAULT_POLICY
from runbook.lab.routeros.net.hub import Hub, Timer
from runbook.lab.routeros.session import Session
from runbook.lab.routeros.state import Row

PATH = "system/scheduler"
STARTUP_S = 3.0
"""So long after the start do entries with start-time=startup run."""
FAILED = "executing script {name} from scheduler failed, please check it manually"


class Scheduler:
    def __init__(self, router: Device, hub: Hub) -> None:
        self._router = router
        self._hub = hub
        self._due: dict[str, datetime] = {}
        self._seen: dict[str, tuple[str, ...]] = {}
        self._timer: Timer | None = None

    def due(self, which: str) -> float | None:
        """As seconds since 1970."""
        found = self._due.get(which)
        return found.timestamp() if found else None

    def boot(self) -> None:
        """Work out anew when each entry is due."""
        self._due, self._seen = {}, {}
        self._plan(booting=True)

    def boot_again(self) -> None:
        """The clock was set: entries with a date are due at other times."""
        self._seen = {which: said for which, said in self._seen.items() if said[1] == "startup"}
        self._plan(booting=False)

    def refresh(self) -> None:
        """After a change: entries that changed are planned anew."""
        self._plan(booting=False)

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None

    def fire(self) -> None:
        """Run what is due, in the order of time, and plan the rest."""
        now = self._router.clock.now()
        ready = sorted((due, which) for which, due in self._due.items() if due <= now)
        for _, which in ready:
            with self._router.lock:
                row = self._row(which)
                if row is None:
                    continue
                self._after_run(row, now)
            if not self._run(row):
                return
        self._arm()

    def _row(self, which: str) -> Row | None:
        rows = self._router.config.rows(PATH)
        return next((row for row in rows if row[".id"] == which), None)

    def _after_run(self, row: Row, now: datetime) -> None:
        count = str(int(row.get("run-count", "0")) + 1)
        self._router.config.replace(PATH, row, {**row, "run-count": count})
        interval = _interval(row)
        if interval:
            due = self._due[row[".id"]]
            while due <= now:
                due += interval
            self._due[row[".id"]] = due
        else:
            del self._due[row[".id"]]

    def _run(self, row: Row) -> bool:
        """False if it restarts the router."""
        router = self._router
        if not router.allows("scheduler"):
            router.log("script,error", "not allowed by device-mode")
            return True
        policies = frozenset(row.get("policy", DEFAULT_POLICY).split(","))
        session = Session(row.get("owner", "admin"), policies, "scheduler", values=router.globals)
        name = row.get("on-event", "")
        try:
            router.run_script(_source(router, name), session)
        except Rebooting:
            return False
        except RouterError as error:
            router.log("script,error", FAILED.format(name=row["name"]))
            router.log("script,error,debug", error.text)
        return True

    def _plan(self, *, booting: bool) -> None:
        now = self._router.clock.now()
        rows = self._router.config.rows(PATH)
        for row in rows:
            said = tuple(
                row.get(one, "") for one in ("start-date", "start-time", "interval", "disabled")
            )
            which = row[".id"]
            if self._seen.get(which) == said:
                continue
            self._seen[which] = said
            self._due.pop(which, None)
            due = None if row.get("disabled") == "yes" else self._first(row, now, booting=booting)
            if due:
                self._due[which] = due
        kept = {row[".id"] for row in rows}
        self._due = {which: due for which, due in self._due.items() if which in kept}
        self._seen = {which: said for which, said in self._seen.items() if which in kept}
        self._arm()

    def _first(self, row: Row, now: datetime, *, booting: bool) -> datetime | None:
        interval = _interval(row)
        if row.get("start-time", "startup") == "startup":
            if interval:
                return self._router.clock.booted + interval if booting else now + interval
            return now + timedelta(seconds=STARTUP_S) if booting else None
        start = read_date(row["start-date"]) + read_time(row["start-time"])
        if start > now:
            return start
        if not interval:
            return None
        passed = (now - start) // interval
        return start + interval * (passed + 1)

    def _arm(self) -> None:
        self.stop()
        if not self._due or not self._router.is_up:
            return
        left = (min(self._due.values()) - self._router.clock.now()).total_seconds()
        real = max(self._router.clock.real_seconds(left), 0.0)
        self._timer = self._hub.later(real, self._fire_apart)

    def _fire_apart(self) -> None:
        self._router.background(self.fire, "scheduler")


def _interval(row: Row) -> timedelta:
    return timedelta(seconds=read_duration(row.get("interval", "0s")))


def _source(router: Device, event: str) -> str:
    """The script of that name, or the text itself."""
    for row in router.config.rows("system/script"):
        if row["name"] == event.strip():
            return row.get("source", "")
    return event
