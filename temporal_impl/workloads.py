"""Workflows without a domain, to measure the engine alone."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities
    from temporal_impl.options import SHORT

from temporal_impl.fan_out import fan_out


@dataclass(frozen=True, slots=True)
class Workload:
    """`count` steps; of `fib`, the argument of each."""

    count: int
    argument: int = 0


@workflow.defn(name="noop")
class Noop:
    """A fan-out of steps that do nothing, and a fan-in that counts them."""

    @workflow.run
    async def run(self, workload: Workload) -> int:
        """Returns `count`."""
        return sum(await fan_out(Activities.noop, range(workload.count)))


@workflow.defn(name="nap")
class Nap:
    """A fan-out of steps that wait, and a fan-in that counts them."""

    @workflow.run
    async def run(self, workload: Workload) -> int:
        """Returns `count`."""
        return sum(await fan_out(Activities.nap, range(workload.count)))


@workflow.defn(name="fib")
class Fib:
    """Fibonacci steps, one after the other."""

    @workflow.run
    async def run(self, workload: Workload) -> int:
        """Returns the number of steps that gave the same answer as the first."""
        answers = [
            await workflow.execute_activity_method(Activities.fib, workload.argument, **SHORT)
            for _ in range(workload.count)
        ]
        return answers.count(answers[0])
