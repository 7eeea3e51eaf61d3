"""The kinds of fields: how a value in a request is read, and how it is shown in a response."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_interface, ip_network
from typing import Any, Protocol

Json = Any
Row = dict[str, Any]

SLUG = re.compile(r"[-a-zA-Z0-9_]+")


class RefusedError(Exception):
    """A value that a field doesn't accept, with NetBox's message."""


class InvalidError(Exception):
    """The messages of each refused field."""

    def __init__(self, errors: Mapping[str, Json]) -> None:
        super().__init__(str(errors))
        self.errors = dict(errors)


class UnknownObjectError(Exception):
    """No object has this ID."""


class Objects(Protocol):
    """All objects, by the path of their kind."""

    def rows(self, path: str) -> list[Row]:
        """In the order of their IDs."""

    def get(self, path: str, number: int) -> Row:
        """Raises UnknownObjectError."""

    def custom_fields(self, object_type: str) -> list[str]:
        """The names of the custom fields of a type such as `ipam.prefix`."""

    def find(self, path: str, key: object) -> Row:
        """The object with this ID or these attributes. Raises RefusedError."""

    def brief(self, path: str, number: int) -> Json:
        """The short form of an object, in others that refer to it."""

    def path_of(self, object_type: str) -> str | None:
        """The path of the objects of a type such as `dcim.site`."""


class Kind(Protocol):
    """`default` is the stored value if a request has none."""

    @property
    def default(self) -> Any: ...

    def read(self, value: Json, objects: Objects) -> Any:
        """The value to store. Raises RefusedError."""

    def show(self, value: Any, objects: Objects) -> Json:
        """The stored value in a response."""


@dataclass(frozen=True)
class Text:
    longest: int = 200
    blank: bool = True
    nullable: bool = False
    default: Any = ""

    def read(self, value: Json, _objects: Objects) -> Any:
        if value is None and self.nullable:
            return None
        if value is None:
            raise RefusedError("This field may not be null.")
        if isinstance(value, dict | list | bool):
            raise RefusedError("Not a valid string.")
        text = str(value).strip()
        if not text and not self.blank:
            raise RefusedError("This field may not be blank.")
        if self.longest and len(text) > self.longest:
            raise RefusedError(f"Ensure this field has no more than {self.longest} characters.")
        return text

    def show(self, value: Any, _objects: Objects) -> Json:
        return value


@dataclass(frozen=True)
class Slug:
    default: Any = ""

    def read(self, value: Json, objects: Objects) -> Any:
        text = Text(100, blank=False).read(value, objects)
        if not SLUG.fullmatch(text):
            raise RefusedError(
                'Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.'
            )
        return text

    def show(self, value: Any, _objects: Objects) -> Json:
        return value


@dataclass(frozen=True)
class Whole:
    """A whole number."""

    least: int = 0
    most: int = 2**31 - 1
    nullable: bool = True
    default: Any = None

    def read(self, value: Json, _objects: Objects) -> Any:
        if value is None and self.nullable:
            return None
        if value is None:
            raise RefusedError("This field may not be null.")
        try:
            number = int(str(value))
        except ValueError:
            raise RefusedError("A valid integer is required.") from None
        if number < self.least:
            raise RefusedError(f"Ensure this value is greater than or equal to {self.least}.")
        if number > self.most:
            raise RefusedError(f"Ensure this value is less than or equal to {self.most}.")
        return number

    def show(self, value: Any, _objects: Objects) -> Json:
        return value


@dataclass(frozen=True)
class Flag:
    default: Any = False

    def read(self, value: Json, _objects: Objects) -> Any:
        if value in (True, "true", "True", 1, "1"):
            return True
        if value in (False, "false", "False", 0, "0"):
            return False
        raise RefusedError("Must be a valid boolean.")

    def show(self, value: Any, _objects: Objects) -> Json:
        return value


@dataclass(frozen=True)
class Choice:
    """A value with a label. `none` is what stands for no choice: an empty text or null."""

    labels: Mapping[str, str]
    default: Any = None
    none: Any = None
    plain: bool = False

    def read(self, value: Json, _objects: Objects) -> Any:
        if value in ("", None):
            if self.default is not None:
                raise RefusedError(
                    "This field may not be blank." if value == "" else "This field may not be null."
                )
            return self.none
        if isinstance(value, dict):
            raise RefusedError(
                'Value must be passed directly (e.g. "foo": 123); do not use a dictionary or list.'
            )
        if value not in self.labels:
            raise RefusedError(f"{value} is not a valid choice.")
        return value

    def show(self, value: Any, _objects: Objects) -> Json:
        if value in ("", None):
            return None
        return value if self.plain else {"value": value, "label": self.labels[value]}


@dataclass(frozen=True)
class Reference:
    """A reference to another object, by its ID or some of its attributes."""

    path: str
    nullable: bool = True
    default: Any = None

    def read(self, value: Json, objects: Objects) -> Any:
        if value is None and self.nullable:
            return None
        if value is None:
            raise RefusedError("This field may not be null.")
        return objects.find(self.path, value)["id"]

    def show(self, value: Any, objects: Objects) -> Json:
        return None if value is None else objects.brief(self.path, value)


@dataclass(frozen=True)
class Address:
    """An IP address with a mask; without one, the longest mask."""

    default: Any = None

    def read(self, value: Json, _objects: Objects) -> Any:
        if not value or not isinstance(value, str):
            raise RefusedError(
                "This field may not be null." if value is None else "This field may not be blank."
            )
        try:
            return str(ip_interface(value))
        except ValueError:
            raise RefusedError(f"Invalid IP address format: {value}") from None

    def show(self, value: Any, _objects: Objects) -> Json:
        return value


@dataclass(frozen=True)
class Network:
    default: Any = None

    def read(self, value: Json, _objects: Objects) -> Any:
        try:
            found = ip_network(str(value), strict=False)
            exact = found.network_address == ip_interface(str(value)).ip
        except ValueError:
            raise RefusedError(f"Invalid IP prefix format: {value}") from None
        if not exact:
            raise RefusedError(f"{value} is not a valid prefix. Did you mean {found}?")
        return str(found)

    def show(self, value: Any, _objects: Objects) -> Json:
        return value


@dataclass(frozen=True)
class Type:
    """The type of a referenced object, such as `dcim.site`."""

    allowed: tuple[str, ...]
    default: Any = None

    def read(self, value: Json, _objects: Objects) -> Any:
        if value is None:
            return None
        if value not in self.allowed:
            raise RefusedError(f"Invalid content type: {value}")
        return value

    def show(self, value: Any, _objects: Objects) -> Json:
        return value


@dataclass(frozen=True)
class Items:
    """A list that is stored as it is given."""

    default: Any = field(default_factory=list)

    def read(self, value: Json, _objects: Objects) -> Any:
        if not isinstance(value, list):
            raise RefusedError(f'Expected a list of items but got type "{type(value).__name__}".')
        return value

    def show(self, value: Any, _objects: Objects) -> Json:
        return value
