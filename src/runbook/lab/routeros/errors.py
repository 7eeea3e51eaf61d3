"""What the router refuses, in its own words."""

from __future__ import annotations

from enum import IntEnum


class Category(IntEnum):
    """The categories of `!trap`."""

    MISSING = 0
    ARGUMENT = 1
    INTERRUPTED = 2
    SCRIPT = 3
    GENERAL = 4
    API = 5
    TTY = 6
    VALUE = 7


class RouterError(Exception):
    """A command that failed. `line` and `column` are those of the script, if it has one."""

    def __init__(
        self,
        message: str,
        category: Category | None = None,
        *,
        line: int = 0,
        column: int = 0,
        output: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.category = category
        self.line = line
        self.column = column
        self.output = output
        self.at: tuple[str, int] | None = None
        """The command that failed, and its line, once it's known."""

    @property
    def text(self) -> str:
        """As the console prints it."""
        place = f" (line {self.line} column {self.column})" if self.line else ""
        return f"{self.message}{place}"


class DeniedError(RouterError):
    """The user's group lacks a policy."""

    def __init__(self) -> None:
        super().__init__("not enough permissions (9)", None)


class Rebooting(Exception):  # noqa: N818 - not an error: it unwinds the command that rebooted
    """The router restarts, so nothing after this command runs."""


def no_such_item() -> RouterError:
    return RouterError("no such item", Category.MISSING)


def failure(text: str) -> RouterError:
    return RouterError(f"failure: {text}")
