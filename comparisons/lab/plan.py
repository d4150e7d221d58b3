"""What the lab is asked for, checked whole before anything is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comparisons.engines import ENGINES
from comparisons.lab.fault import discover
from comparisons.lab.profiles import DEFAULT_PROFILES, HARDENED, NAIVE, PROFILES
from comparisons.plan import check_out, choose
from offcanvas.servers import ServerError
from offcanvas.servers.postgres import programs as postgres_programs
from offcanvas.servers.rabbitmq import programs as rabbitmq_programs
from shared.errors import UsageError


@dataclass(frozen=True, slots=True)
class LabPlan:
    """Faults and profiles by name, in the order of the table; repetitions; where the results go."""

    faults: tuple[str, ...]
    profiles: tuple[str, ...]
    repeat: int
    out: Path

    @property
    def cells(self) -> list[tuple[str, str, int]]:
        """Every cell that is run, as (fault, profile, repetition from 1)."""
        known = discover()
        return [
            (fault, profile, repetition + 1)
            for fault in self.faults
            for profile in self.profiles
            if profile not in known[fault].meaningless
            for repetition in range(self.repeat)
        ]

    @property
    def command(self) -> str:
        """The command that repeats this, without paths of this machine."""
        return (
            f"python -m comparisons faults --faults {','.join(self.faults)} "
            f"--profiles {','.join(self.profiles)} --repeat {self.repeat}"
        )


def make_plan(*, faults: str | None, profiles: str | None, repeat: int, out: Path) -> LabPlan:
    """The plan of the command line's words; None is a flag that was not given.

    Raises:
        UsageError: a name is not known, the number is out of range, results cannot be written, or
            a program that is needed is not installed.
    """
    if repeat < 1:
        raise UsageError(f"--repeat {repeat}: at least 1 run of each is needed")
    known = discover()
    named = None if faults is None else faults.upper()
    plan = LabPlan(choose("--faults", named, known), _profiles(profiles), repeat, out)
    check_out(out)
    _check_programs(plan.profiles)
    return plan


def _profiles(text: str | None) -> tuple[str, ...]:
    return DEFAULT_PROFILES if text is None else choose("--profiles", text, PROFILES)


def _check_programs(profiles: Sequence[str]) -> None:
    for name in profiles:
        ENGINES[PROFILES[name].engine].check()
    try:
        postgres_programs()
    except ServerError as error:
        raise UsageError(f"{error}; the lab keeps its ledger in private clusters") from None
    on_rabbitmq = [name for name in profiles if name in {NAIVE, HARDENED}]
    if not on_rabbitmq:
        return
    try:
        rabbitmq_programs()
    except ServerError as error:
        others = [name for name in PROFILES if name not in {NAIVE, HARDENED}]
        raise UsageError(
            f"{error}, for {on_rabbitmq[0]}; or --profiles {','.join(others)}"
        ) from None
