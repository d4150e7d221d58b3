"""One canvas on Celery, then on each of the engines: the same, or what differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum

from offcanvas.check.seen import Difference, Seen
from offcanvas.check.watch import Watch, watch
from offcanvas.engines.base import ENGINES, Engine, Submission, engine
from offcanvas.engines.environment import ENGINE_ADDRESSES, without
from offcanvas.engines.prepare import deviations_of
from offcanvas.errors import EngineError, MissingExtra, UnsupportedCanvas

BASELINE = "celery"


class Word(StrEnum):
    """A verdict in one word."""

    SAME = "same"
    DIFFERS = "differs"
    UNSTABLE = "unstable"
    REFUSED = "refused"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an engine came to.

    ``differences`` are those from Celery; for UNSTABLE those between two runs on Celery itself,
    which leave nothing to compare with. ``reason`` is why an engine refused, or was not there.
    """

    engine: str
    word: Word
    differences: tuple[Difference, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The verdicts; ``deviations`` say where Celery does otherwise than it documents."""

    real: Seen
    verdicts: tuple[Verdict, ...]
    deviations: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether all engines that are there did the same as Celery."""
        return all(verdict.word in {Word.SAME, Word.MISSING} for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be run where: engines that can, and verdicts for those that cannot."""

    engines: tuple[Engine, ...]
    settled: tuple[Verdict, ...] = ()


def plan(submission: Submission, names: Sequence[str] = ()) -> Plan:
    """Look at everything that can be wrong beforehand; nothing is started.

    Args:
        submission: what is to be compared.
        names: the engines; without names all of them, and those that are not installed or refuse
            the canvas get a verdict instead of an error.

    Raises:
        UsageError: of the engines named, or of any: the canvas cannot be run.
    """
    engine(BASELINE).vet(submission)
    engines: list[Engine] = []
    settled: list[Verdict] = []
    for name in dict.fromkeys(names or (name for name in ENGINES if name != BASELINE)):
        try:
            one = engine(name)
            one.vet(submission)
        except (MissingExtra, UnsupportedCanvas) as error:
            if names:
                raise
            word = Word.MISSING if isinstance(error, MissingExtra) else Word.REFUSED
            settled.append(Verdict(name, word, reason=" ".join(str(error).split())))
        else:
            engines.append(one)
    return Plan(tuple(engines), tuple(settled))


def compare(
    submission: Submission, planned: Plan, tell: Callable[[str], None] = lambda _text: None
) -> Report:
    """Run on Celery, on each of the engines, and on Celery again if an engine differs.

    Servers and workers are private and gone at the end. ``tell`` is told what is going on.

    Raises:
        EngineError: an engine does not come up, or Celery does not come to rest in time.
    """
    with without(*ENGINE_ADDRESSES), ExitStack() as stack:
        celery = engine(BASELINE)
        tell(f"{BASELINE}: starting Redis and a worker")
        baseline = stack.enter_context(watch(celery, submission.app))
        beside = stack.enter_context(ExitStack())

        def watched(one: Engine) -> Watch:
            # One engine at a time next to Celery, which may be needed again.
            beside.close()
            found = baseline
            if one.name != BASELINE:
                tell(f"{one.name}: starting")
                found = beside.enter_context(watch(one, submission.app))
            tell(f"{one.name}: running the canvas")
            return found

        return compare_on(submission, planned, watched)


def compare_on(submission: Submission, planned: Plan, watched: Callable[[Engine], Watch]) -> Report:
    """``compare`` on engines whose servers are another's affair: ``watched`` gives each of them."""
    celery = engine(BASELINE)
    real = _rested(watched(celery), submission)
    verdicts = []
    again: Seen | None = None
    for one in planned.engines:
        here = watched(one)(submission)
        found = here.differences(real)
        if not found:
            verdicts.append(Verdict(one.name, Word.SAME))
            continue
        if again is None:
            again = _rested(watched(celery), submission)
        own = again.differences(real, "its first run")
        timeless = real.without_moments()
        if own and not again.without_moments().differences(timeless):
            # Tasks that pass on the time do so on every engine.
            own, found = [], here.without_moments().differences(timeless)
        word = Word.UNSTABLE if own else Word.DIFFERS if found else Word.SAME
        verdicts.append(Verdict(one.name, word, tuple(own or found)))
    deviations = sorted(deviations_of(submission)) if planned.engines else []
    return Report(real, (*verdicts, *planned.settled), tuple(deviations))


def _rested(baseline: Watch, submission: Submission) -> Seen:
    real = baseline(submission)
    if not real.complete:
        raise EngineError(
            "Celery is not done with the canvas, and with all that it starts, when the time is up; "
            "give it more with --timeout"
        )
    return real
