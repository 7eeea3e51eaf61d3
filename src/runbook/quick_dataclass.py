"""`dataclass` as in the standard library, but ten times as fast to define.

The engine has some 250 frozen dataclasses. The standard library compiles six methods for each at
every start: 0.4 ms a class, and a quarter of the time of `runbook execute`. Here, the methods of
classes with `frozen=True, slots=True` are shared, or compiled when they are called for the first
time. Objects are as fast as the standard library's, and behave like them.

Other classes are made by the standard library. What nothing uses isn't supported and raises
TypeError: methods of the class's own with these names, inheritance between such classes, `InitVar`,
`KW_ONLY`, `init=False` and `__post_init__`. See docs/adr/011.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Never

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool = False, slots: bool = False, **options: Any) -> Any:
        if frozen and slots and not options:
            return _frozen
        return dataclasses.dataclass(frozen=frozen, slots=slots, **options)


__all__ = ["dataclass"]

Fields = tuple[dataclasses.Field[Any], ...]


def _frozen(cls: type) -> type:
    _refuse_unsupported(cls)
    # Otherwise it would be the signature, which takes as long to write as all the rest.
    cls.__doc__ = cls.__doc__ or cls.__name__
    made: type = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    fields = dataclasses.fields(made)
    if any(not field.init or field.kw_only for field in fields):
        raise TypeError(f"{cls.__name__}: use dataclasses.dataclass for init=False and kw_only")
    methods = {
        "__init__": _compiled_later(made, "__init__", lambda: _init_of(fields)),
        "__eq__": _compiled_later(made, "__eq__", lambda: _eq_of(fields)),
        "__hash__": _compiled_later(made, "__hash__", lambda: _hash_of(fields)),
        "__repr__": _repr,
        "__setattr__": _refuse_to_set,
        "__delattr__": _refuse_to_delete,
        "__getstate__": _state,
        "__setstate__": _set_state,
    }
    for name, method in methods.items():
        setattr(made, name, method)
    return made


def _refuse_unsupported(cls: type) -> None:
    own = _MADE & vars(cls).keys()
    inherited = any(dataclasses.is_dataclass(base) for base in cls.__mro__[1:])
    # Annotations are text: see `from __future__ import annotations`.
    special = any("InitVar" in str(it) for it in vars(cls).get("__annotations__", {}).values())
    if own or inherited or special:
        raise TypeError(f"{cls.__name__}: use dataclasses.dataclass for what this one can't do")


_MADE = frozenset({
    "__init__", "__eq__", "__hash__", "__repr__", "__setattr__", "__delattr__", "__getstate__",
    "__setstate__", "__post_init__",
})  # fmt: skip

Method = Callable[..., Any]


def _compiled_later(made: type, name: str, compile_it: Callable[[], Method]) -> Method:
    """A method that takes the compiled one's place until it is called for the first time."""

    def method(self: Any, /, *given: Any, **named: Any) -> Any:
        compiled = compile_it()
        compiled.__qualname__ = f"{made.__qualname__}.{name}"
        setattr(made, name, compiled)
        return compiled(self, *given, **named)

    return method


_ABSENT = object()
"""The default of parameters whose value is made by a factory."""


def _init_of(fields: Fields) -> Method:
    values: dict[str, Any] = {"_set": object.__setattr__, "_absent": _ABSENT}
    parameters, lines = ["self"], ["pass"]
    for number, field in enumerate(fields):
        name, value = field.name, field.name
        if field.default is not dataclasses.MISSING:
            values[f"_default{number}"] = field.default
            parameters.append(f"{name}=_default{number}")
        elif field.default_factory is not dataclasses.MISSING:
            values[f"_make{number}"] = field.default_factory
            parameters.append(f"{name}=_absent")
            value = f"_make{number}() if {name} is _absent else {name}"
        else:
            parameters.append(name)
        lines.append(f"_set(self, {name!r}, {value})")
    return _compile("__init__", parameters, lines, values)


def _eq_of(fields: Fields) -> Method:
    names = [field.name for field in fields if field.compare]
    lines = [
        "if other.__class__ is self.__class__:",
        f"    return {_values('self', names)} == {_values('other', names)}",
        "return NotImplemented",
    ]
    return _compile("__eq__", ["self", "other"], lines)


def _hash_of(fields: Fields) -> Method:
    names = [
        field.name for field in fields if (field.compare if field.hash is None else field.hash)
    ]
    return _compile("__hash__", ["self"], [f"return hash({_values('self', names)})"])


def _values(owner: str, names: list[str]) -> str:
    return f"({''.join(f'{owner}.{name},' for name in names)})"


def _compile(
    name: str, parameters: list[str], lines: list[str], values: dict[str, Any] | None = None
) -> Method:
    body = "".join(f"    {line}\n" for line in lines)
    made: dict[str, Any] = {}
    exec(f"def {name}({', '.join(parameters)}):\n{body}", values or {}, made)  # noqa: S102 - like the standard library
    method: Method = made[name]
    return method


def _repr(self: Any) -> str:
    shown = ", ".join(
        f"{field.name}={getattr(self, field.name)!r}"
        for field in dataclasses.fields(self)
        if field.repr
    )
    return f"{type(self).__qualname__}({shown})"


def _refuse_to_set(_self: Any, name: str, _value: object) -> Never:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: Any, name: str) -> Never:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
