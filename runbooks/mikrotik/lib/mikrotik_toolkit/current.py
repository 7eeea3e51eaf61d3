"""Which device is meant: that of the runbook's input, or one of several, each in its own thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

ROUTER = "ROUTER"
"""The input of runbooks for one device."""
DEVICES = "DEVICES"
"""The input of runbooks for several devices, which get all of their connections."""
_input: ContextVar[str] = ContextVar("input", default=ROUTER)


def input_name() -> str:
    """What `connection.read` and `routeros.connect` know the device by."""
    return _input.get()


def one_of_several() -> str:
    """The name of the device, if it is one of several; otherwise empty."""
    return _input.get().removeprefix(f"{DEVICES}.") if _input.get() != ROUTER else ""


@contextmanager
def on(device: str) -> Iterator[None]:
    """In this thread, this device of several is meant."""
    token = _input.set(f"{DEVICES}.{device}")
    try:
        yield
    finally:
        _input.reset(token)
