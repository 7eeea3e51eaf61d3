"""Builds an engine and its parts from the settings. No other module does."""

from __future__ import annotations

import dataclasses
import getpass
import os
import pwd
import sys
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runbook import __version__
from runbook import settings as configuration
from runbook.access.keys import stored_key
from runbook.access.minting import mint_run_token
from runbook.core.access import LOCAL_PREFIX, Principal
from runbook.core.permissions import ALL_GRANTS, Permission
from runbook.core.run import Origin
from runbook.core.run_files import InputLimits
from runbook.core.storable import storable
from runbook.engine.authorization import Authorizer, may_with_connection
from runbook.engine.checked import CheckedRunbooks
from runbook.engine.connections.book import ConnectionBook
from runbook.engine.connections.loose import NONE, LooseConnections
from runbook.engine.connections.vault import Vault
from runbook.engine.engine import Engine
from runbook.engine.inventory.book import DeviceBook
from runbook.engine.isolation.isolated import RunLimits
from runbook.engine.isolation.isolation import Isolation, Plan, Wanted
from runbook.engine.isolation.sandbox import View
from runbook.engine.options import EngineOptions, NoObserver, Observer
from runbook.engine.parts import Parts, StoredDocuments
from runbook.engine.process.family import Families
from runbook.engine.process.limits import ScriptLimits
from runbook.engine.process.script_user import ScriptUser
from runbook.engine.process.workspace import SAFE_PATH
from runbook.engine.record.artifacts import ArtifactStore
from runbook.engine.record.configuration import Configuration, fingerprint
from runbook.engine.record.ending import Ending
from runbook.engine.record.history_entry import Records
from runbook.engine.sealing import Sealer
from runbook.engine.wakeups import Role, Wakeups
from runbook.host.identity import host_name
from runbook.host.shells import Shells
from runbook.library.catalog import Catalog, Source
from runbook.settings import Settings
from runbook.settings_checks import hidden_paths, prepare_data_dir
from runbook.settings_kinds import Secret
from runbook.store.store import Store, now_ms
from runbook.toolkits.switchboard import Switchboard

if TYPE_CHECKING:
    # Imports PyJWT, which is slow: one-shot commands rarely verify tokens.
    from runbook.access.authenticators import Authenticators
    from runbook.connectors.backups import BackupStore
    from runbook.resources.server import ConfigItemJson
    from runbook.toolkits.catalogue import Catalogue
    from runbook.toolkits.parts import Offload
    from runbook.toolkits.toolkits import Toolkits


def run_token_key(settings: Settings) -> bytes:
    return stored_key(settings.data_dir / "keys" / "run-tokens")


def build_authenticator(settings: Settings) -> Authenticators:
    """All authenticators, in the order in which they are tried."""
    from runbook.access.authenticators import (
        Authenticators,
        CallerTokenAuthenticator,
        RunTokenAuthenticator,
    )
    from runbook.access.tokens import CallerTokens, RunTokens

    return Authenticators(
        RunTokenAuthenticator(RunTokens(run_token_key(settings)), settings.role_permissions),
        CallerTokenAuthenticator(CallerTokens(settings), settings.role_permissions),
    )


def build_store(settings: Settings) -> Store:
    return Store(settings.database)


def build_catalog(settings: Settings, switchboard: Switchboard | None = None) -> Catalog:
    """The runbooks of RUNBOOKS_DIR and, with a switchboard, of the enabled toolkits.

    Raises SourceConflictError.
    """
    sources = (Source(settings.runbooks_dir),)
    added = dict if switchboard is None else switchboard.sources
    return Catalog(sources, input_limits=input_limits(settings), added=added)


def build_switchboard(settings: Settings, store: Store) -> Switchboard:
    return Switchboard(store, settings.toolkits_folder, settings.data_dir / "toolkits.changed")


