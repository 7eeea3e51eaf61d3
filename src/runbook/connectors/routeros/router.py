"""A router, with its configuration and its reverts. Needs the extra routeros."""

from __future__ import annotations

from runbook.connectors.routeros import config, revert
from runbook.connectors.routeros.config import Validation
from runbook.connectors.routeros.device import Device
from runbook.connectors.routeros.revert import Obstacle, Revert


class Router(Device):
    """What `connect` returns."""

    # -- configuration ---------------------------------------------------------------------------

    def export(self, *, show_sensitive: bool = False, verbose: bool = False) -> str:
        """The configuration as a script. See config.export."""
        return config.export(self, show_sensitive=show_sensitive, verbose=verbose)

    def compare(self, candidate: str, **options: bool) -> str:
        """A unified diff from the configuration to another one; empty if they are the same.

        `options` are those of `export`.
        """
        return config.compare(self.export(**options), candidate)

    def validate(self, script: str) -> Validation:
        """What is wrong with a script: see config.validate."""
        return config.validate(self, script)

    def apply(self, script: str, *, timeout: float | None = None) -> str:
        """Import a script, which stops at its first error. Returns what it printed."""
        return config.apply(self, script, timeout=timeout)

    def backup(self, name: str, *, password: str = "") -> str:
        """Save a binary backup on the router. Returns the name of the file."""
        return config.backup(self, name, password=password)

    def replace(self, script: str, *, keep_users: bool = True) -> None:
        """Reset the configuration, restart, and import the script: see config.replace."""
        config.replace(self, script, keep_users=keep_users)

    # -- the revert ------------------------------------------------------------------------------

    def revert_obstacles(self) -> tuple[Obstacle, ...]:
        """Why a revert couldn't be armed, or would not run."""
        return revert.obstacles(self)

    def arm_rollback(
        self,
        run_id: str,
        seconds: int,
        *,
        script: str | None = None,
        clock_may_change: bool = False,
    ) -> Revert:
        """Let the router undo what comes, unless it is cancelled in time: see revert.arm."""
        return revert.arm(self, run_id, seconds, script, clock_may_change=clock_may_change)

    def cancel_rollback(self, armed: Revert) -> bool:
        """Keep the changes: False if the revert wasn't there any more. See revert.cancel."""
        return revert.cancel(self, armed)

    def reverts(self, *, but: str | None = None) -> tuple[Revert, ...]:
        """The reverts on the router, without those of one run: what is left is stale."""
        return revert.armed(self, but)
