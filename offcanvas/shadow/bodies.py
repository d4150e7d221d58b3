"""Bodies that are executed behind a fence: the candidate's, and Celery's own beside it.

Celery's body runs behind the same fence, twice. What differs between these two is noise: a clock,
an order of rows, a random number. What differs between the candidate's and Celery's is a finding if
noise does not explain it. Comparing with the record instead would measure the fence, and whatever
has happened to the data since.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import comb
from typing import Any

from kombu.utils import json

from offcanvas.shadow.fences import Fence, Fences, Ran, run
from offcanvas.shadow.masks import is_masked

#: A share of differing runs is beyond noise if chance would make it in fewer cases than this.
_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Executed:
    """One call of a step that was executed.

    Attributes:
        step: its name.
        differs: in what the candidate's body is not as Celery's; empty if it is.
        noisy: whether Celery's own two runs differ.
        drifted: whether Celery's own body comes to something else than it did in production.
    """

    step: str
    differs: str
    noisy: bool
    drifted: bool


class Bodies:
    """Executes bodies of the app's tasks and of the candidate's steps."""

    def __init__(self, app: Any, fences: Fences) -> None:
        self.fences = fences
        self._own: dict[str, Callable[..., Any]] = {}
        self._tasks = {name.rpartition(".")[2]: task for name, task in app.tasks.items()}
        for step, task in self._tasks.items():
            self._own[step] = task.run
        self.found: list[Executed] = []
        self.masked = Counter[str]()

    def fence(self, step: str) -> Fence:
        """The fence of a step, by that of its task."""
        task = self._tasks.get(step)
        return self.fences.fence(step if task is None else task.name)

    def compare(
        self,
        step: str,
        given: Mapping[str, Any],
        recorded: Ran,
        candidate: Callable[[], Any] | None,
    ) -> None:
        """Execute a call, if its fence wants it; ``candidate`` None: it is Celery's own body."""
        fence = self.fence(step)
        own = self._own.get(step)
        if fence is Fence.RECORDED or own is None:
            return
        if any(is_masked(value) for value in given.values()):
            self.masked[step] += 1
            return
        sandbox = self.fences.sandbox
        body = _bound(own, given)
        theirs = run(fence, candidate or body, sandbox)
        ours, again = run(fence, body, sandbox), run(fence, body, sandbox)
        self.found.append(
            Executed(
                step,
                _difference(theirs, ours),
                bool(_difference(ours, again)),
                (_text(ours.value), ours.error) != (_text(recorded.value), recorded.error),
            )
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """All executed calls of one step.

    Attributes:
        step: its name.
        fence: behind which they ran.
        calls: how many.
        differing: those in which the candidate's body was not as Celery's.
        noisy: those in which Celery's own two runs were not alike.
        drifted: those in which Celery's body came to something else than in production.
        beyond: whether noise does not explain what differs.
        example: of a difference; empty if there is none.
    """

    step: str
    fence: str
    calls: int
    differing: int
    noisy: int
    drifted: int
    beyond: bool
    example: str


def judged(found: list[Executed], fences: Callable[[str], Fence]) -> list[Judged]:
    """A verdict for each step."""
    steps: dict[str, list[Executed]] = {}
    for one in found:
        steps.setdefault(one.step, []).append(one)
    verdicts = []
    for step, these in sorted(steps.items()):
        differing = [one.differs for one in these if one.differs]
        noisy = sum(one.noisy for one in these)
        verdicts.append(
            Judged(
                step,
                str(fences(step)),
                len(these),
                len(differing),
                noisy,
                sum(one.drifted for one in these),
                is_beyond(len(these), len(differing), noisy),
                differing[0] if differing else "",
            )
        )
    return verdicts


def is_beyond(calls: int, differing: int, noisy: int) -> bool:
    """Whether noise does not explain how many differ."""
    return differing > 0 and (noisy == 0 or chance(calls, differing, noisy) < _CHANCE)


def chance(calls: int, differing: int, noisy: int) -> float:
    """How likely so many or more differ if only noise makes them (Fisher's exact test)."""
    both = differing + noisy
    ways = sum(
        comb(calls, more) * comb(calls, both - more)
        for more in range(differing, min(both, calls) + 1)
        if both - more <= calls
    )
    return ways / comb(2 * calls, both)


def _bound(own: Callable[..., Any], given: Mapping[str, Any]) -> Callable[[], Any]:
    shape = inspect.signature(own)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for name, parameter in shape.parameters.items():
        if name not in given:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            args += given[name]
        elif parameter.kind is parameter.VAR_KEYWORD:
            kwargs.update(given[name])
        elif parameter.kind is parameter.KEYWORD_ONLY:
            kwargs[name] = given[name]
        else:
            args.append(given[name])
    return lambda: own(*args, **kwargs)


def _difference(one: Ran, other: Ran) -> str:
    """In what two runs differ, in words; empty if they do not."""
    if one.error != other.error:
        return f"{_told(one)}, and Celery's body: {_told(other)}"
    if _text(one.value) != _text(other.value):
        return f"{_told(one)}, and Celery's body: {_told(other)}"
    if one.statements != other.statements:
        for number, (a, b) in enumerate(zip(one.statements, other.statements, strict=False), 1):
            if a != b:
                return f"statement {number} is {a:.200}, and Celery's body: {b:.200}"
        return f"{len(one.statements)} statements, and Celery's body: {len(other.statements)}"
    return ""


def _told(ran: Ran) -> str:
    if ran.error is not None:
        return f"{ran.error[0]}: {ran.error[1]:.120}"
    return f"{_text(ran.value):.120}"


def _text(value: Any) -> str:
    import json as plain

    try:
        return plain.dumps(plain.loads(json.dumps(value)), sort_keys=True)
    except (TypeError, ValueError):
        return repr(value)
