"""What was found, in words, with the confidence that the count allows."""

from __future__ import annotations

import json
import math
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from offcanvas.errors import UsageError
from offcanvas.printable import plural, printable
from offcanvas.shadow.answers import Difference
from offcanvas.shadow.bodies import Bodies, Judged, is_beyond, judged
from offcanvas.shadow.branches import Branches
from offcanvas.shadow.replay import Replayed

#: How sure the report is: 95 in 100.
_SURE = 0.95


@dataclass(frozen=True, slots=True)
class Known:
    """A difference that is expected, until a day."""

    step: str
    kind: str
    reason: str
    until: date


@dataclass(frozen=True, slots=True)
class Report:
    """All roots.

    Attributes:
        replayed: how many.
        left_out: roots whose end was not recorded.
        unknown: differences that nobody expects, with how often and an example root.
        known: differences that are expected, with how often.
        covered, uncovered: steps of the candidate that a root has taken, and that none has.
        untaken: branches of the candidate's orchestration that no root has taken; their number is
            ``branches``.
        bodies: what executed bodies came to, step by step.
        masked: calls of fenced steps that were not executed, as an argument is masked.
    """

    replayed: int
    left_out: int
    differing: int
    unknown: tuple[tuple[Difference, int, str], ...]
    known: tuple[tuple[Known, int], ...]
    covered: tuple[str, ...]
    uncovered: tuple[str, ...]
    untaken: tuple[str, ...] = ()
    branches: int = 0
    bodies: tuple[Judged, ...] = ()
    masked: int = 0

    @property
    def differs(self) -> bool:
        """Whether anything differs that is neither known nor noise."""
        return bool(self.differing) or any(one.beyond for one in self.bodies)


def summed(
    done: Sequence[Replayed],
    left_out: int,
    known: Sequence[Known],
    steps: Sequence[str],
    branches: Branches | None = None,
    bodies: Bodies | None = None,
) -> Report:
    """The report; ``steps`` are those of the candidate."""
    unknown: dict[tuple[str, str], tuple[Difference, str]] = {}
    counts, expected, differing = Counter[tuple[str, str]](), Counter[Known](), 0
    for one in done:
        odd = False
        for difference in one.differences:
            rule = next(
                (k for k in known if (k.step, k.kind) == (difference.step, difference.kind)), None
            )
            if rule is not None:
                expected[rule] += 1
                continue
            odd = True
            name = (difference.kind, difference.step)
            counts[name] += 1
            unknown.setdefault(name, (difference, one.root))
        differing += odd
    taken = set().union(*(one.steps for one in done)) if done else set()
    return Report(
        len(done),
        left_out,
        differing,
        tuple((one, counts[name], root) for name, (one, root) in unknown.items()),
        tuple(expected.items()),
        tuple(sorted(set(steps) & taken)),
        tuple(sorted(set(steps) - taken)),
        tuple(branches.untaken) if branches else (),
        len(branches.all) if branches else 0,
        tuple(judged(bodies.found, bodies.fence)) if bodies else (),
        bodies.masked.total() if bodies else 0,
    )


def at_most(clean: int) -> float:
    """The share of differing roots that so many clean ones leave possible, with 95 % confidence."""
    return float(1 - (1 - _SURE) ** (1 / clean)) if clean else 1.0


def needed(share: float) -> int:
    """How many clean ones say that at most ``share`` differ."""
    return math.ceil(math.log(1 - _SURE) / math.log(1 - share))


def lines(found: Report, until: float | None = None) -> list[str]:
    """The report in words."""
    found = printable(found)
    said = []
    if found.differing:
        said.append(f"{plural(found.replayed, 'root')}, {found.differing:,} differ:")
        for difference, count, root in found.unknown:
            how = f"{difference.kind}, {difference.step}, {plural(count, 'time')}"
            said.append(f"  {how}: {difference.told} ({root})")
    else:
        share = at_most(found.replayed)
        roots = plural(found.replayed, "root")
        said.append(f"{roots}, 0 differ: at most {share:.2%} do, with 95 % confidence")
    for rule, count in found.known:
        how = f"{rule.kind}, {rule.step}, {plural(count, 'time')}"
        said.append(f"  known until {rule.until}: {how}: {rule.reason}")
    if found.left_out:
        said.append(
            f"{plural(found.left_out, 'root')} left out: their end, or a value, was not recorded"
        )
    if found.uncovered:
        said.append(f"not covered, as no recorded root took them: {', '.join(found.uncovered)}")
    elif found.covered:
        said.append(f"all {len(found.covered)} steps of the candidate were taken")
    if found.branches:
        taken = found.branches - len(found.untaken)
        said.append(f"{taken} of {found.branches} branches of the candidate were taken")
        said += [f"  not taken: {one}" for one in found.untaken]
    said += [_of_bodies(one) for one in found.bodies]
    if found.masked:
        said.append(f"{found.masked:,} bodies were not executed: an argument of theirs is masked")
    if until is not None and not found.differing:
        more = needed(until) - found.replayed
        said.append(
            f"{more:,} more clean ones are needed for at most {until:.2%}"
            if more > 0
            else f"enough for at most {until:.2%}"
        )
    return said


