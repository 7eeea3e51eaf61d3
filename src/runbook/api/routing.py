"""Declares views: route, permission, rate limit and documentation.

`guard_request` refuses requests to a view without a declaration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from enum import StrEnum
from typing import Any, Final, TypeVar

from flask import Blueprint
from pydantic import BaseModel
from werkzeug.routing import BaseConverter, PathConverter

from runbook.core.permissions import Permission
from runbook.quick_dataclass import dataclass

View = TypeVar("View", bound=Callable[..., Any])
POLICY_ATTRIBUTE = "runbook_policy"


PUBLIC: Final = None
"""Instead of a permission: anyone may call the view, without a token."""


class Limit(StrEnum):
    """The rate limit that requests to a view count against."""

    NORMAL = "default"
    EXECUTE = "execute"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query or header parameter for the OpenAPI document. `media` is set if it is not text."""

    name: str
    description: str
    place: str = "query"
    schema: dict[str, object] = field(default_factory=lambda: {"type": "string"})
    media: str | None = None

    @property
    def repeatable(self) -> bool:
        return self.schema.get("type") == "array"


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    permission: Permission | None
    limit: Limit
    summary: str
    body: type[BaseModel] | None = None
    replies: dict[int, str] = field(default_factory=dict)
    media: tuple[str, ...] = ("application/json",)
    parameters: tuple[Parameter, ...] = ()
    schema: str | None = None
    description: str = ""
    tag: str = ""
    """The group of the operation; by default the blueprint's name."""
    headers: tuple[str, ...] = ()
    """Headers of successful responses, besides those that many have."""
    documented: bool = True
    conflicts: bool = False
    """Whether the view may return 409 because of the current state."""
    revalidates: bool = False
    """Whether the response has an ETag, and is 304 for a client that already has it."""
    media_type: str = ""
    """The type of the body that the view reads, if that isn't JSON."""
    any_query: bool = False
    """Whether the view ignores unknown query parameters: pages, files and probes."""


class RefConverter(BaseConverter):
    """A runbook's ref in a URL: it may contain slashes and ends in `.md`."""

    regex = r".+\.md"
    part_isolating = False


class PageConverter(PathConverter):
    """A path of the web app: any except the API's, whose unknown paths return 404."""

    regex = r"(?!(?:api|docs|auth|dev-login)(?:/|$))[^/].*?"


def route(
    blueprint: Blueprint,
    rule: str,
    *,
    policy: RoutePolicy,
    methods: tuple[str, ...] = ("GET",),
    name: str | None = None,
) -> Callable[[View], View]:
    """Declare a view with its policy. A view can have several routes.

    `name` is the operation's ID, by which generated clients call it, so it must not change. By
    default it is the view's name.
    """

    def declare(view: View) -> View:
        setattr(view, POLICY_ATTRIBUTE, policy)
        endpoint = name or _camel_case(view.__name__)
        blueprint.add_url_rule(rule, endpoint, view, methods=list(methods))
        return view

    return declare


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def policy_of(view: Callable[..., Any] | None) -> RoutePolicy | None:
    return getattr(view, POLICY_ATTRIBUTE, None)
