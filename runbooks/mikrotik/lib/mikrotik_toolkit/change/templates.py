"""Scripts from templates: Jinja in a sandbox, with variables that have types.

A template begins with a comment that describes it, in YAML:

    {#
    description: What the template is for.
    variables:
      lan: {type: subnet, default: 192.168.88.0/24, description: The network of the LAN.}
    #}
    /ip pool add name={{ pool|quoted }} ranges={{ lan[10] }}-{{ lan[-2] }}

Variables that it uses without declaring them are required texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address, ip_network
from types import SimpleNamespace
from typing import Any

import yaml
from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import SandboxedEnvironment

from mikrotik_toolkit.given import invalid

DEVICE, SECRET = "device", "secret"
MOST_CHARACTERS = 256 * 1024
_HEADER = re.compile(r"\A\s*\{#(.*?)#\}\s*", re.DOTALL)
_TOO_MUCH = (RecursionError, MemoryError)
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/,-]*")
_ESCAPED = {'"': '\\"', "\\": "\\\\", "$": "\\$", "?": "\\?", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Type(StrEnum):
    STRING = "string"
    IP = "ip"
    SUBNET = "subnet"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    NAME = "name"
    """Of an interface, a pool and the like: without blanks or quotes."""


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    type: Type = Type.STRING
    default: str | None = None
    description: str = ""
    choices: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    text: str
    description: str = ""
    variables: tuple[Variable, ...] = ()
    uses_secret: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """What a template sees as `device`."""

    hostname: str
    ip: str = ""
    model: str = ""
    version: str = ""
    major: int = 7
    minor: int = 0
    site: str = ""
    role: str = ""
    tags: tuple[str, ...] = field(default=())


class Text(str):
    """A text that somebody typed: `quoted` must make it safe, unless it is a plain word."""

    __slots__ = ()


class Quoted(str):
    __slots__ = ()


def quoted(value: object) -> Quoted:
    """As a RouterOS text: nothing in it is taken for a variable or the end."""
    return Quoted('"' + "".join(map(_escaped, str(value))) + '"')


def _escaped(char: str) -> str:
    if char in _ESCAPED:
        return _ESCAPED[char]
    return f"\\{ord(char):02X}" if ord(char) < 32 or ord(char) == 127 else char


def _finalized(value: object) -> object:
    if isinstance(value, Text) and not _PLAIN.fullmatch(value):
        raise TemplateError(f"{str(value)!r} must be written with the filter quoted")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def environment() -> SandboxedEnvironment:
    made = SandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalized,
        autoescape=False,
    )
    made.filters["quoted"] = quoted
    return made


def read(text: str) -> Template:
    """Raises `invalid` if it is no template."""
    if len(text) > MOST_CHARACTERS:
        raise invalid(f"The template has more than {MOST_CHARACTERS // 1024} KiB")
    header = _HEADER.match(text)
    about = _described(header[1]) if header else {}
    # The number of lines stays, so that errors name the right one.
    body = "\n" * header[0].count("\n") + text[header.end() :] if header else text
    try:
        used = meta.find_undeclared_variables(environment().parse(body))
    except TemplateError as error:
        raise invalid(f"The template has a mistake: {_said(error)}") from None
    declared = [_variable(name, options) for name, options in _variables_of(about).items()]
    names = {one.name for one in declared}
    undeclared = sorted(used - names - {DEVICE, SECRET})
    variables = (*declared, *map(Variable, undeclared))
    description = str(about.get("description", ""))
    return Template(body, description, variables, SECRET in used)


def _described(header: str) -> Mapping[str, Any]:
    """A comment that is no YAML, or another one, only describes it for people."""
    try:
        # Everything is text: `on` isn't true, and 010 isn't 8.
        found = yaml.load(header, yaml.BaseLoader)  # noqa: S506 - makes only texts, lists, mappings
    except yaml.YAMLError:
        found = None
    return found if isinstance(found, dict) else {}


def _variables_of(about: Mapping[str, Any]) -> dict[str, Any]:
    found = about.get("variables") or {}
    if not isinstance(found, dict):
        raise invalid("The template's variables must be a mapping")
    return found


def _variable(name: object, options: object) -> Variable:
    if not isinstance(name, str) or not name.isidentifier() or name in (DEVICE, SECRET):
        raise invalid(f"{name!r} can't be the name of a variable of the template")
    if not isinstance(options, dict):
        raise invalid(f"The template must describe {name} by a mapping, such as {{type: ip}}")
    try:
        kind = Type(options.get("type", Type.STRING))
    except ValueError:
        raise invalid(f"{name} has the type {options['type']!r}. Use {', '.join(Type)}") from None
    default, choices = options.get("default"), options.get("choices", [])
    if not isinstance(default, str | None) or not isinstance(choices, list):
        raise invalid(f"{name} needs a text as default, and a list as choices")
    return Variable(
        name,
        kind,
        default,
        str(options.get("description", "")),
        tuple(map(str, choices)),
        options.get("optional") == "true",
    )


def values(template: Template, given: Mapping[str, str]) -> dict[str, object]:
    """The variables with their types. Raises `invalid`, naming all that is wrong."""
    known = {one.name for one in template.variables}
    wrong = [f"{name} is not a variable of this template" for name in given if name not in known]
    found: dict[str, object] = {}
    for variable in template.variables:
        text = given.get(variable.name, "")
        if not text and variable.default is not None:
            text = variable.default
        if not text and not variable.optional:
            wrong.append(f"{variable.name} ({variable.type}) is missing")
            continue
        try:
            found[variable.name] = typed(variable, text) if text else ""
        except ValueError as error:
            wrong.append(f"{variable.name}: {error}")
    if wrong:
        raise invalid("; ".join(wrong))
    return found


def typed(variable: Variable, text: str) -> object:
    """Raises ValueError."""
    if any(ord(char) < 32 for char in text):
        raise ValueError("must be one line")
    if variable.type is Type.CHOICE:
        if text not in variable.choices:
            raise ValueError(f"must be one of {', '.join(variable.choices)}")
        return text
    return _READERS[variable.type](text)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


def _name(text: str) -> str:
    if not _PLAIN.fullmatch(text):
        raise ValueError("must have letters, digits, and . _ - : / only")
    return text


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError("must be a whole number")
    return int(text)


_READERS: Mapping[Type, Callable[[str], object]] = {
    Type.STRING: Text,
    Type.IP: ip_address,
    Type.SUBNET: ip_network,
    Type.INTEGER: _integer,
    Type.BOOLEAN: _boolean,
    Type.NAME: _name,
}


def render(
    template: Template, given: Mapping[str, object], target: Target, secret: str = ""
) -> str:
    """The script. Raises `invalid`."""
    if template.uses_secret and not secret:
        raise invalid("This template needs SECRET")
    device = SimpleNamespace(
        **{name: _safe(getattr(target, name)) for name in Target.__dataclass_fields__}
    )
    try:
        made = environment().from_string(template.text)
        text = made.render({**given, DEVICE: device, SECRET: Text(secret)})
    except (
        TemplateError,
        ArithmeticError,
        LookupError,
        TypeError,
        ValueError,
        *_TOO_MUCH,
    ) as error:
        raise invalid(f"The template can't be rendered: {_said(error)}") from None
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


def _safe(value: object) -> object:
    return Text(value) if isinstance(value, str) else value


def _said(error: Exception) -> str:
    line = getattr(error, "lineno", None)
    return f"line {line}: {error}" if line else str(error) or type(error).__name__
