"""Which runbooks to list."""

from __future__ import annotations

from runbook.core.document import FrontMatter
from runbook.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class RunbookFilter:
    """Which runbooks to list: those with the text (see Catalog.search), all tags, and the owner.

    The case of letters doesn't matter.
    """

    text: str = ""
    tags: tuple[str, ...] = ()
    owner: str = ""

    def __bool__(self) -> bool:
        return bool(self.text or self.tags or self.owner)

    def fits(self, front: FrontMatter) -> bool:
        tags = {tag.casefold() for tag in front.tags}
        if self.owner and self.owner.casefold() != front.owner.casefold():
            return False
        return all(tag.casefold() in tags for tag in self.tags)


ALL_RUNBOOKS = RunbookFilter()
