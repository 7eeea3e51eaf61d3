"""The optional parts of this package that toolkits may need."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution, requires

from packaging.requirements import Requirement

PACKAGE = "runbook-engine"


def has_extra(name: str) -> bool:
    """Whether all packages of an extra are installed; False if there is no such extra."""
    wanted = [it for it in _requirements() if it.marker and it.marker.evaluate({"extra": name})]
    others = {
        it.name for it in _requirements() if not it.marker or it.marker.evaluate({"extra": ""})
    }
    own = [it for it in wanted if it.name not in others]
    return bool(own) and all(_is_installed(it.name) for it in own)


def _requirements() -> list[Requirement]:
    try:
        texts = requires(PACKAGE) or []
    except PackageNotFoundError:  # run from a checkout that isn't installed
        return []
    return [Requirement(text) for text in texts]


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
