"""What the steps of a canvas are given, by sample: what the emitted tests with stubs expect.

The statements are followed with a sample, as in ``check``; no task runs, and a result is the call
that it is of. Loads read the world once, and what they read is kept.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from offcanvas.port.check import FailedError, Followed, Record, defaults
from offcanvas.port.emit.statements import every
from offcanvas.port.ir import Load, Todo, walk
from offcanvas.port.script import Beside, Guarded, Told

if TYPE_CHECKING:
    from offcanvas.port.ir import Plan, Row
    from offcanvas.port.script import Program, Script, Step, StepCall

#: A test with more calls than this is read by nobody.
MOST_CALLS: Final = 60
#: So many steps of a canvas are made to fail, one in each test.
MOST_FAILURES: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """One call of a step, with the values of its parameters; it stands for its own result."""

    step: Step
    call: StepCall
    given: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Trace:
    """What happens with one sample.

    fails: the name of the step that is made to fail, or "". data: what loads read, by step name.
    ends: the result, or the call that failed.
    """

    sample: Mapping[str, Any]
    fails: str
    data: Mapping[str, object]
    calls: tuple[Made, ...]
    ends: object


class _UnlikeError(Exception):
    """One load reads two different things: a stub cannot stand for it."""


@dataclass
class _Traced(Followed):
    fails: str = ""
    data: dict[str, object] = field(default_factory=dict)
    calls: list[Made] = field(default_factory=list)

    def made(self, step: Step, _call: StepCall, given: Mapping[str, object]) -> object:
        call = Made(step, _call, dict(given))
        self.calls.append(call)
        if step.name == self.fails:
            raise FailedError(step.name)
        return call

    def load(self, step: Step, _call: StepCall, load: Load, given: dict[str, object]) -> object:
        if load.after:
            return self.made(step, _call, given)
        self.calls.append(Made(step, _call, dict(given)))
        if self.fails:
            return self.data[step.name]
        read = super().load(step, _call, load, given)
        if step.name in self.data and self.data[step.name] != read:
            raise _UnlikeError
        self.data[step.name] = read
        return read

    def errback(self, call: StepCall, names: dict[str, object], failure: FailedError) -> None:
        step = self.steps[call.step]
        given = self.given(call.given, names)
        told = {Told.KIND: "Failed", Told.TEXT: failure.task, "<id>": "its id"}
        plain = {k: told.get(v, v) if isinstance(v, Told | str) else v for k, v in given.items()}
        self.calls.append(Made(step, call, plain))


def traces(
    plan: Plan, program: Program, samples: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, list[Trace]]:
    """By canvas: each sample, and for those with callbacks of errors each step's failure."""
    found: dict[str, list[Trace]] = {}
    for script in program.scripts:
        canvas = script.canvas
        parts = [canvas.root] if not (canvas.lone or canvas.site) else []
        if not parts or any(isinstance(part, Todo) for part in walk(canvas.root)):
            continue
        for sample in samples.get(canvas.name, ()):
            try:
                found.setdefault(canvas.name, []).extend(_of_sample(plan, program, script, sample))
            except _UnlikeError:
                continue
    return found


def _of_sample(
    plan: Plan, program: Program, script: Script, sample: Mapping[str, Any]
) -> list[Trace]:
    world = vars(importlib.import_module(script.canvas.module))

    def follow(fails: str, data: dict[str, object]) -> Trace:
        names = {**defaults(script.canvas, world), **sample}
        traced = _Traced(program, script, plan, Record(), world, names, fails, data)
        try:
            ends = traced.result()
        except FailedError as failure:
            ends = failure
        return Trace(sample, fails, data, tuple(traced.calls), ends)

    first = follow("", {})
    if len(first.calls) > MOST_CALLS:
        return []
    bodies = (script.body, *(sub.body for sub in script.subs))
    if not any(isinstance(one, Guarded | Beside) for body in bodies for one in every(body)):
        return [first]
    steps = dict.fromkeys(made.step.name for made in first.calls if made.step.load is None)
    return [first, *(follow(name, dict(first.data)) for name in list(steps)[:MOST_FAILURES])]


class Unspelled(Exception):  # noqa: N818 - it says what a value is
    """A value that has no literal."""


def spelled(value: object, package: str, load: Load | None = None) -> str:
    """A value as source; rows of a load are classes of ``package`` (a module of the port).

    Raises:
        Unspelled: it is no literal, and no row.
    """
    rows: list[Row] = []
    if load is not None:
        rows = [row for row in (load.row, load.several, *load.records) if row is not None]
    return _spelled(value, package, rows)


def _spelled(value: object, package: str, rows: Sequence[Row]) -> str:
    if isinstance(value, SimpleNamespace):
        held = vars(value)
        row = next((r for r in rows if {f.name for f in r.fields} == held.keys()), None)
        if row is None:
            raise Unspelled
        given = ", ".join(f"{k}={_spelled(v, package, rows)}" for k, v in held.items())
        return f"{package}.{row.name}({given})"
    if isinstance(value, list):
        return f"[{', '.join(_spelled(one, package, rows) for one in value)}]"
    text = repr(value)
    try:
        if ast.literal_eval(text) == value:
            return text
    except (ValueError, SyntaxError):
        pass
    raise Unspelled
