"""Answers to the steps of one candidate run, out of the record; what has no answer is found."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kombu.utils import json

from offcanvas.canvas.lift import lift
from offcanvas.canvas.nodes import Chain, Chord, Node, Task, walk
from offcanvas.shadow.masks import Masks, is_masked
from offcanvas.shadow.recording import Attempt, Recorded


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which the candidate is not as Celery was.

    Attributes:
        kind: a short word for rules that name known ones: "extra call", "missing call", ...
        step: the step, or "result".
        told: what was seen, in words.
    """

    kind: str
    step: str
    told: str


class NoAnswer(Exception):  # noqa: N818  # it says what has happened
    """The candidate has asked for what is not in the record."""


class Answers:
    """The record of one root, from which each call of its candidate is answered once."""

    def __init__(
        self, recorded: Recorded, masks: Masks, names: Mapping[str, str], pure: Collection[str]
    ) -> None:
        """``names`` are the tasks of the app by the name of their step."""
        self.recorded, self._masks, self._names = recorded, masks, names
        self.pure = frozenset(pure)
        self.found: list[Difference] = []
        self.called = Counter[str]()
        self._open: dict[tuple[str, str], list[list[Attempt]]] = defaultdict(list)
        self._given: dict[str, list[Attempt]] = {}
        self._events: list[tuple[str, str]] = []
        self._tried: dict[str, int] = {}
        self._errbacks = Counter(_short(name) for one in recorded.failures for name in one.errbacks)
        self._handlers = {_short(name) for name in _errbacks_of(lift(recorded.canvas))}
        for attempts in _by_task(recorded.attempts):
            first = attempts[0]
            if _short(first.task) not in self._handlers:
                self._open[_short(first.task), _text(first.given)].append(attempts)

    def is_pure(self, step: str) -> bool:
        """Whether the step is to be executed, as one that only reads."""
        return step in self.pure

    def is_handler(self, step: str) -> bool:
        """Whether the step is an error callback of the canvas, which is counted and not matched."""
        return step in self._handlers

    def answer(self, step: str, given: Any, call: str, attempt: int) -> Attempt:
        """The recorded attempt that answers the ``attempt``-th try of the call ``call``.

        Raises:
            NoAnswer: there is none; it was noted as a difference.
        """
        if attempt == 1:
            self.called[step] += 1
            self._events.append(("begin", step))
        if step in self._handlers:
            return Attempt(call, step, {}, 0, "SUCCESS")
        if attempt == 1:
            named = self.named(step, given)
            waiting = self._open.get((step, _text(named)))
            if not waiting:
                raise self._unknown(step, named)
            self._given[call] = waiting.pop(0)
        attempts = self._given.get(call)
        if attempts is None or attempt > len(attempts):
            told = f"tried {attempt} times, and {attempt - 1} on Celery"
            raise self._note("extra attempt", step, told)
        return attempts[attempt - 1]

    def ended(self, step: str) -> None:
        """A call of the step has ended for good."""
        self._events.append(("end", step))

    def named(self, step: str, given: Any) -> Mapping[str, Any]:
        """The arguments by name: a step with one parameter is given its value only."""
        task = self._names.get(step, step)
        known = [one.given for one in self.recorded.attempts if _short(one.task) == step]
        names = list(known[0]) if known else []
        if isinstance(given, Mapping) and (not names or set(given) <= set(names)):
            named = {**{name: None for name in names if name not in given}, **given}
            named = dict(given) if set(given) == set(names) or not names else named
        elif len(names) == 1:
            named = {names[0]: given}
        else:
            named = {"": given}
        return self._masks.arguments(task, named)

    def _unknown(self, step: str, named: Mapping[str, Any]) -> NoAnswer:
        others = [key for key, waiting in self._open.items() if key[0] == step and waiting]
        shown = f"{_text(named):.200}"
        if others:
            return self._note(
                "other arguments", step, f"called with {shown}, on Celery with {others[0][1]:.200}"
            )
        times = sum(_short(one.task) == step and not one.retries for one in self.recorded.attempts)
        if times:
            return self._note("extra call", step, f"called with {shown} besides {times} calls")
        return self._note("extra call", step, f"called with {shown}, and never on Celery")

    def _note(self, kind: str, step: str, told: str) -> NoAnswer:
        self.found.append(Difference(kind, step, told))
        return NoAnswer(f"{kind}: {step}: {told}")

    def close(self, outcome: Any, error: tuple[str, str] | None) -> list[Difference]:
        """All differences, once the candidate has ended with a value or an error."""
        found = self.found
        for (step, text), waiting in self._open.items():
            if waiting:
                told = f"{len(waiting)} calls with {text:.200} never came"
                found.append(Difference("missing call", step, told))
        for attempts in self._given.values():
            tried = self._tried.get(attempts[0].id, len(attempts))
            if tried < len(attempts):
                told = f"tried {tried} times, and {len(attempts)} on Celery"
                found.append(Difference("missing attempt", _short(attempts[0].task), told))
        for step in sorted(self._handlers | self._errbacks.keys()):
            if self.called[step] != self._errbacks[step]:
                told = f"called {self.called[step]} times, and {self._errbacks[step]} on Celery"
                kind = (
                    "missing errback"
                    if self.called[step] < self._errbacks[step]
                    else ("extra errback")
                )
                found.append(Difference(kind, step, told))
        found += self._outcome(outcome, error)
        found += self._order()
        return found

    def tried(self, call: str, attempt: int) -> None:
        """The call has come to this attempt."""
        attempts = self._given.get(call)
        if attempts:
            self._tried[attempts[0].id] = attempt

    def _outcome(self, outcome: Any, error: tuple[str, str] | None) -> Iterator[Difference]:
        recorded = self.recorded
        if recorded.succeeded:
            if error is not None:
                if not self.found:
                    yield Difference(
                        "outcome", "result", f"failed with {error[0]}: {error[1]:.200}"
                    )
                return
            told = self._masks.result(recorded.name, recorded.value())
            if _text(outcome) != _text(told) and not is_masked(told):
                yield Difference(
                    "outcome", "result", f"{_text(outcome):.200}, and {_text(told):.200} on Celery"
                )
        elif error is None:
            names = ", ".join(sorted({_short(one.task) for one in recorded.failures}))
            yield Difference("outcome", "result", f"succeeded, and failed on Celery in {names}")
        else:
            kinds = {one.error[0] for one in recorded.failures if one.error}
            if error[0] not in kinds and not self.found:
                told = f"failed with {error[0]}, and with {', '.join(sorted(kinds))} on Celery"
                yield Difference("outcome", "result", told)

    def _order(self) -> Iterator[Difference]:
        """Steps that begin before what they follow in the canvas has ended."""
        for before, after in _sequences(lift(self.recorded.canvas)):
            last = max((n for n, (what, step) in enumerate(self._events)
                        if what == "end" and step in before), default=-1)  # fmt: skip
            for number, (what, step) in enumerate(self._events):
                if what == "begin" and step in after and number < last:
                    told = f"begins before {', '.join(sorted(before))} has ended"
                    yield Difference("order", step, told)
                    return


