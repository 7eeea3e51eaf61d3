"""The web processes. The supervisor starts them as `python -m runbook.api.server`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from runbook.host import garbage, guard, lines, sealing

if TYPE_CHECKING:
    from flask import Flask

    from runbook.settings import Settings


def main() -> int:
    garbage.wait()
    environment = sealing.seal_environment()
    lines.take_over_stderr()
    guard.take_lifeline()  # not needed: die_with_parent ends this process with the supervisor
    supervisor = os.getppid()
    from runbook.errors import RunbookError
    from runbook.settings import Settings, share_metrics
    from runbook.settings_checks import check_server

    share_metrics(environment)
    # Patches the standard library, so import it before Flask, SQLAlchemy and our own modules.
    from runbook.api.gunicorn_conf import WebServer, die_with_parent

    die_with_parent()
    guard.make_undumpable()
    try:
        settings = Settings.load(environment)
        check_server(settings)
        _serve(WebServer, settings, supervisor)
    except RunbookError as error:
        sys.stderr.write(f"runbook: {error.message}\n")
        return error.exit_code
    return 0


def _serve(server: type, settings: Settings, supervisor: int) -> None:
    from prometheus_client import CollectorRegistry

    from runbook import log
    from runbook.api.app import create_app
    from runbook.api.context import Application
    from runbook.api.web_worker import in_native_thread
    from runbook.bootstrap import build_authenticator, build_engine, build_toolkits
    from runbook.engine.process.limits import raise_open_files
    from runbook.engine.wakeups import Role
    from runbook.metrics import RunMetrics

    def build() -> Flask:
        registry = CollectorRegistry()
        engine = build_engine(settings, Role.FOLLOWER, RunMetrics(registry))
        application = Application(
            settings=settings,
            engine=engine,
            authenticator=build_authenticator(settings),
            toolkits=build_toolkits(settings, engine, in_native_thread),
            registry=registry,
            supervisor_pid=supervisor,
        )
        return create_app(application)

    log.configure(settings.logging_level)
    raise_open_files()
    engine = build_engine(settings, Role.FOLLOWER)
    engine.open()
    engine.close()
    server(build, settings).run()


if __name__ == "__main__":
    sys.exit(main())
