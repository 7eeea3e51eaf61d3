"""One router: its state, its clock, and the services by which it is reached."""

from __future__ import annotations

import json
import re
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from runbook.lab.routeros import certificates, commands, defaults, facts
from runbook.lab.routeros.clock import Clock, write_moment
from runbook.lab.routeros.console.builtins import Return
from runbook.lab.routeros.console.interpreter import Interpreter
from runbook.lab.routeros.device import Device
from runbook.lab.routeros.errors import Rebooting, RouterError
from runbook.lab.routeros.faults import Faults
from runbook.lab.routeros.net import hub
from runbook.lab.routeros.net.endpoints import Endpoints
from runbook.lab.routeros.operations import Operations
from runbook.lab.routeros.scheduler import Scheduler
from runbook.lab.routeros.session import Active, Session
from runbook.lab.routeros.state import LogEntry, State
from runbook.lab.routeros.versions import Release

MANAGEMENT = "192.168.88.1/24"
CLIENT = "192.168.88.10"
BOOT_S = 2.0
"""How long a reboot takes, by the router's clock."""
LINGER_S = 0.05
"""So that the answer to the command that reboots still arrives."""
_PACKAGE = re.compile(r"(routeros|system)-.*?(?P<version>\d+\.\d+(\.\d+)?).*\.npk")


