"""The bare workloads: what the engine costs when the steps cost nothing, or all the same.

noop:N           group(nothing(run, i) for i in 0..N-1) | count(run)
nap:N            the same of tasks that wait: group(waits(run, i) for i in 0..N-1) | count(run)
fib33:N, fib10:N chain of N times fibonacci(run, 33 or 10), each after the other
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from celery import chain, group
from celery.canvas import Signature

from celery_impl.app import PROFILE, app
from shared.workloads import fib, nap, noop

if TYPE_CHECKING:
    from celery.result import AsyncResult

_OF_KIND = {"fib33": 33, "fib10": 10}


@app.task(**PROFILE.step)
def nothing(run_id: str, index: int) -> int:
    """Do nothing, and count as one."""
    return noop(index)


@app.task(**PROFILE.step)
def waits(run_id: str, index: int) -> int:
    """Wait a tenth of a second, and count as one."""
    return nap(index)


@app.task(**PROFILE.step)
def count(ones: Sequence[int], *, run_id: str) -> int:
    """The fan-in."""
    return sum(ones)


@app.task(**PROFILE.step)
def fibonacci(before: int, *, run_id: str, index: int, n: int) -> int:
    """Compute the n-th Fibonacci number; returns how many steps have been done by now."""
    fib(n)
    return before + 1


def canvas(run_id: str, kind: str, size: int) -> Signature[Any]:
    """A chord, or a chain that counts its steps."""
    if kind in {"noop", "nap"}:
        member = nothing if kind == "noop" else waits
        return group(member.si(run_id, i) for i in range(size)) | count.s(run_id=run_id)
    one = fibonacci.s(run_id=run_id, n=_OF_KIND[kind])
    first, *others = (one.clone(kwargs={"index": i}) for i in range(size))
    return chain(first.clone(args=(0,)), *others)


def start(run_id: str, kind: str, size: int) -> AsyncResult[int]:
    """Queue it."""
    return canvas(run_id, kind, size).apply_async()