def _of_bodies(one: Judged) -> str:
    said = f"{one.step} behind the fence {one.fence}: {one.calls:,} calls"
    if one.differing:
        said += f", {one.differing:,} differ: {one.example}"
        said += "" if one.beyond else "; noise explains as many"
    else:
        said += f", 0 differ: at most {at_most(one.calls):.2%} do, with 95 % confidence"
    noise = f"{one.noisy / one.calls:.2%}" if one.noisy else f"below {at_most(one.calls):.2%}"
    said += f"; noise of Celery's own body: {noise}"
    if one.drifted:
        said += f"; {one.drifted:,} come to something else than in production, on Celery as well"
    return said


def as_json(found: Report) -> str:
    """One JSON object."""
    return json.dumps(asdict(found), indent=2, default=str)


def read_report(path: Path) -> Report:
    """A report that ``run --json`` has printed.

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from None
    try:
        return Report(
            **{
                **raw,
                "unknown": tuple((Difference(**one), n, root) for one, n, root in raw["unknown"]),
                "known": tuple(
                    (Known(**{**one, "until": date.fromisoformat(one["until"])}), count)
                    for one, count in raw["known"]
                ),
                "bodies": tuple(Judged(**one) for one in raw["bodies"]),
                **{name: tuple(raw[name]) for name in ("covered", "uncovered", "untaken")},
            }
        )
    except (KeyError, TypeError, ValueError):
        raise UsageError(
            f"{path}: is no report: keep what offcanvas shadow run --json prints"
        ) from None


def together(reports: Sequence[Report]) -> Report:
    """Several reports of one candidate as one: what none of them covers is not covered."""
    unknown: dict[tuple[str, str], tuple[Difference, int, str]] = {}
    known = Counter[Known]()
    bodies: dict[tuple[str, str], Judged] = {}
    for one in reports:
        for difference, count, root in one.unknown:
            name = (difference.kind, difference.step)
            first, before, example = unknown.get(name, (difference, 0, root))
            unknown[name] = (first, before + count, example)
        known.update(dict(one.known))
        for body in one.bodies:
            there = bodies.get((body.step, body.fence))
            bodies[body.step, body.fence] = _both(there, body) if there else body
    covered = set[str]().union(*(one.covered for one in reports))
    steps = covered.union(*(one.uncovered for one in reports))
    untaken = [set(one.untaken) for one in reports if one.branches]
    return Report(
        sum(one.replayed for one in reports),
        sum(one.left_out for one in reports),
        sum(one.differing for one in reports),
        tuple(unknown.values()),
        tuple(known.items()),
        tuple(sorted(covered)),
        tuple(sorted(steps - covered)),
        tuple(sorted(set.intersection(*untaken))) if untaken else (),
        max(one.branches for one in reports),
        tuple(bodies.values()),
        sum(one.masked for one in reports),
    )


def _both(one: Judged, other: Judged) -> Judged:
    calls, differing = one.calls + other.calls, one.differing + other.differing
    noisy = one.noisy + other.noisy
    return replace(
        one, calls=calls, differing=differing, noisy=noisy, drifted=one.drifted + other.drifted,
        beyond=is_beyond(calls, differing, noisy), example=one.example or other.example,
    )  # fmt: skip


def read_known(path: Path, today: date) -> list[Known]:
    """Known differences: ``[[known]]`` with step, kind, reason and until.

    Raises:
        UsageError: the file cannot be used, or one of them has expired.
    """
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from None
    found = []
    for number, one in enumerate(raw.get("known", []), start=1):
        missing = [name for name in ("step", "kind", "reason", "until") if not one.get(name)]
        if missing:
            raise UsageError(f"{path}: known {number} has no {missing[0]}; all four are needed")
        if not isinstance(one["until"], date):
            raise UsageError(f"{path}: known {number}: until has to be a date, 2027-01-31")
        if one["until"] < today:
            raise UsageError(
                f"{path}: known {number} ({one['step']}) was good until {one['until']}: mend the "
                "port, or say until when it is good now"
            )
        found.append(Known(one["step"], one["kind"], one["reason"], one["until"]))
    return found
