"""How a view is declared: its route, its permission, how it is limited and how documented.

Nothing is served without a declaration: a view that lacks one is refused by `guard_request`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeVar

from flask import Blueprint
from pydantic import BaseModel
from werkzeug.routing import BaseConverter, PathConverter

from runbook.core.permissions import Permission

View = TypeVar("View", bound=Callable[..., Any])
POLICY_ATTRIBUTE = "runbook_policy"


PUBLIC: Final = None
"""In place of a view's permission: anyone may call it, without any token."""


class Limit(StrEnum):
    """Which rate limit a view counts against."""

    NORMAL = "default"
    EXECUTE = "execute"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a query or header, for the API's document; `media` where it is not a text."""

    name: str
    description: str
    place: str = "query"
    schema: dict[str, object] = field(default_factory=lambda: {"type": "string"})
    media: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    permission: Permission | None
    limit: Limit
    summary: str
    body: type[BaseModel] | None = None
    replies: dict[int, str] = field(default_factory=dict)
    media: tuple[str, ...] = ("application/json",)
    parameters: tuple[Parameter, ...] = ()
    schema: str | None = None
    documented: bool = True
    conflicts: bool = False
    """Whether the state of what it is about may forbid it: 409."""


class RefConverter(BaseConverter):
    """A runbook's ref in a URL: it may hold slashes and ends in `.md`."""

    regex = r".+\.md"
    part_isolating = False


class PageConverter(PathConverter):
    """A path of the web app: any but the API's, whose unknown addresses are not found."""

    regex = r"(?!(?:api|docs|auth|dev-login)(?:/|$))[^/].*?"


def route(
    blueprint: Blueprint,
    rule: str,
    *,
    policy: Policy,
    methods: tuple[str, ...] = ("GET",),
) -> Callable[[View], View]:
    """Declare a view with its policy. May be given several times to one view."""

    def declare(view: View) -> View:
        setattr(view, POLICY_ATTRIBUTE, policy)
        endpoint = f"{view.__name__}_{len(blueprint.deferred_functions)}"
        blueprint.add_url_rule(rule, endpoint, view, methods=list(methods))
        return view

    return declare


def policy_of(view: Callable[..., Any] | None) -> Policy | None:
    return getattr(view, POLICY_ATTRIBUTE, None)
