"""One canvas on Celery, then on each of the engines: the same, or what differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from offcanvas.celery_app.planning import Planned, Submission
from offcanvas.checking.report import BASELINE, Report, Verdict, Word
from offcanvas.checking.seen import Seen
from offcanvas.checking.watch import Watch, watch
from offcanvas.engines.base import Engine
from offcanvas.engines.prepare import deviations_of
from offcanvas.engines.registry import addresses, engine, specs
from offcanvas.errors import (
    BadCanvas,
    CanvasTooLarge,
    EngineError,
    MissingExtra,
    UnsupportedCanvas,
    UsageError,
)
from offcanvas.servers.environment import private_only


@dataclass(frozen=True, slots=True)
class Comparison:
    """What will be run where: engines that can, and verdicts for those that cannot.

    ``planned`` is the canvas as Celery, the baseline, is going to run it.
    """

    planned: Planned
    engines: tuple[Engine, ...]
    settled: tuple[Verdict, ...] = ()


def plan(submission: Submission, names: Sequence[str] = ()) -> Comparison:
    """Look at everything that can be wrong beforehand; nothing is started.

    Args:
        submission: what is to be compared.
        names: the engines; without names all of them. One that is not installed, or that refuses
            the canvas, gets a verdict if another one can run it.

    Raises:
        UsageError: the canvas cannot be run, none of the engines named can run it, or Celery is
            among them.
    """
    if BASELINE in names:
        raise UsageError(f"--on {BASELINE}: it is what engines are compared with; name another one")
    planned = engine(BASELINE).plan(submission)
    engines: list[Engine] = []
    settled: list[Verdict] = []
    refused: list[UsageError] = []
    for name in dict.fromkeys(names or (name for name in specs() if name != BASELINE)):
        try:
            one = engine(name)
            one.plan(submission)
        except (MissingExtra, UnsupportedCanvas, CanvasTooLarge) as error:
            refused.append(error)
            word = Word.MISSING if isinstance(error, MissingExtra) else Word.REFUSED
            settled.append(Verdict(name, word, reason=" ".join(str(error).split())))
        else:
            engines.append(one)
    if names and refused and not engines:
        raise refused[0]
    return Comparison(planned, tuple(engines), tuple(settled))


def compare(
    submission: Submission, wanted: Comparison, tell: Callable[[str], None] = lambda _text: None
) -> Report:
    """Run on Celery, on each of the engines, and on Celery again if an engine differs.

    Servers and workers are private and gone at the end. ``tell`` is told what is going on.

    Raises:
        EngineError: an engine does not come up, or Celery does not come to rest in time.
    """
    with private_only(*addresses()), ExitStack() as stack:
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

        return compare_on(submission, wanted, watched)


def compare_on(
    submission: Submission, wanted: Comparison, watched: Callable[[Engine], Watch]
) -> Report:
    """``compare`` on engines whose servers are another's affair: ``watched`` gives each of them."""
    celery = engine(BASELINE)
    real = _rested(watched(celery), submission)
    verdicts = []
    again: Seen | None = None
    for one in wanted.engines:
        try:
            here = watched(one)(submission)
        except BadCanvas as error:  # Celery has taken it
            verdicts.append(Verdict(one.name, Word.REFUSED, reason=" ".join(str(error).split())))
            continue
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
    deviations = deviations_of(wanted.planned) if wanted.engines else []
    return Report(real, (*verdicts, *wanted.settled), tuple(deviations))


def _rested(baseline: Watch, submission: Submission) -> Seen:
    real = baseline(submission)
    if not real.complete:
        raise EngineError(
            "Celery has not finished the canvas, and all that it starts, within the timeout; allow "
            "more with --timeout"
        )
    return real
