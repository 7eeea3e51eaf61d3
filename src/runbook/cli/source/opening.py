"""Opens local resources: settings, the data directory, an engine, and the principal.

Imports the engine, so commands import this module only when they run.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runbook import log
from runbook.bootstrap import (
    build_authenticator,
    build_catalog,
    build_engine,
    build_switchboard,
    local_operator,
)
from runbook.cli.source.protocol import TOKEN_VARIABLE
from runbook.cli.terminal.messages import print_warning
from runbook.core.access import Principal
from runbook.core.connection import Opened
from runbook.core.run import Origin
from runbook.engine.connections.loose import LooseConnections
from runbook.engine.engine import Engine
from runbook.engine.wakeups import Role
from runbook.errors import ConfigurationError
from runbook.host import scratch
from runbook.library.catalog import Catalog
from runbook.settings import Settings
from runbook.settings_checks import DataDirUnusableError, check_tokens, prepare_data_dir
from runbook.store.store import Store

if TYPE_CHECKING:
    from runbook.access.tokens import CallerTokens

NO_CONNECTIONS: Mapping[str, Opened] = {}


def load_settings(environment: Mapping[str, str], **overrides: object) -> Settings:
    """The settings of an environment, without the caller's token.

    Logs to standard error as JSON if LOGGING_LEVEL is set. Raises ConfigurationError.
    """
    kept = {name: value for name, value in environment.items() if name != TOKEN_VARIABLE}
    try:
        settings = Settings.load(kept, **overrides)
    except OSError as error:
        raise ConfigurationError(
            f"No writable folder for temporary files ({error.strerror}). Mount a tmpfs at /tmp, or "
            "set TMPDIR to a writable folder"
        ) from None
    if "logging_level" in settings.given:
        log.configure(settings.logging_level)
    else:
        _log_faults_only()
    return settings


def _log_faults_only() -> None:
    """Log only errors: commands print their own warnings."""
    if logging.lastResort is not None:
        logging.lastResort.setLevel(logging.ERROR)


@contextmanager
def usable(settings: Settings) -> Iterator[Settings]:
    """The settings, with a temporary DATA_DIR if theirs is not writable.

    Raises ConfigurationError if there is no place for a temporary one, or a file in a folder's.
    """
    problem = _data_dir_problem(settings)
    if problem is None:
        yield settings
        return
    with _temporary_directory() as path:
        print_warning(
            f"{problem}. Using a temporary folder, which is deleted when the command ends"
        )
        yield settings.with_data_dir(path)


@contextmanager
def _temporary_directory() -> Iterator[Path]:
    with ExitStack() as stack:
        try:
            name = stack.enter_context(scratch.temporary_folder(scratch.DATA))
        except OSError as error:
            raise ConfigurationError(
                f"Neither DATA_DIR nor {tempfile.gettempdir()} is writable ({error.strerror})"
            ) from None
        yield Path(name)


def _data_dir_problem(settings: Settings) -> str | None:
    try:
        prepare_data_dir(settings)
        with tempfile.TemporaryFile(dir=settings.data_dir):
            return None
    except DataDirUnusableError as error:
        return error.message
    except OSError as error:
        return f"DATA_DIR {settings.data_dir} is not writable: {error.strerror}"


def open_engine(
    settings: Settings, *, call_socket: str = "", connections: Mapping[str, Opened] = NO_CONNECTIONS
) -> Engine:
    """An engine with a migrated database. Ends the runs of dead workers as `lost`.

    Also removes what killed processes left in EXECUTION_DIR and the folder for temporary files.

    `call_socket` is the path of the socket through which scripts call other runbooks. `connections`
    are those of the command line, besides CONNECTIONS_DIR and the environment.
    """
    loose = LooseConnections(connections, settings.connections_dir, settings.supplied())
    engine = build_engine(settings, Role.FOLLOWER, call_socket=call_socket, loose=loose)
    engine.open()
    engine.reap()
    engine.upkeep.remove_stale_directories()
    return engine


@contextmanager
def local_catalog(settings: Settings) -> Iterator[Catalog]:
    """The local runbooks, with those of the enabled toolkits if the database can be read."""
    with closing(Store(settings.database, read_only=True, patience_s=0.5)) as store:
        yield build_catalog(settings, build_switchboard(settings, store))


def principal_for(settings: Settings, token: str | None) -> Principal:
    """The subject of the token or, without one, the local user.

    Raises AuthenticationError, and ConfigurationError if tokens can't be verified safely.
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
    """Issues callers' tokens. Uses DATA_DIR only for dev-login's key.

    Raises ConfigurationError if tokens can't be signed safely.
    """
    from runbook.access.tokens import CallerTokens

    check_tokens(settings)
    if not settings.jwt_secret.get_secret_value():
        prepare_data_dir(settings)
    return CallerTokens(settings)
