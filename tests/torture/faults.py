"""What is done to a server, at random moments of the storm. Several faults can overlap."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from torture.damage import Vandal
from torture.database import Database
from torture.ground import Ground
from torture.keeper import Keeper
from torture.watch import Watch

HOUR_S = 3600
JUMPS_S = (-HOUR_S, -20, 20, HOUR_S, 100 * 24 * HOUR_S)
SHORTEST_S, LONGEST_S = 0.3, 2.0
"""Between two faults."""
EARLY = 0.2
KEYS_LAST_S = 24 * HOUR_S - HOUR_S


@dataclass(frozen=True)
class Heal:
    due: float
    act: Callable[[], object]


class Faults:
    """Does the next fault when its time has come, and heals those that have lasted long enough."""

    def __init__(
        self,
        keeper: Keeper,
        ground: Ground,
        database: Database,
        watch: Watch,
        vandal: Vandal,
        chance: random.Random,
    ) -> None:
        self._keeper = keeper
        self._ground = ground
        self._database = database
        self._watch = watch
        self._chance = chance
        self._heals: list[Heal] = []
        self._began = time.monotonic()
        self._next: float | None = None
        self._is_patient = True
        """Most faults wait until the server accepts runs again; some come earlier."""
        self._actions: dict[str, tuple[int, Callable[[], bool]]] = {
            "kill worker": (6, self._kill_worker),
            "kill web": (3, self._kill_web),
            "kill a web process": (2, self._kill_web_process),
            "kill supervisor": (2, self._kill_supervisor),
            "kill all at once": (1, self._kill_all),
            "stop server": (1, self._stop_server),
            "freeze worker": (3, self._freeze_worker),
            "freeze web": (2, self._freeze_web),
            "close log pipe": (2, keeper.close_log),
            "stop reading log pipe": (2, self._stop_reading),
            "jump clock": (3, self._jump),
            "crash database": (2, self._crash_database),
            "fill disk of DATA_DIR": (2, self._fill_data),
            "fill disk of log": (2, self._fill_log),
            "damage run": (3, vandal.damage_run),
            "damage event": (2, vandal.damage_event),
            "damage document": (2, vandal.damage_document),
        }

    def skip(self, *names: str, reason: str) -> None:
        for name in names:
            del self._actions[name]
            self._watch.skipped[name] = reason

    def step(self) -> None:
        """Called all the time."""
        now = time.monotonic()
        for heal in [heal for heal in self._heals if heal.due <= now]:
            self._heals.remove(heal)
            heal.act()
        self._keeper.ensure()
        if not self._is_patient or self._keeper.is_ready():
            if self._next is None:
                self._next = now + self._chance.uniform(SHORTEST_S, LONGEST_S)
            if now >= self._next:
                self._act()
                self._next, self._is_patient = None, self._chance.random() > EARLY

    def heal_all(self) -> None:
        for heal in self._heals:
            heal.act()
        self._heals.clear()
        self._set_right()

    def _act(self) -> None:
        weights = [weight for weight, _ in self._actions.values()]
        (name,) = self._chance.choices(list(self._actions), weights)
        at = time.monotonic() - self._began
        done = self._actions[name][1]()
        self._watch.tell(f"{at:6.1f} s  {name}{'' if done else ' (nothing to do it to)'}")
        if done:
            self._watch.count(f"fault: {name}")

    def _later(self, act: Callable[[], object], longest: float = 3.0) -> None:
        self._heals.append(Heal(time.monotonic() + self._chance.uniform(0.5, longest), act))

    def _kill_worker(self) -> bool:
        worker = self._keeper.worker()
        return worker is not None and self._keeper.kill(worker)

    def _kill_web(self) -> bool:
        return self._keeper.kill(*self._keeper.web())

    def _kill_web_process(self) -> bool:
        web = self._keeper.web()[1:]
        return bool(web) and self._keeper.kill(self._chance.choice(web))

    def _kill_supervisor(self) -> bool:
        return self._keeper.end(signal.SIGKILL)

    def _kill_all(self) -> bool:
        """So that nothing of the engine has time to end its scripts."""
        if not self._keeper.is_running:
            return False
        worker = self._keeper.worker()
        all_of_it = [
            *([worker] if worker else []),
            *self._keeper.web(),
            self._keeper.server.process,
        ]
        for process in all_of_it:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        self._keeper.expected_end = True
        return self._keeper.kill(*all_of_it)

    def _stop_server(self) -> bool:
        return self._keeper.end(signal.SIGTERM)

    def _freeze_worker(self) -> bool:
        worker = self._keeper.worker()
        return worker is not None and self._freeze([worker])

    def _freeze_web(self) -> bool:
        return self._freeze(self._keeper.web())

    def _freeze(self, processes: list[psutil.Process]) -> bool:
        def thaw() -> None:
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        self._later(thaw)
        return bool(processes)

    def _stop_reading(self) -> bool:
        pipe = self._keeper.pipe
        if pipe is None:
            return False
        pipe.flows.clear()
        self._later(pipe.flows.set, 6.0)
        return True

    def _jump(self) -> bool:
        seconds = self._chance.choice(JUMPS_S)
        self._watch.keys_expire = self._watch.keys_expire or seconds > KEYS_LAST_S
        self._ground.set_clock(seconds)
        self._later(self._set_right, 6.0)
        return True

    def _set_right(self) -> None:
        self._ground.set_clock(0)
        self._watch.keys_expire = False

    def _crash_database(self) -> bool:
        if not self._database.crash():
            return False
        self._keeper.hinder_start()
        self._later(self._database.recover)
        return True

    def _fill_data(self) -> bool:
        self._ground.data.fill()
        self._keeper.hinder_start()
        self._later(self._ground.data.free)
        return True

    def _fill_log(self) -> bool:
        self._ground.logs.fill()
        self._later(self._ground.logs.free)
        return True
