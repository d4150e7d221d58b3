"""From what a run lacks to the DAG run that makes it up, for both ways to sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from shared.recovery import Gap
from shared.variants import BY_NAME, Answer

REPAIR, ROLLS = "repair", "rolls"
OPEN = ("queued", "running")

# The state of a DAG run by its DAG and its id; None where there is none.
StateOf = Callable[[str, str], str | None]


@dataclass(frozen=True, slots=True)
class Repair:
    """A DAG run of `repair`: its id, and its parameters."""

    dag_run_id: str
    parameters: dict[str, Any]

    @property
    def run_id(self) -> str:
        """The run that is made up for."""
        return str(self.parameters["run_id"])


def repairs_of(gaps: Sequence[Gap], state_of: StateOf) -> Iterator[Repair]:
    """A repair for every run that lacks something and that no DAG run is at work on.

    The repairs of a run are numbered: two sweeps that see the same start the same one.
    """
    for gap in gaps:
        known = [state_of(gap.variant, gap.run_id), state_of(ROLLS, gap.run_id)]
        for number in count(1):
            name = f"{gap.run_id}~{number}"
            state = state_of(REPAIR, name)
            if state is None:
                break
            known.append(state)
        if not any(state in OPEN for state in known):
            yield Repair(name, _parameters(gap))


def _parameters(gap: Gap) -> dict[str, Any]:
    collects = BY_NAME[gap.variant].answer is Answer.TOTAL
    return {
        "run_id": gap.run_id,
        "assign": gap.assignment,
        "sum_pages": gap.summary or (gap.assignment and collects),
        "publish": gap.publication,
    }
