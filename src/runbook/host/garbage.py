"""When Python looks for garbage: not while a program starts.

Imports make some 200 000 objects, and all of them stay. Looking for garbage among them again and
again takes up to 0.1 s. Light to import, because every program does this first.
"""

from __future__ import annotations

import gc

RARELY = 50_000
_USUALLY = gc.get_threshold()[0]
_NOT_DURING_IMPORTS = 500_000


def wait() -> None:
    """Don't look for garbage during imports."""
    gc.set_threshold(_NOT_DURING_IMPORTS)


def resume(objects: int = _USUALLY) -> None:
    """Collect garbage after each `objects` new objects, but never among existing ones."""
    gc.freeze()
    gc.set_threshold(objects)
