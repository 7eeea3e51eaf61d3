"""The checks of `runbook doctor`. None of them changes anything."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from runbook.bootstrap import build_isolation, search_path
from runbook.cli.keeping.database_checks import check_database
from runbook.cli.keeping.findings import Finding, fail, ok, warn
from runbook.cli.serve import HOW_TO_BUILD, WEB_APP
from runbook.cli.source.opening import load_settings
from runbook.errors import ConfigurationError
from runbook.settings import Settings
from runbook.settings_checks import check_paths, check_server

OLDEST_PYTHON = (3, 11)
LITTLE_SPACE = 1024**3
TOO_LITTLE_SPACE = 64 * 1024**2
EARLIEST_SANE_CLOCK = 1_767_225_600  # 2026-01-01
ANSWER_SECONDS = 5.0
ISOLATION_DOCS = "docs/isolation.md"


def examine(environment: Mapping[str, str]) -> list[Finding]:
    """All findings. If the settings are invalid, skips the checks that need them."""
    findings = [_python(), *_kernel(), _clock(), _web_app()]
    try:
        settings = load_settings(environment)
    except ConfigurationError as error:
        return [*findings, fail("settings", error.message, "fix these variables")]
    findings += [ok("settings", "valid"), _server_settings(settings)]
    for check in (_programs, _isolation, _folders, _space, check_database, _key_server, _redis):
        findings += check(settings)
    return findings


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info >= OLDEST_PYTHON:
        return ok("python", version)
    return fail("python", version, "install Python 3.11 or newer")


def _programs(settings: Settings) -> Iterator[Finding]:
    """Search the PATH of scripts."""
    path = search_path(settings)
    zsh = shutil.which("zsh", path=path)
    if zsh:
        yield ok("zsh", zsh)
    else:
        yield fail("zsh", "not found", "install zsh: it runs scripts marked sh or zsh")
    for name, purpose in (("bash", "scripts marked bash"), ("python3", "scripts marked python")):
        found = shutil.which(name, path=path)
        yield ok(name, found) if found else warn(name, "not found", f"install it for {purpose}")


def _isolation(settings: Settings) -> Iterator[Finding]:
    """As for a server; `runbook execute` uses a sandbox only if ISOLATION is set."""
    try:
        isolation = build_isolation(settings)
        isolated = isolation.settle(fresh=True, stored=False)
    except ConfigurationError as error:
        yield fail("isolation", error.message, "`runbook serve` won't start until you fix this")
        return
    for note in isolated.notes():
        yield warn("isolation", note.message, f"see {ISOLATION_DOCS}")
    user = f", as {isolated.user}" if isolated.user else ""
    if not isolated.reason:
        yield ok("isolation", f"{isolated.mode.value}{user}")
    for path in (Path(sys.executable), _nearest(settings.execution_dir)):
        try:
            with isolation.acting():
                path.stat()
        except PermissionError:
            advice = f"let the user {isolated.user} enter the folders above it"
            yield warn("RUN_AS_USER", f"can't use {path}", advice)


def _kernel() -> Iterator[Finding]:
    from runbook.host.proctable import become_subreaper

    for name, attempt, advice in (
        ("pidfd", lambda: os.close(os.pidfd_open(os.getpid())), "use Linux 5.3 or newer"),
        (
            "memfd",
            lambda: os.close(os.memfd_create("doctor")),
            "secrets are passed through a deleted file instead of memory",
        ),
        (
            "subreaper",
            become_subreaper,
            "processes that leave a script's process group may outlive it",
        ),
    ):
        yield _attempted(name, attempt, advice)


def _attempted(name: str, attempt: Callable[[], object], advice: str) -> Finding:
    try:
        attempt()
    except (OSError, AttributeError) as error:
        return warn(f"kernel: {name}", f"not available ({error})", advice)
    return ok(f"kernel: {name}", "available")


def _clock() -> Finding:
    now = time.time()
    if now < EARLIEST_SANE_CLOCK:
        text = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(now))
        return fail(
            "clock", f"shows {text}", "set the clock: tokens and records need the correct time"
        )
    return ok("clock", time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(now)))


def _web_app() -> Finding:
    """An installation without Node has the API only."""
    if WEB_APP.is_file():
        return ok("web app", "built")
    return warn("web app", "missing; the API works without it", HOW_TO_BUILD)


def _server_settings(settings: Settings) -> Finding:
    """`runbook serve` needs these settings; one-shot runs don't."""
    try:
        check_server(settings)
    except ConfigurationError as error:
        return warn("serve", error.message, "`runbook serve` won't start until you fix this")
    return ok("serve", "settings are complete")