def build_toolkits(settings: Settings, engine: Engine, offload: Offload | None = None) -> Toolkits:
    """What installs toolkits for this engine. `offload` does work on their files."""
    from runbook.toolkits.extras import has_extra
    from runbook.toolkits.installation import Installation
    from runbook.toolkits.parts import Parts as ToolkitParts
    from runbook.toolkits.parts import at_once
    from runbook.toolkits.toolkits import Toolkits

    parts = engine.parts
    return Toolkits(
        ToolkitParts(
            store=parts.store,
            gate=parts.authorizer,
            installation=Installation(settings.toolkits_folder),
            switchboard=build_switchboard(settings, parts.store),
            catalog=parts.catalog,
            bundled=settings.bundled_toolkits,
            engine_version=__version__,
            has_extra=has_extra,
            usable_kinds=partial(_usable_kinds, parts.store),
            last_runs=engine.runbooks.last_runs,
            catalogue=build_catalogue(settings),
            offload=offload or at_once,
            clock=parts.clock,
        )
    )


def build_catalogue(settings: Settings) -> Catalogue | None:
    from runbook.toolkits.catalogue import Catalogue

    location = settings.toolkit_catalogue
    memory = settings.data_dir / "toolkits.catalogue"
    return Catalogue(location, memory, now_ms) if location else None


def _usable_kinds(store: Store, principal: Principal) -> Collection[str]:
    """The kinds of the connections that the principal may use."""
    may_use = partial(may_with_connection, principal, Permission.CONNECTION_USE)
    return {one.kind for one in store.connections.all() if may_use(one).allowed}


def input_limits(settings: Settings) -> InputLimits:
    return InputLimits(settings.max_input_files, settings.max_input_bytes)


def build_book(settings: Settings, store: Store, loose: LooseConnections) -> ConnectionBook:
    vault = Vault(settings.data_dir / "keys", stored_key)
    return ConnectionBook(store, vault, loose, enforce_claims=settings.enforce_claims)


def build_engine(
    settings: Settings,
    role: Role,
    observer: Observer | None = None,
    *,
    call_socket: str = "",
    loose: LooseConnections = NONE,
) -> Engine:
    """An engine that has opened nothing yet, so the server can fork after this call.

    Call `engine.open()` once at startup, before using the engine. `loose` are connections for this
    process only.
    """
    prepare_data_dir(settings)
    options = dataclasses.replace(engine_options(settings), call_socket=call_socket)
    store = build_store(settings)
    watching = observer or NoObserver()
    wakeups = Wakeups(settings.data_dir / "wake", role, store.notices)
    catalog = build_catalog(settings, build_switchboard(settings, store))
    records = Records(options, store, catalog)
    connections = build_book(settings, store, loose)
    return Engine(
        Parts(
            options=options,
            store=store,
            catalog=catalog,
            runbooks=CheckedRunbooks(catalog, Shells(options.search_path)),
            authorizer=Authorizer(store, catalog),
            sealer=Sealer(stored_key(settings.data_dir / "keys" / "inputs")),
            connections=connections,
            devices=DeviceBook(store, connections),
            wakeups=wakeups,
            families=Families(),
            records=records,
            ending=Ending(store, records, wakeups, watching, now_ms),
            observer=watching,
            documents=StoredDocuments(),
            artifacts=build_artifacts(settings),
            clock=now_ms,
        )
    )


def build_backups(settings: Settings) -> BackupStore:
    """The configurations of devices."""
    from runbook.connectors.backups import BackupStore, folder_of, key_of

    return BackupStore(folder_of(settings.data_dir), key_of(settings.data_dir))


def build_artifacts(settings: Settings) -> ArtifactStore:
    return ArtifactStore(settings.data_dir / "artifacts", settings.max_artifact_bytes)


