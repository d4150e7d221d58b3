"""Flows without a domain, to measure the engine alone."""

from __future__ import annotations

from prefect import flow

from prefect_impl import tasks
from prefect_impl.fan_out import join


@flow(name="noop", flow_run_name="{run_id}", persist_result=True)
def noop(run_id: str, count: int) -> int:
    """A fan-out of steps that do nothing, and a fan-in that counts them; returns `count`."""
    return sum(join(tasks.noop.map(range(count))))


@flow(name="fib", flow_run_name="{run_id}", persist_result=True)
def fib(run_id: str, count: int, argument: int) -> int:
    """Fibonacci steps, one after the other; returns how many gave the same answer as the first."""
    answers = [tasks.fib(argument) for _ in range(count)]
    return answers.count(answers[0])