class Router(Device):
    """See the package's docstring."""

    def __init__(  # noqa: PLR0913 - callers name the few that they need
        self,
        version: str = "7.18",
        *,
        username: str = "admin",
        password: str = "",
        identity: str = "MikroTik",
        management: str = MANAGEMENT,
        client: str = CLIENT,
        clock_rate: float = 1.0,
        api_port: int = 0,
        api_ssl_port: int = 0,
        ssh_port: int = 0,
        certificate: bool = True,
        state: Path | None = None,
        boot_seconds: float = BOOT_S,
        rescue: str = "",
    ) -> None:
        self.release = Release(version)
        self.username, self.password = username, password
        self.clock = Clock(clock_rate)
        self.management = management.partition("/")[0]
        self.client = client
        self.lock = threading.RLock()
        self.allowed = threading.Condition(self.lock)
        """Notified after each change: connections that wait may be let through."""
        self.faults = Faults()
        self.newest = ""
        """The version that `check-for-updates` finds; the newest that we know if empty."""
        self.checked_for_updates = ""
        self.downloaded = ""
        self.wanted_mode = ""
        self.button = threading.Event()
        self.jobs_end = threading.Event()
        self.globals: dict[str, object] = {}
        self.boot_seconds = boot_seconds
        self.rescue = rescue
        self.boots = 0
        self.is_up = False
        self.ca = ""
        self._kept = state
        self._identity = identity
        self._file_ids: dict[str, str] = {}
        self._rebooting = False
        self.serial = f"HE{zlib.crc32(identity.encode()):08X}"
        self.software_id = f"{self.serial[2:6]}-{self.serial[6:10]}"
        self._learn_version()
        self.state = self._load() or self._new(management, certificate=certificate)
        if upgraded := self.state.facts.get("version"):
            self.release = Release(upgraded)
            self._learn_version()
        self.ca = self.state.facts.get("ca", "")
        self.hub = hub.shared()
        self.scheduler = Scheduler(self, self.hub)
        ports = {"api": api_port, "api-ssl": api_ssl_port, "ssh": ssh_port}
        self.endpoints = Endpoints(self, self.hub, ports)
        self.faults.changed = self.refresh_faults

    def _learn_version(self) -> None:
        words = commands.vocabulary(self.release)
        self.menus, self.commands, self.tree = words.menus, words.commands, words.tree
        self.operations = Operations(self)
        self.factory = defaults.bare(self)

    # -- starting and ending ---------------------------------------------------------------

    def start(self) -> Self:
        self.endpoints.bind()
        self._boot()
        return self

    def stop(self) -> None:
        self.keep()
        self.is_up = False
        self._end_jobs()
        self.scheduler.stop()
        self.endpoints.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def host(self) -> str:
        return "127.0.0.1"

    @property
    def api_port(self) -> int:
        return self.endpoints.ports["api"]

    @property
    def api_ssl_port(self) -> int:
        return self.endpoints.ports["api-ssl"]

    @property
    def ssh_port(self) -> int:
        return self.endpoints.ports["ssh"]

    @property
    def host_key(self) -> str:
        """`TYPE BASE64`, as in a file of known hosts."""
        return self.endpoints.host_key.public

    def change_host_key(self) -> None:
        self.endpoints.host_key.renew()

    # -- what tests look at ----------------------------------------------------------------

    def run(self, text: str) -> str:
        """Execute console commands as the owner, and return what they print."""
        return "\n".join(self.run_script(text, Session(self.username, via="console")))

    def export(self, *options: str) -> str:
        from runbook.lab.routeros.exporting import export

        with self.lock:
            return export(self, "", dict.fromkeys(options, "yes")).replace("\r\n", "\n")

    def snapshot(self) -> str:
        """The configuration without the line that holds the time: the same if nothing changed."""
        return self.export("show-sensitive").partition("\n")[2]

    def advance(self, seconds: float) -> None:
        """Let time pass at once; what is due runs before this returns."""
        self.clock.advance(seconds)
        self.scheduler.fire()

    def wait_until_up(self, boots: int = 0, timeout: float = 30.0) -> bool:
        """Until it has started so many times and runs."""
        with self.allowed:
            return self.allowed.wait_for(
                lambda: self.is_up and not self._rebooting and self.boots >= boots, timeout
            )

    # -- what the commands do --------------------------------------------------------------

    def run_script(self, text: str, session: Session) -> list[str]:
        interpreter = Interpreter(self, session)
        try:
            interpreter.run_text(text)
        except Return:
            pass
        except RecursionError:
            raise RouterError("maximum recursion depth exceeded") from None
        except ValueError:
            raise RouterError("invalid value") from None
        return interpreter.output

    def log(self, topics: str, message: str) -> None:
        moment = write_moment(self.clock.now(), iso=self.release.has_iso_dates)
        self.state.note(LogEntry(moment, topics, message))

    def allows(self, feature: str) -> bool:
        mode = self.state.facts.get("mode", self.release.default_mode)
        allowed = self.state.facts.get(f"mode/{feature}")
        return allowed != "no" and (
            allowed == "yes" or feature not in facts.FORBIDDEN_BY_MODE[mode]
        )

    def changed(self, *paths: str) -> None:
        """Something in these menus is different."""
        if not self.is_up:
            return
        if "system/scheduler" in paths:
            self.scheduler.refresh()
        self.endpoints.refresh()
        with self.allowed:
            self.allowed.notify_all()
        self.keep()

    def refresh_faults(self) -> None:
        self.endpoints.refresh()
        with self.allowed:
            self.allowed.notify_all()

    def active(self) -> list[Active]:
        return self.endpoints.active()

    def file_id(self, name: str) -> str:
        return self._file_ids.setdefault(name, f"*{len(self._file_ids) + 1:X}")

    def sleep(self, seconds: float, cancelled: threading.Event) -> bool:
        """By the router's clock; true if it was cut short."""
        return cancelled.wait(self.clock.real_seconds(seconds))

    def background(self, work: Callable[[], object], name: str) -> None:
        def run() -> None:
            with suppress(Rebooting, RouterError, Return):
                work()

        threading.Thread(target=run, name=f"routeros-{name}", daemon=True).start()

    # -- restarting ------------------------------------------------------------------------

    def reboot(self, apply: Callable[[], None] | None = None) -> None:
        """Goes down a moment later, and comes back by itself. `apply` runs in between."""
        with self.lock:
            if self._rebooting:
                return
            self._rebooting = True
        self.hub.later(LINGER_S, lambda: self.background(lambda: self._restart(apply), "reboot"))

    def power_cycle(self) -> None:
        """Without the router's doing; confirms a change of the device mode."""
        self.press_button()
        self.reboot()

    def press_button(self) -> None:
        if self.wanted_mode:
            self.button.set()

    def shutdown(self) -> None:
        self.hub.later(LINGER_S, self._go_down)

    def reset(self, *, keep_users: bool, no_defaults: bool, skip_backup: bool, script: str) -> None:
        def apply() -> None:
            config = defaults.bare(self)
            old = self.config
            if keep_users:
                config.tables["user"] = old.rows("user")
                config.tables["user/group"] = old.rows("user/group")
                config.counters.update({k: v for k, v in old.counters.items() if "user" in k})
            else:
                defaults.add_user(config, "admin", "")
            if not no_defaults:
                defaults.fill(self, config, MANAGEMENT)
            self.state.config = config
            self.state.history = []
            if script:
                self._run_after_reset(script)

        if not skip_backup:
            from runbook.lab.routeros import backup

            backup.save(self, Session(), {"name": "auto-before-reset", "dont-encrypt": "yes"})
        self.reboot(apply)

    def _run_after_reset(self, name: str) -> None:
        text = self.state.files[name].content.decode("utf-8", "replace")
        try:
            self.run_script(text, Session("admin", via="script"))
        except RouterError as error:
            self.log("script,error", f"error running {name}: {error.text}")

    def _restart(self, apply: Callable[[], None] | None) -> None:
        self._go_down()
        time.sleep(self.clock.real_seconds(self.boot_seconds))
        with self.lock:
            if version := self.downloaded or self._uploaded():
                self.release = Release(version)
                self.state.facts["version"] = version
                self.downloaded = self.checked_for_updates = ""
                self._learn_version()
            if firmware := self.state.facts.pop("new-firmware", ""):
                self.state.facts["firmware"] = firmware
            if apply:
                apply()
            self._rebooting = False
        self._boot()

    def _uploaded(self) -> str:
        """The version of a package among the files, which is used up by the restart."""
        for name in list(self.state.files):
            if match := _PACKAGE.fullmatch(name):
                del self.state.files[name]
                return match["version"]
        return ""

    def _go_down(self) -> None:
        self.log("system,info", "router rebooted")
        with self.lock:
            self.is_up = False
        self._end_jobs()
        self.scheduler.stop()
        self.endpoints.cut()

    def _end_jobs(self) -> None:
        self.jobs_end.set()
        self.jobs_end = threading.Event()

    def _boot(self) -> None:
        with self.lock:
            self.clock.boot()
            self.globals.clear()
            self.is_up = True
            self.boots += 1
        self.endpoints.refresh()
        self.scheduler.boot()
        with self.allowed:
            self.allowed.notify_all()
        self.keep()

    # -- keeping ---------------------------------------------------------------------------

    def keep(self) -> None:
        if self._kept is None:
            return
        with self.lock:
            text = json.dumps(self.state.to_json())
        new = self._kept.with_suffix(".new")
        new.touch(mode=0o600)  # it holds passwords and keys
        new.write_text(text)
        new.replace(self._kept)

    def _load(self) -> State | None:
        if self._kept is None or not self._kept.exists():
            return None
        found: dict[str, Any] = json.loads(self._kept.read_text())
        return State.from_json(found)

    def _new(self, management: str, *, certificate: bool) -> State:
        state = State(config=defaults.bare(self))
        config = state.config
        config.settings["system/identity"] = {"name": self._identity}
        defaults.fill(self, config, management)
        defaults.add_user(config, self.username, self.password)
        if certificate:
            authority, own, key = certificates.make_authority()
            state.facts["ca"] = authority
            defaults.certify(config, own, key)
        return state
