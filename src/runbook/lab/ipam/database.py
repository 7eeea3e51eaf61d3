"""The endpoint's objects: created, changed and deleted as NetBox does, one request at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from runbook.lab.ipam.kinds import (
    InvalidError,
    Json,
    Kind,
    RefusedError,
    Row,
    UnknownObjectError,
)
from runbook.lab.ipam.models import BY_PATH, BY_TYPE, MODELS, Model
from runbook.lab.ipam.rules import check
from runbook.lab.ipam.views import brief, display

CASCADING = {
    ("dcim/interfaces", "device"),
    ("virtualization/interfaces", "virtual_machine"),
}
"""References that are deleted with what they refer to."""
LOOSE = {"primary_ip4", "primary_ip6", "vlan", "scope_id"}
"""References that become null when what they refer to is deleted."""


TAKEN = {
    ("dcim/device-types", "model"): "Device type with this Manufacturer and Model already exists.",
    ("dcim/device-types", "slug"): "Device type with this Manufacturer and Slug already exists.",
    ("dcim/devices", "site"): "Device name must be unique per site and tenant.",
    ("dcim/interfaces", "name"): "Interface with this Device and Name already exists.",
    (
        "virtualization/virtual-machines",
        "cluster",
    ): "Virtual machine name must be unique per cluster and tenant.",
    (
        "virtualization/interfaces",
        "name",
    ): "Interface with this Virtual machine and Name already exists.",
}
"""What NetBox says of two objects that have several fields in common, by the last of them."""


class InUseError(Exception):
    """Other objects refer to the one to delete."""

    def __init__(self, users: list[str]) -> None:
        super().__init__(f"{len(users)} dependent objects")
        self.users = users


class Database:
    """All objects, in memory. Requests that change them hold `lock`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._rows: dict[str, dict[int, Row]] = {model.path: {} for model in MODELS}
        self._last: dict[str, int] = dict.fromkeys(BY_PATH, 0)

    def rows(self, path: str) -> list[Row]:
        with self.lock:
            return [self._rows[path][number] for number in sorted(self._rows[path])]

    def get(self, path: str, number: int) -> Row:
        try:
            return self._rows[path][number]
        except KeyError:
            raise UnknownObjectError from None

    def find(self, path: str, key: object) -> Row:
        """Implements kinds.Objects."""
        if isinstance(key, Mapping):
            found = [row for row in self.rows(path) if all(row.get(k) == v for k, v in key.items())]
            if len(found) != 1:
                problem = "not found using" if not found else "is not unique for"
                raise RefusedError(f"Related object {problem} the provided attributes: {key}")
            return found[0]
        try:
            return self.get(path, int(str(key)))
        except (ValueError, UnknownObjectError):
            raise RefusedError(
                f"Related object not found using the provided numeric ID: {key}"
            ) from None

    def path_of(self, object_type: str) -> str | None:
        """Implements kinds.Objects."""
        model = BY_TYPE.get(object_type)
        return model.path if model else None

    def brief(self, path: str, number: int) -> Json:
        """Implements kinds.Objects."""
        return brief(self, BY_PATH[path], self.get(path, number))

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Undo all changes of the block if it raises."""
        with self.lock:
            before = {
                path: {n: dict(row) for n, row in it.items()} for path, it in self._rows.items()
            }
            try:
                yield
            except BaseException:
                self._rows = before
                raise

    def create(self, model: Model, given: Mapping[str, Json]) -> Row:
        """Raises InvalidError."""
        with self.lock:
            now = _now()
            row: Row = {name: _copied(kind.default) for name, kind in model.fields.items()}
            missing = {name for name in model.required if name not in given}
            self._read(model, given, row, missing)
            self._last[model.path] += 1
            row |= {"id": self._last[model.path], "created": now, "last_updated": now}
            self._check(model, row)
            self._rows[model.path][row["id"]] = row
            return row

    def change(self, model: Model, number: int, given: Mapping[str, Json]) -> Row:
        """Raises InvalidError and UnknownObjectError."""
        with self.lock:
            row = dict(self.get(model.path, number))
            self._read(model, given, row, set())
            self._check(model, row)
            self._rows[model.path][number] = row | {"last_updated": _now()}
            return self._rows[model.path][number]

    def delete(self, path: str, number: int) -> None:
        """Raises UnknownObjectError and InUseError."""
        with self.all_or_nothing():
            self.get(path, number)
            protecting = []
            for other, name, row in list(self._users(path, number)):
                if (other.path, name) in CASCADING or name == "assigned_object_id":
                    if row["id"] in self._rows[other.path]:
                        self.delete(other.path, row["id"])
                elif name in LOOSE:
                    row[name] = None
                else:
                    protecting.append(f"{display(other, row)} ({row['id']})")
            if protecting:
                raise InUseError(protecting)
            del self._rows[path][number]

    def custom_fields(self, object_type: str) -> list[str]:
        """Implements kinds.Objects."""
        fields = self.rows("extras/custom-fields")
        return [row["name"] for row in fields if object_type in row["object_types"]]

    def _users(self, path: str, number: int) -> Iterator[tuple[Model, str, Row]]:
        own = BY_PATH[path].type
        for model in MODELS:
            for name, kind in model.fields.items():
                for row in sorted(self.rows(model.path), key=lambda it: display(model, it)):
                    if row[name] == number and _refers(kind, name, row, path, own):
                        yield model, name, row

    def _read(self, model: Model, given: Mapping[str, Json], row: Row, missing: set[str]) -> None:
        errors: dict[str, Any] = {name: ["This field is required."] for name in sorted(missing)}
        for name in model.fields.keys() & given.keys():
            try:
                row[name] = model.fields[name].read(given[name], self)
            except RefusedError as refused:
                errors[name] = [str(refused)]
        if model.extensible:
            row["custom_fields"] = dict(row.get("custom_fields") or {})
            if refusal := self._read_custom(model, given.get("custom_fields"), row):
                errors["custom_fields"] = refusal
        if errors:
            raise InvalidError(errors)

    def _read_custom(self, model: Model, given: Json, row: Row) -> Json:
        if given is None:
            return None
        if not isinstance(given, Mapping):
            return ["Invalid custom field data."]
        known = self.custom_fields(model.type)
        for name, value in given.items():
            if name not in known:
                return {name: f"Custom field '{name}' does not exist for this object type."}
            row["custom_fields"][name] = value
        return None

    def _check(self, model: Model, row: Row) -> None:
        errors: dict[str, list[str]] = {}
        for names in model.unique:
            if any(row[name] is None for name in names):
                continue
            if any(self._same(other, row, names) for other in self.rows(model.path)):
                field, text = _taken(model, names)
                errors.setdefault(field, []).append(text)
        if errors:
            raise InvalidError(errors)
        check(self, model, row)

    def _same(self, other: Row, row: Row, names: tuple[str, ...]) -> bool:
        return other["id"] != row["id"] and all(other[name] == row[name] for name in names)


def _refers(kind: Kind, name: str, row: Row, path: str, own: str) -> bool:
    if getattr(kind, "path", None) == path:
        return True
    typed = name.removesuffix("_id") + "_type"
    return name.endswith("_id") and isinstance(row.get(typed), str) and row[typed] == own


def _taken(model: Model, names: tuple[str, ...]) -> tuple[str, str]:
    """The field and the message; of several fields, none."""
    if len(names) == 1:
        return names[0], f"{model.title.lower()} with this {names[0]} already exists."
    return "__all__", TAKEN[model.path, names[-1]]


def _copied(default: Any) -> Any:
    return list(default) if isinstance(default, list) else default


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
