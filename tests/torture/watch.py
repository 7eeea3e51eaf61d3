"""What the driver sees while the storm goes on. All threads write into it."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass
class Watch:
    """`accepted` are the runs whose ID a client was told; `keys` the runs that a key stands for."""

    accepted: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)
    keys: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    counts: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    """The faults with their times, for whoever looks into a failure."""
    keys_expire: bool = False
    """Whether the clock is so far ahead that keys of before don't count anymore."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def accept(self, run_id: str, key: str | None = None) -> None:
        """Without the key where it may have expired meanwhile."""
        with self.lock:
            self.accepted.add(run_id)
            if key is not None:
                self.keys[key].add(run_id)

    def damage(self, *run_ids: str) -> None:
        with self.lock:
            self.damaged.update(run_ids)

    def fault(self, text: str) -> None:
        """Something that should not have been seen at all."""
        with self.lock:
            self.faults.append(text)

    def tell(self, text: str) -> None:
        with self.lock:
            self.story.append(text)

    def known(self) -> list[str]:
        with self.lock:
            return sorted(self.accepted)