def engine_options(settings: Settings) -> EngineOptions:
    isolation = build_isolation(settings)
    return EngineOptions(
        execution_dir=settings.execution_dir,
        data_dir=settings.data_dir,
        api_url=settings.api_url,
        mint_token=partial(mint_run_token, run_token_key(settings)),
        mount_dir=settings.mount_dir,
        timeout_s=settings.script_timeout_seconds,
        max_output_bytes=settings.max_output_size_bytes,
        max_recursion_depth=settings.max_recursion_depth,
        max_queued_runs=settings.max_queued_runs,
        history_in_file=settings.history == "file",
        history_max_entries=settings.history_max_entries,
        history_entry_bytes=settings.history_entry_bytes,
        allow_undeclared_env=settings.allow_undeclared_env,
        enforce_claims=settings.enforce_claims,
        supplied=settings.supplied(),
        passed=settings.passed(),
        secrets_dir=settings.secrets_dir,
        config_items=changed_settings(settings),
        search_path=search_path(settings),
        timezone=settings.environment.get("TZ", ""),
        user=isolation.user.name if isolation.user else user_name(),
        role_grants=settings.role_permissions.grants,
        limits=script_limits(settings),
        isolation=isolation,
    )


def script_limits(settings: Settings) -> ScriptLimits:
    return ScriptLimits(
        most_files=settings.script_max_open_files,
        processes=settings.script_max_processes or None,
        memory_bytes=settings.script_max_memory_bytes or None,
        file_bytes=settings.script_max_file_bytes or None,
    )


def build_isolation(settings: Settings) -> Isolation:
    """Raises ConfigurationError if RUN_AS_USER can't be used."""
    plan = Plan(
        Wanted(settings.isolation),
        View(
            hidden=hidden_paths(settings),
            shown=(
                *(Path(folder) for folder in search_path(settings).split(":")),
                *(Path(sys.prefix), Path(sys.base_prefix), configuration.PACKAGE),
                *(settings.runbooks_dir, settings.toolkits_folder, settings.bundled_toolkits),
            ),
            writable=settings.isolation_writable,
        ),
        settings.data_dir,
        settings.execution_dir,
        ScriptUser.find(settings.run_as_user) if settings.run_as_user else None,
        RunLimits(settings.run_max_processes or None, settings.run_max_memory_bytes or None),
    )
    return Isolation(plan, stored_key)


def user_name() -> str:
    """The name of this process's user; the number if it has none, as in some containers."""
    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def search_path(settings: Settings) -> str:
    """The server's PATH, followed by the folder of the `runbook` program."""
    own = str(Path(sys.executable).parent)
    folders = settings.environment.get("PATH", SAFE_PATH).split(":")
    return ":".join([*(folder for folder in folders if folder and folder != own), own])


def config_json(settings: Settings) -> list[ConfigItemJson]:
    """The settings as GET /api/config shows them."""
    return [
        {"name": item.name, "value": item.value, "from": item.source}
        for item in configuration.config_items(settings)
    ]


def changed_settings(settings: Settings) -> list[ConfigItemJson]:
    """The settings in the log's run records: not the defaults, which each run would repeat."""
    return [item for item in config_json(settings) if item["from"] != "default"]


def started_with(settings: Settings) -> Configuration:
    """The settings and keys of this server at startup, for the audit trail."""
    folder = settings.data_dir / "keys"
    hidden = stored_key(folder / "inputs")
    values = {
        name.upper(): fingerprint(value.get_secret_value().encode(), hidden)
        for name in configuration.FIELDS
        if isinstance(value := getattr(settings, name), Secret)
    }
    shown = {item["name"]: item["value"] for item in config_json(settings)}
    keys = {
        path.name: fingerprint(path.read_bytes(), hidden)
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".")
    }
    return Configuration(host_name(), shown | values, keys)


def local_operator(settings: Settings) -> Principal:
    """The local user of the command line, who has no token."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user ID without a name
        name = "unknown"
    return operator(settings, f"{LOCAL_PREFIX}{storable(name)}")


def operator(settings: Settings, subject: str) -> Principal:
    """A principal with all permissions, exempt from claims unless ENFORCE_CLAIMS is on."""
    if settings.enforce_claims:
        return Principal(subject, Origin.CLI, grants=settings.role_permissions.grants(()))
    return Principal(subject, Origin.CLI, local=True, grants=ALL_GRANTS)
