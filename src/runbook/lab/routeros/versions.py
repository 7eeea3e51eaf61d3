"""What differs between the versions of RouterOS."""

from __future__ import annotations

import re
from dataclasses import dataclass

KNOWN = ("6.49", "7.12", "7.18", "7.20")
NEWEST = {6: "6.49.18", 7: "7.20.4"}
"""What `check-for-updates` finds."""


@dataclass(frozen=True)
class Release:
    """A version, and what it does differently."""

    text: str

    @property
    def number(self) -> tuple[int, int]:
        major, minor, *_ = [*(int(digits) for digits in re.findall(r"\d+", self.text)), 0]
        return major, minor

    @property
    def is_6(self) -> bool:
        return self.number[0] == 6

    @property
    def has_iso_dates(self) -> bool:
        return self.number >= (7, 10)

    @property
    def hides_secrets(self) -> bool:
        """`/export` leaves out secrets unless it is told otherwise."""
        return not self.is_6

    @property
    def asks_for_response(self) -> bool:
        """Logs in by a challenge instead of the password."""
        return self.number < (6, 43)

    @property
    def health_in_rows(self) -> bool:
        return not self.is_6

    @property
    def says_empty(self) -> bool:
        """The API says `!empty` if there are no rows."""
        return self.number >= (7, 18)

    @property
    def has_dry_run(self) -> bool:
        return self.number >= (7, 16)

    @property
    def exports_some(self) -> bool:
        """`/export where` in a menu."""
        return self.number >= (7, 13)

    @property
    def reads_files(self) -> bool:
        """Has `/file/read`."""
        return self.number >= (7, 13)

    @property
    def creates_files(self) -> bool:
        """Has `/file/add`."""
        return self.number >= (7, 9)

    @property
    def has_device_mode(self) -> bool:
        return self.number >= (7, 1)

    @property
    def default_mode(self) -> str:
        return "advanced" if self.number >= (7, 17) else "enterprise"

    @property
    def places_errors(self) -> bool:
        """An import that fails says where: the command and its line."""
        return self.number >= (7, 18)

    @property
    def exit_status_of_syntax(self) -> int:
        """What an SSH command that doesn't parse exits with. One that fails exits with 0."""
        return 0 if self.is_6 else 1