def _folders(settings: Settings) -> Iterator[Finding]:
    yield _runbooks_dir(settings.runbooks_dir)
    for name, path in (
        ("DATA_DIR", settings.data_dir),
        ("EXECUTION_DIR", settings.execution_dir),
    ):
        yield _writable(name, path)
    try:
        check_paths(settings)
        yield ok("folders apart", "no folder is inside another")
    except ConfigurationError as error:
        yield fail("folders apart", error.message, "choose separate folders")


def _runbooks_dir(path: Path) -> Finding:
    if not path.is_dir():
        return fail("RUNBOOKS_DIR", f"{path} is not a folder", "create it, or change RUNBOOKS_DIR")
    if not os.access(path, os.R_OK | os.X_OK):
        return fail("RUNBOOKS_DIR", f"{path} is not readable", "fix its permissions")
    if not os.access(path, os.W_OK):
        advice = "history goes only to the database; if that is intended, set HISTORY=store"
        return warn("RUNBOOKS_DIR", f"{path} is read-only", advice)
    return ok("RUNBOOKS_DIR", str(path))


def _writable(name: str, path: Path) -> Finding:
    existing = _nearest(path)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return fail(name, f"{path} is not writable: {error.strerror}", f"change {name}")
    if existing != path:
        return ok(name, f"{path} (will be created)")
    if name == "DATA_DIR" and path.stat().st_mode & 0o077:
        return warn(name, f"{path} is accessible to other users", f"chmod 700 {path}")
    return ok(name, str(path))


def _nearest(path: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next((folder for folder in (path, *path.absolute().parents) if folder.exists()), path)


def _space(settings: Settings) -> Iterator[Finding]:
    for name, path in (
        ("space: DATA_DIR", settings.data_dir),
        ("space: EXECUTION_DIR", settings.execution_dir),
    ):
        try:
            free = shutil.disk_usage(_nearest(path)).free
        except OSError as error:
            yield fail(name, f"unknown: {error.strerror}", "use another folder")
            continue
        text = f"{free / 1024**3:.1f} GiB free"
        if free < TOO_LITTLE_SPACE:
            yield fail(name, text, "free up disk space")
        elif free < LITTLE_SPACE:
            yield warn(name, text, "free up disk space soon")
        else:
            yield ok(name, text)


def _key_server(settings: Settings) -> Iterator[Finding]:
    if not settings.jwt_jwks_url:
        return
    import httpx

    try:
        reply = httpx.get(settings.jwt_jwks_url, timeout=ANSWER_SECONDS).raise_for_status()
        keys = len(reply.json()["keys"])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        advice = "callers can't sign in until you fix JWT_JWKS_URL or the network"
        yield fail("JWT_JWKS_URL", f"couldn't fetch keys: {error or type(error).__name__}", advice)
    else:
        yield ok("JWT_JWKS_URL", f"{keys} keys")


def _redis(settings: Settings) -> Iterator[Finding]:
    if settings.rate_limit_storage_backend != "redis":
        return
    import redis

    url = settings.redis_url.get_secret_value()
    try:
        with redis.Redis.from_url(url, socket_timeout=ANSWER_SECONDS) as connection:
            connection.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        advice = "start Redis, fix REDIS_URL, or set RATE_LIMIT_STORAGE_BACKEND=memory"
        yield fail("Redis", f"doesn't respond ({type(error).__name__})", advice)
    else:
        yield ok("Redis", "responds")
