"""Permissions, and grants of permissions on runbooks whose ref matches a pattern."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Self

from runbook.quick_dataclass import dataclass


class Permission(StrEnum):
    """What a principal can be allowed to do. Names are stable: settings and clients use them."""

    RUNBOOK_LIST = "runbook.list"
    RUNBOOK_READ = "runbook.read"
    RUNBOOK_VALIDATE = "runbook.validate"
    RUNBOOK_EXECUTE = "runbook.execute"
    RUNBOOK_HISTORY = "runbook.history"
    RUNBOOK_ADOPT = "runbook.adopt"
    RUN_READ = "run.read"
    RUN_CANCEL = "run.cancel"
    RUN_RERUN = "run.rerun"
    TOKEN_ISSUE = "token.issue"  # noqa: S105 - a permission's name
    TOOLKIT_READ = "toolkit.read"
    TOOLKIT_WRITE = "toolkit.write"
    CONNECTION_READ = "connection.read"
    CONNECTION_USE = "connection.use"
    CONNECTION_WRITE = "connection.write"
    INVENTORY_READ = "inventory.read"
    INVENTORY_WRITE = "inventory.write"
    AUDIT_READ = "audit.read"
    CONFIG_READ = "config.read"
    SERVER_READ = "server.read"
    SERVER_SHUTDOWN = "server.shutdown"
    DATA_BACKUP = "data.backup"
    DATA_MIGRATE = "data.migrate"
    DATA_PURGE = "data.purge"


SCRIPT_PERMISSIONS = frozenset(
    {
        Permission.RUNBOOK_LIST,
        Permission.RUNBOOK_READ,
        Permission.RUNBOOK_VALIDATE,
        Permission.RUNBOOK_EXECUTE,
        Permission.RUNBOOK_HISTORY,
        Permission.RUN_READ,
        Permission.CONNECTION_USE,
        Permission.INVENTORY_READ,
    }
)
"""The upper limit of a script's permissions, regardless of who requested its run."""

ANY = "*"
STANDARD_ROLES = (
    "*=runbook.list,runbook.read,runbook.validate,runbook.execute,runbook.history,"
    "run.read,run.cancel,run.rerun,token.issue,toolkit.read,connection.read,"
    "connection.use,inventory.read,config.read,server.read;admin=*"
)
"""The default role permissions, overridden by ROLE_PERMISSIONS: see RolePermissions.parse."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Permissions on runbooks whose ref matches one of `refs`, and on their runs.

    In a pattern, `*` matches any text, including slashes (see fnmatch).
    """

    permissions: frozenset[Permission]
    refs: tuple[str, ...] = (ANY,)

    @property
    def covers_all(self) -> bool:
        return ANY in self.refs

    def covers(self, ref: str) -> bool:
        return self.covers_all or any(fnmatchcase(ref, pattern) for pattern in self.refs)

    def limited_to(self, permissions: frozenset[Permission]) -> Grant:
        return Grant(self.permissions & permissions, self.refs)


@dataclass(frozen=True, slots=True)
class Grants:
    """All grants of a principal.

    Other limits, such as an API key's allowed addresses, are already enforced by the authenticator.
    """

    items: frozenset[Grant] = frozenset()

    @classmethod
    def of(cls, permissions: Iterable[Permission], *refs: str) -> Self:
        return cls(frozenset({Grant(frozenset(permissions), refs or (ANY,))}))

    def allow(self, permission: Permission, ref: str | None = None) -> bool:
        """Whether the permission is granted for this ref, or without one, for any ref."""
        return any(
            permission in grant.permissions and (ref is None or grant.covers(ref))
            for grant in self.items
        )

    def allow_all(self, permission: Permission) -> bool:
        """Whether the permission is granted for every ref."""
        return any(permission in g.permissions and g.covers_all for g in self.items)

    def limited_to(self, permissions: frozenset[Permission]) -> Grants:
        return Grants(frozenset(grant.limited_to(permissions) for grant in self.items))


NO_GRANTS = Grants()
ALL_GRANTS = Grants.of(Permission)


@dataclass(frozen=True, slots=True)
class RolePermissions:
    """The permissions of each role. The role `*` applies to everyone."""

    roles: Mapping[str, frozenset[Permission]]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `role=permission,...;role=...`, where `*` in a permission matches any text.

        Raises ValueError if a role is defined twice or a permission is unknown.
        """
        roles: dict[str, frozenset[Permission]] = {}
        for part in filter(None, (part.strip() for part in text.split(";"))):
            role, equals, names = part.partition("=")
            role = role.strip()
            if not role or not equals:
                raise ValueError(f"expected role=permission,permission, got {part!r}")
            if role in roles:
                raise ValueError(f"the role {role} is defined twice")
            roles[role] = _permissions(names)
        return cls(roles)

    def __str__(self) -> str:
        return ";".join(f"{role}={_names(given)}" for role, given in self.roles.items())

    def grants(self, roles: Iterable[str]) -> Grants:
        given = [self.roles.get(role, frozenset()) for role in (ANY, *roles)]
        return Grants.of(frozenset().union(*given))


def _permissions(names: str) -> frozenset[Permission]:
    found: set[Permission] = set()
    for name in filter(None, (name.strip() for name in names.split(","))):
        matching = [permission for permission in Permission if fnmatchcase(permission, name)]
        if not matching:
            raise ValueError(f"unknown permission {name!r}; use: {', '.join(Permission)}")
        found.update(matching)
    return frozenset(found)


def _names(permissions: frozenset[Permission]) -> str:
    if permissions == frozenset(Permission):
        return ANY
    return ",".join(permission for permission in Permission if permission in permissions)
