"""Steps without a domain, to measure the engines alone."""

from __future__ import annotations

import re
import time

from shared.errors import UsageError
from shared.settings import settings

_NAME = re.compile(r"(noop|nap|fib33|fib10):([1-9][0-9]{0,5})")


def parse(name: str) -> tuple[str, int] | None:
    """`("noop", 1000)` for `noop:1000`; None for a name that is not a workload.

    Raises:
        UsageError: it looks like a workload but cannot be one.
    """
    if ":" not in name:
        return None
    match = _NAME.fullmatch(name)
    if match is None:
        raise UsageError(
            f"workload {name!r}: use noop:N, nap:N, fib33:N or fib10:N with N from 1 to 999999"
        )
    return match[1], int(match[2])


def noop(index: int) -> int:
    """Do nothing, and count as one."""
    return 1 if index >= 0 else 0


def nap(index: int) -> int:
    """Wait, as for somebody else's answer, and count as one."""
    time.sleep(settings().nap_seconds)
    return noop(index)


def fib(n: int) -> int:
    """The n-th Fibonacci number by naive recursion, on purpose: CPU work of a known size."""
    return n if n < 2 else fib(n - 1) + fib(n - 2)
