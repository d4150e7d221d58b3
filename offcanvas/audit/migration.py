"""What a move to another engine would take: effort, hot spots, an order, and where to stay.

The thresholds are constants of this module and are printed in the report, so that a reader can
disagree with them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from offcanvas.audit.finding import Finding, Severity
from offcanvas.audit.inventory import CanvasPlace, Drawn
from offcanvas.audit.scan import Answer

SMALL: Final = (6, 2)
MEDIUM: Final = (20, 3)
"""(signatures, levels of nesting) up to which a canvas is small or medium."""
WEIGHT: Final = {
    Severity.HIGH: 8,
    Severity.MEDIUM: 3,
    Severity.LOW: 1,
    Severity.PORTING: 1,
}
"""What a finding adds to its file's heat."""
STAY: Final = 0.8
"""Share of tasks in no canvas from which staying on Celery is the better advice by default."""

THRESHOLDS: Final = (
    f"small: every member resolved, at most {SMALL[0]} signatures in {SMALL[1]} levels, no error "
    f"callback. medium: every member resolved, at most {MEDIUM[0]} signatures in {MEDIUM[1]} "
    "levels. large: anything bigger, or a member that cannot be told from the source. A signature "
    "in a loop counts once."
)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work a canvas is ("small", "medium", "large") and why."""

    size: str
    why: str


@dataclass(frozen=True, slots=True)
class HotSpot:
    """A file with its heat: the weights of its findings added up, plus one for each canvas."""

    path: str
    heat: int
    findings: int
    canvases: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the move: what, why now, and the names it is about."""

    title: str
    why: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """The whole of it."""

    efforts: tuple[tuple[CanvasPlace, Effort], ...]
    hot_spots: tuple[HotSpot, ...]
    steps: tuple[Step, ...]
    stay: tuple[str, ...]


def effort(canvas: Drawn) -> Effort:
    """The effort class of one canvas by the published thresholds."""
    parts = [*canvas.walk()]
    signatures = sum(1 for p in parts if p.kind not in {"chain", "group", "chord", "choice"})
    levels = _levels(canvas)
    unknown = [p.why for p in parts if p.kind in {"unknown", "choice"}]
    size = f"{signatures} signature{'' if signatures == 1 else 's'}, {levels} deep"
    if unknown:
        return Effort("large", f"cannot be told from the source: {unknown[0]}")
    if signatures <= SMALL[0] and levels <= SMALL[1] and not any(p.errbacks for p in parts):
        return Effort("small", size)
    if signatures <= MEDIUM[0] and levels <= MEDIUM[1]:
        with_errors = ", error callbacks" if any(p.errbacks for p in parts) else ""
        return Effort("medium", size + with_errors)
    return Effort("large", size)


def _levels(drawn: Drawn) -> int:
    inner = [*drawn.parts, *((drawn.body,) if drawn.body is not None else ())]
    below = max((_levels(p) for p in inner), default=0)
    return below + (1 if drawn.kind in {"chain", "group", "chord", "choice"} else 0)


def advise(answer: Answer, findings: Sequence[Finding]) -> Advice:
    """Effort of every canvas, hot spots, steps in order, and where to stay."""
    efforts = tuple((place, effort(place.canvas)) for place in answer.canvases)
    return Advice(
        efforts=efforts,
        hot_spots=_hot_spots(answer, findings),
        steps=_steps(answer, findings, efforts),
        stay=_stay(answer, findings),
    )


def _hot_spots(answer: Answer, findings: Sequence[Finding]) -> tuple[HotSpot, ...]:
    heat: Counter[str] = Counter()
    count = Counter(f.path for f in findings)
    canvases = Counter(c.path for c in answer.canvases)
    for finding in findings:
        heat[finding.path] += WEIGHT[finding.severity]
    heat.update(canvases)
    return tuple(
        HotSpot(path, value, count[path], canvases[path]) for path, value in heat.most_common(10)
    )


def _in_canvas(answer: Answer) -> set[str]:
    return {p.name for place in answer.canvases for p in place.canvas.walk() if p.name}


def _steps(
    answer: Answer,
    findings: Sequence[Finding],
    efforts: tuple[tuple[CanvasPlace, Effort], ...],
) -> tuple[Step, ...]:
    dangers = [f for f in findings if f.severity is Severity.HIGH]
    of_size = {
        size: tuple(f"{p.path}:{p.line}" for p, e in efforts if e.size == size)
        for size in ("small", "medium", "large")
    }
    beat = {e.resolved.name for e in answer.beat if e.resolved is not None}
    alone = beat - _in_canvas(answer)
    steps = [
        Step(
            "Cure the high findings while still on Celery",
            "a port carries a lost task or a double write over as it is",
            tuple(dict.fromkeys(f"{f.path}:{f.line} {f.code}" for f in dangers)),
        ),
        Step(
            "Move scheduled tasks that are part of no canvas",
            "they have one sender, the schedule, and can be switched back in a minute",
            tuple(sorted(alone)),
        ),
        Step(
            "Move the small canvases",
            "each is a function of plain calls on the other side",
            of_size["small"],
        ),
        Step(
            "Move the medium canvases",
            "by then retries, errors and results have been settled once",
            of_size["medium"],
        ),
        Step(
            "Redesign the large canvases",
            "they are programs written as data: write them as code, not as a translation",
            of_size["large"],
        ),
    ]
    return tuple(step for step in steps if step.members)


def _stay(answer: Answer, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Advice to stay, each line with its numbers."""
    tasks = len(answer.tasks)
    if not tasks:
        return ("No task was found: there is nothing to move.",)
    inside = _in_canvas(answer)
    single = [t for t in answer.tasks if t.name not in inside]
    advice = []
    share = len(single) / tasks
    if not answer.canvases:
        advice.append(
            f"All {tasks} tasks are sent one by one, without a canvas. A workflow engine would "
            "add a service and give durable steps that nothing here asks for; stay on Celery and "
            "cure the findings."
        )
    elif share >= STAY:
        advice.append(
            f"{len(single)} of {tasks} tasks ({share:.0%}) are part of no canvas. Keep them on "
            f"Celery and move only the {len(answer.canvases)} canvases, if anything."
        )
    waits = {f.path for f in findings if f.code == "CEL301"}
    quiet = [t for t in single if t.path not in waits and answer.callers[t.name] > 3]
    if quiet and share < STAY:
        names = ", ".join(sorted(t.name for t in quiet)[:5])
        advice.append(
            f"Sent from more than three places each and part of no canvas: {names}"
            f"{', ...' if len(quiet) > 5 else ''}. This is a message queue's work, which Celery "
            "does well."
        )
    return tuple(advice) or (
        "Most tasks work together in canvases: nothing speaks for leaving single ones behind.",
    )
