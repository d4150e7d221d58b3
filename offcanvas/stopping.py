"""Ctrl-C and SIGTERM, so that neither gets lost.

Both raise KeyboardInterrupt where the program is. Libraries lose one now and then (raised inside a
finaliser, it is dropped), so that what waits for long also asks.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_asked: list[int] = []


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """SIGINT and SIGTERM stop what runs inside, once; while it tidies up they change nothing."""
    before = {one: signal.signal(one, _stop) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        _asked.clear()
        for one, handler in before.items():
            signal.signal(one, handler)


def _stop(signum: int, _frame: object) -> None:
    if not _asked:
        _asked.append(signum)
        raise KeyboardInterrupt


def raise_if_asked() -> None:
    """For loops that wait: stop if a signal has come and got lost."""
    if _asked:
        raise KeyboardInterrupt
