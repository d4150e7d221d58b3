"""workflows.py: the statements of a canvas as a workflow class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from offcanvas.port import names as naming
from offcanvas.port.emit.printing import StatementPrinter, docstring, indented, quoted
from offcanvas.port.script import (
    Add,
    Beside,
    Collect,
    Do,
    Ending,
    Fail,
    Gather,
    Given,
    Guarded,
    Invocation,
    Member,
    One,
    ReturnCall,
    ReturnGather,
    Script,
    Sliced,
    Statement,
    Step,
    StepCall,
    Sub,
    SubCall,
    Told,
    Wait,
)
from offcanvas.port.source import renamed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from offcanvas.port.emit.temporal.inputs import Shape
    from offcanvas.port.emit.temporal.policies import Policies

#: Names that the emitted workflows have for themselves; no variable of a canvas may be one.
RESERVED: Final = frozenset(
    {"given", "self", "workflow", "do", "policies", "all_of", "kind_and_text", "logged", "failure"}
    | {"ends_chain", "in_slices", "part"}
    | {"ActivityError", "ApplicationError", "is_cancelled_exception", "calls"}
    | {"error_kind", "error_text"}
)
_TOLD: Final = {
    Told.KIND: "error_kind",
    Told.TEXT: "error_text",
    Told.ID: "workflow.info().workflow_id",
}


@dataclass
class Printer(StatementPrinter):
    """Prints one script. ``names`` are classes of inputs, ``used`` is what has to be imported."""

    script: Script
    steps: Mapping[str, Step]
    shapes: Mapping[str, Shape]
    policies: Policies
    workflow: Shape
    names: frozenset[str]
    used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Inputs of the workflow are fields of ``given``."""
        self._renames = {p.name: f"given.{p.name}" for p in self.script.canvas.params}

    def text(self) -> str:
        """The class."""
        canvas = self.script.canvas
        name = naming.camel(canvas.name)
        about = indented(quoted(docstring(canvas)), 1)
        lines = ["@workflow.defn", f"class {name}:", *about, ""]
        given = f", given: {self.workflow.name}" if canvas.params else ""
        returns = self.annotation(self.script.returns)
        lines += ["    @workflow.run", f"    async def run(self{given}) -> {returns}:"]
        lines += indented(self.routine(self.script.body, self.steps) or ["pass"], 2)
        for sub in self.script.subs:
            lines += ["", *indented(self._sub(sub), 1)]
        return "\n".join(lines)

    def annotation(self, type_: str) -> str:
        """A type; the dataclasses in it are imported."""
        if type_ == "Any" or "Any" in type_:
            self.used.add("Any")
        self.used |= self.names.intersection(re.findall(r"\w+", type_))
        return type_

    def _sub(self, sub: Sub) -> list[str]:
        params = [p for p in sub.params if p.name not in self._renames]
        given = ", ".join(
            [
                "self",
                *self._given(sub),
                *(f"{p.name}: {self.annotation(p.annotation)}" for p in params),
            ]
        )
        returns = self.annotation(sub.returns)
        head = [f"async def _{sub.name}({given}) -> {returns}:"]
        return [
            *head,
            *indented(quoted(sub.doc), 1),
            *indented(self.routine(sub.body, self.steps), 1),
        ]

    def _given(self, sub: Sub) -> list[str]:
        if any(p.name in self._renames for p in sub.params):
            return [f"given: {self.workflow.name}"]
        return []

    def expr(self, text: str) -> str:
        """An expression, with the workflow's inputs as fields of ``given``."""
        return renamed(text, self._renames)

    # -- statements

    def engine(self, statement: Statement) -> list[str]:
        """Lines of Python for one statement."""
        match statement:
            case Do(target=target, call=call):
                return [self.target(target, "") + f"await {self.call(call)}"]
            case ReturnCall(call=call):
                return [f"return await {self.call(call)}"]
            case Gather(target=target, members=members, type=type_):
                return [self.target(target, type_) + f"await {self._all(members)}"]
            case ReturnGather(members=members, type=_):
                return [f"return await {self._all(members)}"]
            case Collect(target=target, body=body, type=type_):
                self.used |= {"all_of", "Coroutine", "Any"}
                item = self.annotation(type_)[5:-1]
                return [
                    f"calls: list[Coroutine[Any, Any, {item}]] = []",
                    *self.block(body),
                    self.target(target, type_) + "await all_of(calls)",
                ]
            case Sliced():
                return [self._sliced(statement)]
            case Add(call=call):
                return [f"calls.append({self.call(call)})"]
            case Wait(seconds=moment, until=True):
                # By the workflow's clock, which replays.
                left = f"{self.expr(moment)} - workflow.time()"
                return [f"await workflow.sleep(max(0.0, {left}))"]
            case Wait(seconds=seconds):
                return [f"await workflow.sleep({self.expr(seconds)})"]
            case Guarded(body=body, errbacks=errbacks):
                return self._guarded(body, errbacks, ends=statement.ends)
            case Ending(body=body):
                self.used |= {"ActivityError", "ends_chain"}
                return [
                    "try:",
                    *indented(self.block(body), 1),
                    "except ActivityError as failure:",
                    "    if not ends_chain(failure):",
                    "        raise",
                    "    return None",
                ]
            case Beside(body=body):
                return self._beside(body)
            case Fail(code=code, why=why, place=place):
                self.used.add("ApplicationError")
                message = f"{code}: {place}: {why}"
                return [f"raise ApplicationError({message!r}, non_retryable=True)"]
            case _:
                raise TypeError(f"not a statement: {statement!r}")

    def _sliced(self, sliced: Sliced) -> str:
        shape = self.shapes[f"workflow {sliced.canvas}"].name
        self.used |= {"in_slices", shape}
        arguments = [f"{name}={self.expr(name)}" for name in sliced.given]
        part = naming.unused("part", sliced.given)
        given = f"lambda {part}: {shape}({', '.join([part, *arguments])})" if arguments else shape
        call = f"await in_slices({naming.camel(sliced.canvas)}, {self.expr(sliced.items)}, {given})"
        if sliced.target is None:
            return f"return {call}"
        return self.target(sliced.target, sliced.type) + call

    def _guarded(
        self, body: Sequence[Statement], errbacks: Sequence[StepCall], *, ends: bool
    ) -> list[str]:
        self.used |= {"ActivityError", "is_cancelled_exception", "logged"}
        told = {g.value for call in errbacks for g in call.given if isinstance(g.value, Told)}
        inner: list[str] = []
        if told & {Told.KIND, Told.TEXT}:
            self.used.add("kind_and_text")
            kind = "error_kind" if Told.KIND in told else "_"
            text = "error_text" if Told.TEXT in told else "_"
            inner.append(f"{kind}, {text} = kind_and_text(failure)")
        inner += [f"await logged({self.call(call)})" for call in errbacks]
        test = "not is_cancelled_exception(failure)"
        if ends:
            self.used.add("ends_chain")
            test += " and not ends_chain(failure)"
        return [
            "try:",
            *indented(self.block(body), 1),
            "except ActivityError as failure:",
            f"    if {test}:",
            *indented(inner, 2),
            "    raise",
        ]

    def _beside(self, body: Sequence[Statement]) -> list[str]:
        self.used.add("logged")
        if len(body) == 1 and isinstance(body[0], Do):
            return [f"await logged({self.call(body[0].call)})"]
        self.used |= {"ActivityError", "is_cancelled_exception"}
        return [
            "try:",
            *indented(self.block(body), 1),
            "except ActivityError as failure:",
            "    if is_cancelled_exception(failure):",
            "        raise",
            '    workflow.logger.exception("A callback failed")',
        ]

    # -- calls

    def call(self, call: Invocation) -> str:
        """A coroutine."""
        if isinstance(call, SubCall):
            args = [self.expr(arg) for arg in call.args if arg not in self._renames]
            if any(arg in self._renames for arg in call.args):
                args.insert(0, "given")
            return f"self._{call.sub}({', '.join(args)})"
        step = self.steps[call.step]
        policy = self.policies.of(step, call)
        argument = self._argument(step, call.given)
        return f"workflow.execute_activity(do.{step.name}{argument}, **policies.{policy})"

    def _argument(self, step: Step, given: Sequence[Given]) -> str:
        shape = self.shapes[f"step {step.name}"]
        values = {g.param: self._value(g) for g in given if not g.spread}
        spread = [self._value(g) for g in given if g.spread == "args"]
        named = [(g.param, self._value(g)) for g in given if g.spread == "kwargs"]
        if not shape.fields:
            return ""
        if not shape.name:
            return f", {values[shape.fields[0].name]}"
        self.used.add(shape.name)
        arguments: list[str] = []
        in_order = True
        for one in shape.fields:
            if one.kind == "args":
                if spread:
                    arguments.append(f"{one.name}=[{', '.join(spread)}]")
            elif one.kind == "kwargs":
                if named:
                    pairs = ", ".join(f"{name!r}: {value}" for name, value in named)
                    arguments.append(f"{one.name}={{{pairs}}}")
            elif one.name in values:
                plain = in_order and not one.default
                arguments.append(values[one.name] if plain else f"{one.name}={values[one.name]}")
            else:
                in_order = False
        return f", {shape.name}({', '.join(arguments)})"

    def _value(self, given: Given) -> str:
        if isinstance(given.value, Told):
            return _TOLD[given.value]
        return self.expr(given.value)

    def _all(self, members: Sequence[Member]) -> str:
        self.used.add("all_of")
        if len(members) == 1 and not isinstance(members[0], One):
            return f"all_of({self.many(members[0])})"
        shown = [
            self.call(one.call) if isinstance(one, One) else f"*({self.many(one)})"
            for one in members
        ]
        return f"all_of([{', '.join(shown)}])"
