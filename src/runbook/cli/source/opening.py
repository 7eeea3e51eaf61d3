"""Opening what is on this machine: settings, a data directory, an engine, a principal.

Imports the engine: only commands that have begun to work import this module.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from runbook import log
from runbook.access.tokens import CallerTokens
from runbook.bootstrap import build_authenticator, build_engine, local_operator, prepare_data_dir
from runbook.cli.source.protocol import TOKEN_VARIABLE
from runbook.cli.terminal.messages import print_warning
from runbook.core.access import Principal
from runbook.core.run import Origin
from runbook.engine.engine import Engine
from runbook.engine.wakeups import Role
from runbook.errors import ConfigurationError
from runbook.settings import Settings, check_tokens


def load_settings(environment: Mapping[str, str], **overrides: object) -> Settings:
    """Settings of an environment without the caller's token, which is no setting.

    Raises ConfigurationError. Logging goes to standard error as JSON where LOGGING_LEVEL is
    set.
    """
    kept = {name: value for name, value in environment.items() if name != TOKEN_VARIABLE}
    try:
        settings = Settings.load(kept, **overrides)
    except OSError as error:
        raise ConfigurationError(
            f"No directory for temporary files can be written ({error.strerror}): mount a tmpfs "
            "at /tmp, or name a directory in TMPDIR"
        ) from None
    if "logging_level" in settings.model_fields_set:
        log.configure(settings.logging_level)
    else:
        _log_faults_only()
    return settings


def _log_faults_only() -> None:
    """What is worth a warning, a command says by itself."""
    if logging.lastResort is not None:
        logging.lastResort.setLevel(logging.ERROR)


@contextmanager
def usable(settings: Settings) -> Iterator[Settings]:
    """The settings, with a temporary DATA_DIR where theirs cannot be written."""
    problem = _data_dir_problem(settings)
    if problem is None:
        yield settings
        return
    with _temporary_directory() as path:
        print_warning(
            f"{problem}; using a temporary one, so that runs are kept only until this ends"
        )
        yield settings.model_copy(update={"data_dir": path})


@contextmanager
def _temporary_directory() -> Iterator[Path]:
    try:
        directory = tempfile.TemporaryDirectory(prefix="runbook-data-", ignore_cleanup_errors=True)
    except OSError as error:
        raise ConfigurationError(
            f"Neither DATA_DIR nor {tempfile.gettempdir()} can be written ({error.strerror})"
        ) from None
    with directory as name:
        yield Path(name)


def _data_dir_problem(settings: Settings) -> str | None:
    try:
        prepare_data_dir(settings)
        with tempfile.TemporaryFile(dir=settings.data_dir):
            return None
    except ConfigurationError as error:
        return error.message
    except OSError as error:
        return f"DATA_DIR {settings.data_dir} cannot be written: {error.strerror}"


def open_engine(settings: Settings, *, call_socket: str = "") -> Engine:
    """An engine whose database is ready; runs of workers that died are ended as lost.

    `call_socket` is where its scripts call other runbooks.
    """
    engine = build_engine(settings, Role.FOLLOWER, call_socket=call_socket)
    engine.open()
    engine.reap()
    return engine


def close_engine(engine: Engine) -> None:
    engine.close()


def principal_for(settings: Settings, token: str | None) -> Principal:
    """Whom the token names, else the person at this machine.

    Raises AuthenticationError, and ConfigurationError where tokens cannot be checked safely.
    """
    if not token:
        return local_operator(settings)
    check_tokens(settings)
    prepare_data_dir(settings)
    principal = build_authenticator(settings).authenticate(f"Bearer {token}", None)
    if principal.run_id is not None:
        return principal
    return dataclasses.replace(principal, origin=Origin.CLI)


def minting_tokens(settings: Settings) -> CallerTokens:
    """For making callers' tokens: needs no DATA_DIR but for the key that dev-login keeps there.

    Raises ConfigurationError where tokens cannot be signed safely.
    """
    check_tokens(settings)
    if not settings.jwt_secret.get_secret_value():
        prepare_data_dir(settings)
    return CallerTokens(settings)
