"""Limits for what paramiko waits for without an end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paramiko import Channel


@contextmanager
def limited(channel: Channel, most_s: float) -> Iterator[None]:
    """Close the channel after this time, which ends any wait. Raises TimeoutError then."""
    late = threading.Event()

    def end() -> None:
        late.set()
        close(channel)

    timer = threading.Timer(most_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if late.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()


def close(channel: Channel) -> None:
    """End what waits for the channel, also if the connection is gone."""
    with suppress(Exception):  # it is closed all the same
        channel.close()
