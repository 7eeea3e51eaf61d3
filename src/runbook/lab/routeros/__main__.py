"""Serves routers: `python -m runbook.lab.routeros`. See docs/routeros-simulator.md.

One line of JSON on standard output says where they listen. With `--given`, it reads the password
from standard input, as the lab's other processes do.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from runbook.lab.ready import announce, given
from runbook.lab.routeros.router import CLIENT, MANAGEMENT, Router
from runbook.lab.routeros.versions import KNOWN

FAULTS = ("hang", "refuse", "drop", "truncate")


def main() -> None:
    options = _options(sys.argv[1:])
    if options.given:
        said = given()
        options.password, options.rescue = said["password"], said.get("rescue", "")
    routers = [_router(options, n) for n in range(options.count)]
    for router in routers:
        router.start()
    announce(_said(routers))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        signal.pause()
    finally:
        for router in routers:
            router.stop()


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m runbook.lab.routeros",
        description="Serve routers that behave like RouterOS, on loopback.",
    )
    parser.add_argument("--version", default="7.18", help=f"such as {', '.join(KNOWN)}")
    parser.add_argument("--count", type=int, default=1, help="how many routers")
    parser.add_argument(
        "--identity", default="", help="its name; with --count, of the first part of each"
    )
    parser.add_argument("--username", default="admin")
    parser.add_argument("--password", default="", help="empty by default, as on a new router")
    parser.add_argument(
        "--given", action="store_true", help="read the passwords from standard input"
    )
    for service in ("api", "api-ssl", "ssh"):
        text = "of the first router; the next routers take the next ports. 0 finds free ports"
        parser.add_argument(f"--{service}-port", type=int, default=0, help=text)
    parser.add_argument("--management", default=MANAGEMENT, help="the router's address")
    parser.add_argument("--client", default=CLIENT, help="the address that clients seem to have")
    parser.add_argument("--clock-rate", type=float, default=1.0, help="60: a minute in a second")
    parser.add_argument("--no-certificate", action="store_true", help="anonymous TLS, as if new")
    parser.add_argument("--state", type=Path, help="file or, with --count, folder of the state")
    parser.add_argument("--rescue", default="", help="password of a user who always gets in")
    parser.add_argument("--fault", choices=FAULTS, action="append", default=[])
    parser.add_argument("--slow", type=float, default=0.0, help="seconds before each reply")
    return parser.parse_args(arguments)


def _router(options: argparse.Namespace, n: int) -> Router:
    ports = {
        f"{name}_port": number + n if number else 0
        for name in ("api", "api_ssl", "ssh")
        for number in [getattr(options, f"{name}_port")]
    }
    state = options.state
    if state is not None and options.count > 1:
        state.mkdir(parents=True, exist_ok=True)
        state = state / f"router-{n + 1}.json"
    router = Router(
        options.version,
        username=options.username,
        password=options.password,
        rescue=options.rescue,
        identity=_identity(options, n),
        management=options.management,
        client=options.client,
        clock_rate=options.clock_rate,
        certificate=not options.no_certificate,
        state=state,
        **ports,
    )
    for fault in options.fault:
        setattr(router.faults, fault, True)
    router.faults.slow = options.slow
    return router


def _identity(options: argparse.Namespace, n: int) -> str:
    if options.identity and options.count == 1:
        return str(options.identity)
    return f"{options.identity or 'router'}-{n + 1}"


def _said(routers: list[Router]) -> dict[str, object]:
    """The first router at the top, as the lab's other processes say it, and all in `routers`."""
    each = [
        {
            "host": router.host,
            "port": router.api_ssl_port,
            "api_port": router.api_port,
            "ssh_port": router.ssh_port,
            "ca": router.ca,
            "host_key": router.host_key,
            "identity": router.config.of("system/identity").get("name", "MikroTik"),
            "version": router.release.text,
        }
        for router in routers
    ]
    return {**each[0], "pid": os.getpid(), "routers": each}


if __name__ == "__main__":
    main()
