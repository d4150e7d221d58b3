"""Flows without a domain, to measure the engine alone."""

from __future__ import annotations

from prefect import flow

from prefect_impl import tasks
from prefect_impl.fan_out import join
from prefect_impl.slices import in_slices, is_mine


@flow(name="noop", flow_run_name="{run_id}", persist_result=True)
def noop(run_id: str, count: int) -> int:
    """A fan-out of steps that do nothing, and a fan-in that counts them; returns `count`."""
    return sum(join(tasks.noop.map(range(count))))


@flow(name="nap", flow_run_name="{run_id}", persist_result=True)
def nap(run_id: str, count: int, size: int | None = None) -> int:
    """A fan-out of steps that wait, `size` of them a flow run, and a fan-in; returns `count`."""
    members = list(range(count))
    if size is None:
        return sum(_naps(members))
    return sum(in_slices("naps_of_slice", run_id, members, size, _naps))


@flow(name="naps_of_slice", persist_result=True)
def naps_of_slice(run_id: str, members: list[int]) -> list[int] | None:
    """A slice of it, unless the flow that has the rest does it."""
    del run_id  # the same parameters as every flow of a slice
    return _naps(members) if is_mine() else None


def _naps(members: list[int]) -> list[int]:
    return join(tasks.nap.map(members))


@flow(name="fib", flow_run_name="{run_id}", persist_result=True)
def fib(run_id: str, count: int, argument: int) -> int:
    """Fibonacci steps, one after the other; returns how many gave the same answer as the first."""
    answers = [tasks.fib(argument) for _ in range(count)]
    return answers.count(answers[0])