def _by_task(attempts: list[Attempt]) -> list[list[Attempt]]:
    found: dict[str, list[Attempt]] = {}
    for one in attempts:
        found.setdefault(one.id, []).append(one)
    return [sorted(each, key=lambda one: (one.retries, one.at)) for each in found.values()]


def _errbacks_of(node: Node) -> set[str]:
    return {
        errback.name
        for place in walk(node)
        for errback in place.node.options.link_error
        if isinstance(errback, Task)
    }


def steps_in(node: Node) -> set[str]:
    """The tasks of a canvas, by short name; without its error callbacks."""
    return {_short(place.node.name) for place in walk(node) if isinstance(place.node, Task)}


def _sequences(node: Node) -> Iterator[tuple[set[str], set[str]]]:
    """Sets of steps, of which the first has to end before the second begins."""
    match node:
        case Chain(steps=steps):
            for number in range(1, len(steps)):
                before = set().union(*map(steps_in, steps[:number]))
                after = set().union(*map(steps_in, steps[number:]))
                if before - after and after - before:
                    yield before - after, after - before
            for step in steps:
                yield from _sequences(step)
        case Chord(header=header, body=body) if body is not None:
            before, after = steps_in(header), steps_in(body)
            if before - after and after - before:
                yield before - after, after - before
        case _:
            return


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _text(value: Any) -> str:
    # Through JSON and back: a tuple is a list, and a key of a dictionary a text, on both sides.
    import json as plain

    return plain.dumps(plain.loads(json.dumps(value)), sort_keys=True)
