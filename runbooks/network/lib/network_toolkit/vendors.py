"""What devices of a vendor look like on the command line: data in YAML files.

See vendors/generic.yaml, and the README for the meaning of the keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from network_toolkit.given import invalid

FOLDER = Path("vendors")
AUTO, OWN = "auto", "own"


@dataclass(frozen=True, slots=True)
class Pushing:
    """The commands around a change. `{minutes}` is when the device reverts by itself.

    `applies_at_once`: each line takes effect as it is sent; otherwise `apply` does that.
    """

    enter: tuple[str, ...] = ()
    check: tuple[str, ...] = ()
    apply: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    confirm: tuple[str, ...] = ()
    abort: tuple[str, ...] = ()
    save: tuple[str, ...] = ()
    applies_at_once: bool = False
    reverts: bool = False


@dataclass(frozen=True, slots=True)
class Privileged:
    """The command for all rights, and what asks for its password."""

    command: str
    ask: str


@dataclass(frozen=True, slots=True)
class VersionCommand:
    command: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Vendor:
    name: str
    prompt: str
    pager: str
    show: str
    vendors: tuple[str, ...]
    setup: tuple[str, ...]
    ignore: tuple[re.Pattern[str], ...]
    secrets: tuple[re.Pattern[str], ...]
    errors: tuple[re.Pattern[str], ...]
    push: Pushing
    privileged: Privileged | None = None
    version: VersionCommand | None = None

    def normalized(self, config: str) -> str:
        """Without lines that change by themselves, and blanks at the ends of lines."""
        lines = [line.rstrip() for line in config.replace("\r", "").split("\n")]
        kept = [one for one in lines if not any(it.fullmatch(one) for it in self.ignore)]
        return "\n".join(kept).strip("\n") + "\n"

    def without_secrets(self, config: str) -> str:
        for pattern in self.secrets:
            config = pattern.sub(r"\1\2 ***", config)
        return config

    def error_in(self, output: str) -> str | None:
        """The first line that reports an error."""
        for line in output.splitlines():
            if any(pattern.match(line.rstrip()) for pattern in self.errors):
                return line.strip()
        return None


def load(choice: str, own: str, vendor: str) -> Vendor:
    """Of the inputs: a name, `auto` by the device's vendor, or `own` with a file."""
    if choice == OWN:
        if not own:
            raise invalid("TEMPLATE is needed for a template of your own")
        return read(Path(own))
    if choice != AUTO:
        return read(FOLDER / f"{choice}.yaml")
    for path in sorted(FOLDER.glob("*.yaml")):
        found = read(path)
        if vendor.lower() in found.vendors:
            return found
    text = f"There is no template for the vendor {vendor!r}" if vendor else "The vendor isn't known"
    raise invalid(f"{text}. Choose a template in VENDOR")


def read(path: Path) -> Vendor:
    """Raises `invalid`, naming what is wrong."""
    try:
        # Everything is text: `no` isn't false.
        data = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)  # noqa: S506 - texts only
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise invalid(f"{path.name} is not YAML: {error}") from None
    if not isinstance(data, dict):
        raise invalid(f"{path.name} must be a mapping")
    try:
        return _vendor(data)
    except (KeyError, TypeError, ValueError, re.error) as error:
        raise invalid(f"{path.name}: {_said(error)}") from None


def _vendor(data: Mapping[str, Any]) -> Vendor:
    _check(data, {one.name for one in fields(Vendor)})
    version, privileged = data.get("version"), data.get("privileged")
    prompt, pager = data["prompt"], data.get("pager", "")
    re.compile(prompt)
    re.compile(pager)
    return Vendor(
        data["name"],
        prompt,
        pager,
        data["show"],
        tuple(one.lower() for one in _texts(data, "vendors")),
        _texts(data, "setup"),
        _patterns(data, "ignore"),
        _patterns(data, "secrets"),
        _patterns(data, "errors"),
        _pushing(data.get("push", {})),
        None if privileged is None else Privileged(privileged["command"], privileged["ask"]),
        None
        if version is None
        else VersionCommand(version["command"], re.compile(version["pattern"])),
    )


def _pushing(data: Mapping[str, Any]) -> Pushing:
    names = {one.name for one in fields(Pushing)}
    flags = {"applies_at_once", "reverts"}
    _check(data, names)
    texts = {name: _texts(data, name) for name in names - flags}
    return Pushing(**texts, **{name: data.get(name) == "true" for name in flags})  # type: ignore[arg-type]


def _texts(data: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = data.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"{name} must be a list of texts")
    return tuple(found)


def _patterns(data: Mapping[str, Any], name: str) -> tuple[re.Pattern[str], ...]:
    return tuple(map(re.compile, _texts(data, name)))


def _check(data: Mapping[str, Any], known: set[str]) -> None:
    if not isinstance(data, dict):
        raise TypeError("a part must be a mapping")
    if unknown := data.keys() - known:
        raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")


def _said(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
