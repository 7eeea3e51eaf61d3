"""`runbook serve`: supervises the web processes and the local worker.

The supervisor is the guardian of both (see `guard`). It doesn't import the engine. If a worker
dies, it kills the scripts that are left and starts a new worker, which first ends the runs of the
old one as `lost`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping

from runbook.host import guard, lines, proctable, scratch, sealing
from runbook.host.signals import STRAY, ignored_at_start

BAD_CONFIGURATION = 78
# With -P, no file in the current folder takes the place of a module.
WEB = (sys.executable, "-P", "-m", "runbook.api.server")
WORKER = (sys.executable, "-P", "-m", "runbook.worker")
QUICK_DEATH_SECONDS = 5.0
MOST_QUICK_DEATHS = 5
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Child:
    """One supervised process, restarted if it ends unexpectedly."""

    def __init__(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self._argv = argv
        self._environment = environment
        self._process: guard.EngineProcess | None = None
        self._started = 0.0
        self._quick_deaths = 0

    def start(self) -> None:
        self._started = time.monotonic()
        self._process = guard.spawn_engine(self._argv, self._environment, own_group=True)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def signal(self, number: int) -> None:
        if self._process is not None:
            self._process.signal(number)

    def ended(self) -> int:
        """Reap the ended process. Returns its exit code."""
        assert self._process is not None  # noqa: S101 - the caller saw it end
        code = self._process.wait()
        self._process.close()
        self._process = None
        quick = time.monotonic() - self._started < QUICK_DEATH_SECONDS
        self._quick_deaths = self._quick_deaths + 1 if quick else 0
        return code

    @property
    def hopeless(self) -> bool:
        """Whether it ended several times in a row shortly after its start."""
        return self._quick_deaths >= MOST_QUICK_DEATHS


class Supervisor:
    """Runs until it gets a stop signal, or until a child keeps failing at startup."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._web = Child(WEB, environment)
        self._worker = Child(WORKER, environment)
        self._stopping = False
        self._exit_code = 0
        self._ignored: frozenset[int] = frozenset()
        """Signals that this process was started to ignore. POST /api/shutdown needs SIGTERM."""

    def run(self) -> int:
        proctable.become_subreaper()
        guard.make_undumpable()
        self._ignored = ignored_at_start({*STOP_SIGNALS, signal.SIGHUP}) - {signal.SIGTERM}
        # Blocked, so that none is lost between two calls of sigwaitinfo.
        awaited = {*STOP_SIGNALS, *STRAY, signal.SIGHUP, signal.SIGCHLD}
        signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
        self._web.start()
        self._worker.start()
        try:
            while self._web.pid or self._worker.pid:
                self._handle(signal.sigwaitinfo(awaited).si_signo)
        finally:
            guard.sweep_descendants()
        return self._exit_code

    def _handle(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number in self._ignored or number in STRAY:
            _log("supervisor.signal_ignored", signal=number)
        elif number == signal.SIGHUP:
            self._web.signal(signal.SIGHUP)
        else:
            self._stop()

    def _stop(self, exit_code: int = 0) -> None:
        """Drain the worker first, so that clients can follow its runs until they finish."""
        self._exit_code = self._exit_code or exit_code
        self._stopping = True
        if self._worker.pid is not None:
            self._worker.signal(signal.SIGTERM)
        else:
            self._web.signal(signal.SIGTERM)

    def _reap(self) -> None:
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid == self._worker.pid:
                self._worker_ended(self._worker.ended())
            elif ended.si_pid == self._web.pid:
                self._web_ended(self._web.ended())
            else:
                os.waitpid(ended.si_pid, 0)  # an orphan of a dead child
            if not (self._web.pid or self._worker.pid):
                return

    def _worker_ended(self, code: int) -> None:
        guard.sweep_descendants(_living(self._web))
        if self._stopping:
            self._web.signal(signal.SIGTERM)
        else:
            self._restart(self._worker, "worker", code)

    def _web_ended(self, code: int) -> None:
        guard.sweep_descendants(_living(self._worker))
        if not self._stopping:
            self._restart(self._web, "web", code)

    def _restart(self, child: Child, name: str, code: int) -> None:
        if code == BAD_CONFIGURATION or child.hopeless:
            _log("supervisor.gives_up", child=name, exit_code=code)
            self._stop(code or 1)
            return
        _log("supervisor.restarts", child=name, exit_code=code)
        child.start()


def _living(child: Child) -> set[int]:
    return set() if child.pid is None else {child.pid}


def _log(event: str, **fields: object) -> None:
    """Like `log.event`, without importing the logging package."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"time": moment, "level": "WARNING", "logger": "runbook", "event": event, **fields}
    lines.standard_error.write(json.dumps(line).encode() + b"\n")


def serve(environment: Mapping[str, str], overrides: Mapping[str, str] | None = None) -> int:
    """Serve until a stop signal. Returns the exit code, 78 if the configuration is invalid.

    `environment` comes from `sealing.seal_environment`; `overrides` take precedence.
    """
    try:
        with scratch.temporary_folder(scratch.METRICS) as metrics:
            return Supervisor(
                {**environment, **(overrides or {}), scratch.METRICS_DIR: metrics}
            ).run()
    finally:
        lines.standard_error.flush()


def main() -> int:
    return serve(sealing.seal_environment())


if __name__ == "__main__":
    sys.exit(main())
