"""Configurations of devices in the store of backups."""

from __future__ import annotations

import runbook
from network_toolkit import devices
from network_toolkit.devices import Cli
from runbook.connectors import backups, connection
from runbook.connectors.backups import BackupStore, Origin, Saved, Snapshot


def main() -> None:
    """Backup."""
    with devices.opened(devices.vendor_of()) as cli:
        config, version = cli.config(), cli.version()
    saved = save(cli, config, version, Origin.SEEN, "Back up")
    print(f"{cli.name}: {'saved as' if saved.is_new else 'unchanged since'} {saved.commit[:10]}")
    runbook.output("COMMIT", saved.commit)
    runbook.output("CHANGED", saved.is_new)


def save(
    cli: Cli,
    config: str,
    version: str,
    origin: Origin,
    step: str,
    store: BackupStore | None = None,
) -> Saved:
    """A commit if it has changed. Its secrets are only in the encrypted part."""
    known = store or backups.open_store()
    taken = snapshot(cli, config, version, known)
    source = backups.source_of_run(step)
    saved = known.save(taken, origin, source, binary=config.encode)
    fields = {"version": version} if version else {}
    device = connection.read(devices.DEVICE).device or {}
    if not device.get("vendor"):
        fields["vendor"] = cli.vendor.name
    runbook.device(cli.name, last_seen="now", last_backup="now", **fields)
    return saved


def snapshot(cli: Cli, config: str, version: str, store: BackupStore) -> Snapshot:
    facts = {"version": version, "template": cli.vendor.name}
    shown = cli.vendor.without_secrets(config)
    return Snapshot(cli.name, shown, facts, store.fingerprint(config))
