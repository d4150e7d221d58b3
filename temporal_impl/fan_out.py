"""A header of any size: so many activities at a time, and so many in one history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities
    from temporal_impl.options import SHORT

Member = TypeVar("Member")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Limits:
    """How wide a fan-out may be.

    in_flight: activities of one history at a time. The server takes 2,000 pending ones at the
        most, and the dev server times out when 5,000 are started at once.
    in_history: members that one workflow runs. A member takes 3 events and up to 3 for the
        workflow task that its end wakes; a history warns at 10,240 events and ends at 51,200.
    batches: child workflows at a time where there are more members than that.
    """

    in_flight: int = 100
    in_history: int = 1_000
    batches: int = 4


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Batch:
    """Members of a header that a child workflow runs: the activity's name, and an input each."""

    activity: str
    members: list[Any]
    limits: Limits = DEFAULT_LIMITS


@workflow.defn(name="fan_out")
class FanOut:
    """A header, or part of one, in a history of its own."""

    @workflow.run
    async def run(self, batch: Batch) -> list[Any]:
        """Run the members; returns their results in order."""
        return await _batched(batch)


async def fan_out(
    step: Callable[[Activities, Member], Awaitable[Result]],
    members: Sequence[Member],
    limits: Limits = DEFAULT_LIMITS,
) -> list[Result]:
    """Run an activity for each member and collect the results in the members' order.

    As in a chord's header, one that fails does not keep its siblings from running; then the first
    failure, by order, is raised.
    """
    return await _batched(Batch(activity_name(step), list(members), limits))


def activity_name(step: Callable[..., Any]) -> str:
    """The name under which a step is registered."""
    return step.__name__


async def _batched(batch: Batch) -> list[Any]:
    size, limits = batch.limits.in_history, batch.limits
    if len(batch.members) <= size:
        return await _all(
            [_execute(batch.activity, member) for member in batch.members], limits.in_flight
        )
    parts = [batch.members[start : start + size] for start in range(0, len(batch.members), size)]
    results = await _all(
        [
            _run_child(Batch(batch.activity, part, limits), number)
            for number, part in enumerate(parts)
        ],
        limits.batches,
    )
    return [result for part in results for result in part]


def _execute(name: str, member: Any) -> Callable[[], Awaitable[Any]]:
    return lambda: workflow.execute_activity(name, member, **SHORT)


def _run_child(batch: Batch, number: int) -> Callable[[], Awaitable[list[Any]]]:
    return lambda: workflow.execute_child_workflow(FanOut.run, batch, id=child_id(number))


def child_id(number: int) -> str:
    """The id of a batch's workflow: that of its parent and a number."""
    return f"{workflow.info().workflow_id}/batch-{number}"


async def _all(calls: Sequence[Callable[[], Awaitable[Result]]], at_a_time: int) -> list[Result]:
    turn = asyncio.Semaphore(at_a_time)

    async def in_turn(call: Callable[[], Awaitable[Result]]) -> Result:
        async with turn:
            return await call()

    results = await asyncio.gather(*map(in_turn, calls), return_exceptions=True)
    done = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done


async def hand_over(
    step: Callable[[Activities, Member], Awaitable[Any]], members: Sequence[Member]
) -> None:
    """Start the batches as workflows that outlive this one, and wait for none of them.

    Returns once the server has taken them all in.
    """
    size = DEFAULT_LIMITS.in_history
    for number, start in enumerate(range(0, len(members), size)):
        await workflow.start_child_workflow(
            FanOut.run,
            Batch(activity_name(step), list(members[start : start + size])),
            id=child_id(number),
            parent_close_policy=ParentClosePolicy.ABANDON,
        )
