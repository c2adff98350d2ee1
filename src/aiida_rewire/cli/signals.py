"""What a request to stop does inside a block."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


class Interrupted(Exception):
    """The user, or the system, asked to stop."""


def interrupt(number: int, frame: FrameType | None) -> None:
    """Turn a request to terminate into an exception, as Ctrl-C is one."""
    raise Interrupted


@contextlib.contextmanager
def on_stopping_signals(handler: Handler) -> Iterator[None]:
    """Let a handler take the requests to stop: `interrupt`, or ``signal.SIG_IGN`` where things come to rest."""
    before = {number: signal.signal(number, handler) for number in STOPPING_SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
