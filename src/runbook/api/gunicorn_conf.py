"""Runs the web processes with gunicorn. Only this module and `web_worker.py` import gevent.

`api/server.py` imports this first, because gevent must patch the standard library early.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import ctypes  # noqa: E402
import gc  # noqa: E402
import signal  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

from gunicorn.app.base import BaseApplication  # noqa: E402
from gunicorn.arbiter import Arbiter  # noqa: E402
from gunicorn.glogging import Logger  # noqa: E402
from prometheus_client.multiprocess import mark_process_dead  # noqa: E402

from runbook.api.web_worker import WebWorker  # noqa: E402
from runbook.host import garbage  # noqa: E402
from runbook.host.signals import STRAY  # noqa: E402
from runbook.settings import Settings, metrics_directory  # noqa: E402

PR_SET_PDEATHSIG = 1
GRACEFUL_SECONDS = 3


class JsonLogger(Logger):  # type: ignore[misc]
    """Formats gunicorn's log lines like the engine's; the application logs requests."""

    def setup(self, cfg: Any) -> None:  # noqa: ARG002 - gunicorn's signature
        self.error_log.handlers = []
        self.error_log.propagate = True
        self.error_log.setLevel("WARNING")
        self.access_log.handlers = []
        self.access_log.propagate = False


class WebServer(BaseApplication):  # type: ignore[misc]
    """The web processes. Each builds its own application, so that none is shared by forking."""

    def __init__(self, build: Callable[[], Any], settings: Settings) -> None:
        self._build = build
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in _options(self._settings).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._build()


def _options(settings: Settings) -> dict[str, Any]:
    host = settings.bind_host
    host = f"[{host}]" if ":" in host else host
    ports = [settings.api_port, *([settings.metrics_port] if settings.metrics_port else [])]
    return {
        "bind": [f"{host}:{port}" for port in ports],
        "workers": settings.web_processes,
        "worker_class": WebWorker,
        "worker_connections": 2000,
        "control_socket_disable": True,
        "graceful_timeout": GRACEFUL_SECONDS,
        "timeout": 60,
        "keepalive": 15,
        "logger_class": JsonLogger,
        "when_ready": when_ready,
        "post_worker_init": post_worker_init,
        "pre_fork": pre_fork,
        "child_exit": child_exit,
        "forwarded_allow_ips": "",
        "proc_name": "runbook-web",
    }


def die_with_parent() -> None:
    """Terminate this process when its parent dies.

    The kernel sends the signal when the *thread* that started it ends, so the supervisor starts
    this process from its main thread.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def ignore_stray_signals() -> None:
    """Ignore signals that aren't meant for web processes. SIGUSR2 would start a second server.

    Gunicorn itself handles SIGUSR1, by reopening log files that we don't have.
    """
    for number in STRAY - {signal.SIGUSR1}:
        signal.signal(number, signal.SIG_IGN)


def post_worker_init(_worker: object) -> None:
    """Only the first web process reloads on SIGHUP; gunicorn restores the default in the others."""
    ignore_stray_signals()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def when_ready(server: Arbiter) -> None:
    from runbook import log

    ignore_stray_signals()
    log.event("server.listening", addresses=[str(listener) for listener in server.LISTENERS])


def pre_fork(_server: Arbiter, _worker: Any) -> None:
    """Keep imported modules in memory pages that the processes share."""
    gc.collect()
    garbage.resume()


def child_exit(_server: Arbiter, worker: Any) -> None:
    if metrics_directory():
        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
