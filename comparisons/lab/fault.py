"""What a fault is. Each is one file in `comparisons.faults`, found by being there."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from comparisons.lab.probes import Held, Trap
from shared.probe import POINTS

if TYPE_CHECKING:
    from comparisons.lab.cell import Cell
    from comparisons.lab.verdict import Found


class Ending(StrEnum):
    """How a run with a fault ended, from best to worst."""

    WHOLE = "whole"
    REPEATED = "repeated"
    WRONG = "wrong"
    LOST = "lost"
    NOT_INJECTED = "not injected"


MEANING = {
    Ending.WHOLE: "everything was done once, and the sum is right",
    Ending.REPEATED: "some steps were executed more than once, which nobody can see: one file and "
    "one row a station, and the right sum",
    Ending.WRONG: "a wrong sum, a file too many, or a file that is not what its row says",
    Ending.LOST: "a roll or the sum never came",
    Ending.NOT_INJECTED: "the fault could not be injected: nothing is known",
}


@dataclass(frozen=True, slots=True)
class Expect:
    """What a fault is expected to do to a profile, and why, from documentation and source."""

    endings: frozenset[Ending]
    why: str


def loses(why: str) -> Expect:
    """Something never comes."""
    return Expect(frozenset({Ending.LOST}), why)


def may_lose(why: str) -> Expect:
    """Something never comes in some of the phases, as `why` tells."""
    return Expect(frozenset({Ending.WHOLE, Ending.REPEATED, Ending.LOST}), why)


def repeats(why: str) -> Expect:
    """All is there in the end; steps may have been executed more than once."""
    return Expect(frozenset({Ending.WHOLE, Ending.REPEATED}), why)


def whole(why: str) -> Expect:
    """All is there in the end, and nothing was done twice."""
    return Expect(frozenset({Ending.WHOLE}), why)


class Fault:
    """A fault; subclasses say what they are and override `inject` and, mostly, `heal`.

    Attributes:
        id: `F` and two digits.
        title: a few words for the table.
        source: where the behaviour is documented, or which issue reports it.
        phases: where a run is when the fault comes; repetition n takes the n-th, round and round.
        expects: by profile; see `loses`, `repeats`, `whole`.
        meaningless: why it says nothing about a profile, by profile; no cell is run there.
        variant: what is run.
        spoils_worker: the worker is not to be used for the next cell.
        settle: seconds without any step after which no late repetition is waited for.
        waits: seconds that the run is meant to wait before it does anything.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    phases: ClassVar[tuple[str, ...]] = POINTS
    expects: ClassVar[Mapping[str, Expect]]
    meaningless: ClassVar[Mapping[str, str]] = {}
    variant: ClassVar[str] = "chord_by_station"
    spoils_worker: ClassVar[bool] = False
    settle: ClassVar[float] = 1.5
    waits: ClassVar[float] = 0.0

    def prepare(self, cell: Cell) -> None:
        """Before the run is started: traps are set here. A trap at the cell's phase by default."""
        cell.trap()

    def start(self, cell: Cell) -> None:
        """Start the run."""
        cell.start_run()

    def inject(self, cell: Cell) -> None:
        """Bring the fault about at a point that the work has reached, after `cell.strike`."""
        raise NotImplementedError

    def heal(self, cell: Cell) -> None:
        """Do what an operator's supervisor does, and call `cell.healed`; nothing by default."""

    def clean(self, cell: Cell) -> None:
        """Take away what the cell has put in place; called whatever has happened."""

    def missed(self, cell: Cell, found: Found) -> list[str]:
        """What of the goal was missed, a few words each."""
        return found.missed()

    def ending(self, cell: Cell, found: Found) -> Ending:
        """In one word. A run that has reached the goal is whole, whatever the goal was."""
        if self.missed(cell, found):
            whole = found.ending in {Ending.WHOLE, Ending.REPEATED}
            return Ending.WRONG if whole else found.ending
        return Ending.REPEATED if found.executed_again else Ending.WHOLE


def discover() -> dict[str, Fault]:
    """All faults by id: every module in `comparisons.faults` has one subclass of `Fault`."""
    package = importlib.import_module("comparisons.faults")
    found: dict[str, Fault] = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        loaded = importlib.import_module(module.name)
        for thing in vars(loaded).values():
            if isinstance(thing, type) and issubclass(thing, Fault) and "id" in vars(thing):
                found[thing.id] = thing()
    return dict(sorted(found.items()))


__all__ = [
    "MEANING", "Ending", "Expect", "Fault", "Held", "Trap", "discover", "loses", "may_lose",
    "repeats", "whole",
]  # fmt: skip
