"""DAGs without a domain, to measure the engine alone.

A DAG has its shape before it runs. A fan-out of n is a mapped task; n steps after each other cannot
be made at run time, so `fib` maps too, with one instance at a time. The two sequences of the
published benchmark are written out besides, as it has them: every task after the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from airflow.sdk import Param, dag

from airflow_impl.names import SEQUENCES
from airflow_impl.options import DAG
from airflow_impl.tasks import step
from shared import workloads

COUNT, ARGUMENT = "{{ params.count }}", "{{ params.argument }}"
NUMBERS: dict[str, Any] = {
    **DAG,
    "params": {
        **DAG["params"],
        "count": Param(type="integer", minimum=1),
        "argument": Param(0, type="integer", minimum=0),
    },
}


@step()
def indices(count: str) -> list[int]:
    """What is mapped over."""
    return list(range(int(count)))


@step(map_index_template="{{ task.op_kwargs['index'] }}")
def do_nothing(index: int) -> int:
    """Do nothing, and count as one."""
    return workloads.noop(index)


@step(map_index_template="{{ task.op_kwargs['index'] }}")
def take_a_nap(index: int) -> int:
    """Wait a tenth of a second, and count as one."""
    return workloads.nap(index)


@step(max_active_tis_per_dagrun=1)
def fibonacci(argument: str, index: int) -> int:
    """The Fibonacci number of that argument."""
    return workloads.fib(int(argument) + 0 * index)


@step()
def first_fibonacci(argument: str) -> int:
    """A member of a sequence."""
    return workloads.fib(int(argument))


@step()
def total(parts: Sequence[int]) -> int:
    """The fan-in: their sum."""
    return sum(parts)


@step()
def alike(parts: Sequence[int]) -> int:
    """How many gave the same answer as the first."""
    answers = list(parts)
    return answers.count(answers[0])


@dag(**NUMBERS)
def noop() -> None:
    """A fan-out of steps that do nothing, and a fan-in that counts them."""
    total(do_nothing.expand(index=indices(COUNT)))


@dag(**NUMBERS)
def nap() -> None:
    """A fan-out of steps that wait, and a fan-in that counts them."""
    total(take_a_nap.expand(index=indices(COUNT)))


@dag(**NUMBERS)
def fib() -> None:
    """Fibonacci steps, one at a time; how many gave the same answer as the first."""
    alike(fibonacci.partial(argument=ARGUMENT).expand(index=indices(COUNT)))


def sequence(count: int) -> Any:
    """A DAG of so many Fibonacci steps, each after the one before it."""

    @dag(dag_id=f"fib_{count}", **NUMBERS)
    def fib_in_a_row() -> None:
        answers = [first_fibonacci(ARGUMENT) for _ in range(count)]
        for before, after in pairwise(answers):
            before >> after
        alike(answers)

    return fib_in_a_row()


noop()
nap()
fib()
for length in SEQUENCES:
    sequence(length)
