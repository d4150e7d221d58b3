"""flows.py: the statements of a canvas as a flow, its chains as tasks that call tasks."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from offcanvas.port import names as naming
from offcanvas.port.emit.parts import alias_of, import_of
from offcanvas.port.emit.prefect.parameters import listed
from offcanvas.port.emit.printing import StatementPrinter, comment, docstring, indented, quoted
from offcanvas.port.emit.statements import every
from offcanvas.port.emit.steps import module_of
from offcanvas.port.script import (
    Add,
    Beside,
    Collect,
    Do,
    Ending,
    Fail,
    Gather,
    Guarded,
    Loop,
    Many,
    One,
    ReturnCall,
    ReturnGather,
    StepCall,
    SubCall,
    Told,
    Wait,
)
from offcanvas.port.source import expression, width

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from offcanvas.audit.module import Module
    from offcanvas.port.emit.prefect.tasks import Tasks
    from offcanvas.port.ir import Param
    from offcanvas.port.script import Given, Invocation, Member, Script, Statement, Step, Sub

#: What the functions of flows.py use besides the canvas's own names.
HELPERS: Final = ("do", "all_of", "chain", "flow_run", "logged", "sleep_until", "time")
#: Names that no variable of a canvas may be.
RESERVED: Final = frozenset({*HELPERS, "error", "members", "futures", "get_run_logger"})
#: A longer wait holds the flow's process for longer than is worth while, in seconds.
SHORT: Final = 60.0


@dataclass
class FlowPrinter(StatementPrinter):
    """Prints one script.

    names: what the module calls the helpers, the flow and its parts. used: helpers and types that
    the module has to import.
    """

    script: Script
    name: str
    subs: Mapping[str, str]
    steps: Mapping[str, Step]
    tasks: Tasks
    module: Module
    helpers: Mapping[str, str]
    used: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    waits: list[tuple[Wait, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Fan-outs that are generators have functions of their own."""
        self._sources: list[str] = []
        self._made: set[str] = {param.name for param in self.script.canvas.params}
        self._loose: set[str] = set()
        self._returns = {sub.name: sub.returns for sub in self.script.subs}

    def text(self) -> str:
        """The tasks that the flow is made of, and the flow."""
        canvas = self.script.canvas
        params = listed(canvas.params, self.annotation)
        returns = self.annotation(self._mixed(self.script.returns))
        body = self._body(self.script.body)
        named = _named_after(canvas.params)
        options = [f'flow_run_name="{{{named}}}"'] if named else []
        lines = [
            f"@flow({', '.join([*options, 'persist_result=True'])})",
            f"def {self.name}({', '.join(params)}) -> {returns}:",
            *indented([*quoted(docstring(canvas)), *body], 1),
        ]
        parts = [self._sub(sub) for sub in self.script.subs]
        return "\n\n\n".join([*parts, "\n".join(lines)])

    def _sub(self, sub: Sub) -> str:
        self.used.add("STEP")
        params = [f"{p.name}: {self.annotation(p.annotation)}" for p in sub.params]
        returns = self.annotation(self._mixed(sub.returns))
        lines = [
            "@task(**STEP)",
            f"def {self.subs[sub.name]}({', '.join(params)}) -> {returns}:",
            *indented([*quoted(sub.doc), *self._body(sub.body)], 1),
        ]
        return "\n".join(lines)

    def helper(self, name: str) -> str:
        """A helper by the name that it has in the module."""
        self.used.add(name)
        return self.helpers[name]

    def expr(self, text: str) -> str:
        """An expression: the names of a flow are those of the canvas."""
        return text

    def annotation(self, type_: str) -> str:
        """A type; rows are those of tasks.py."""
        for row in self.tasks.rows:
            if type_ in {row, f"list[{row}]"}:
                return type_.replace(row, f"{self.helper('do')}.{row}")
        spelled, imports = self.tasks.parts.types.spelled(type_, self.module)
        self.imports |= imports
        return spelled

    def _mixed(self, type_: str) -> str:
        """The type of results that steps of different types have; futures are invariant."""
        said = expression(type_) if type_ else None
        if isinstance(said, ast.BinOp):
            parts = (self._mixed(ast.unparse(one)) for one in (said.left, said.right))
            return " | ".join(dict.fromkeys(parts))
        if type_.startswith("list[") and " | " in type_:
            own = {step.returns for step in self.steps.values()}
            return type_ if {type_, type_[5:-1]} & own else "list[Any]"
        return type_

    # -- statements

    def engine(self, statement: Statement) -> list[str]:
        """Lines of Python for one statement."""
        match statement:
            case Do(target=target, call=call):
                return [self._assigned(target, call) + self._called(call)]
            case ReturnCall(call=call):
                return [f"return {self._called(call)}"]
            case Gather(target=target, members=members, type=type_):
                return [self.target(target, self._mixed(type_)) + self._all(members)]
            case ReturnGather(members=members):
                return [f"return {self._all(members)}"]
            case Collect():
                return self._collect(statement)
            case Add(call=call):
                return [f"{self._sources[-1].format(self.call(call))}"]
            case Wait():
                return self._wait(statement)
            case Guarded(body=body, errbacks=errbacks):
                return self._guarded(body, errbacks, ends=statement.ends)
            case Ending(body=body):
                return [
                    "try:",
                    *indented(self.block(body), 1),
                    f"except {self._ended()}:",
                    "    return None",
                ]
            case Beside(body=body):
                return self._beside(body)
            case Fail(code=code, why=why, place=place):
                message = f"{code}: {place}: {why}"
                return [
                    *comment(f"TODO({code}): {why}"),
                    f"raise NotImplementedError({message!r})",
                ]
            case _:
                raise TypeError(f"not a statement: {statement!r}")

    def _assigned(self, target: str, call: Invocation) -> str:
        """The left side of a call. A result of unknown type is said to be one.

        Otherwise a type checker takes the first overload of a task's call, a coroutine.
        """
        if not target:
            return "_ = " if self._is_loose(call) else ""
        if target in self._loose:
            self._loose.discard(target)
            self.misfits.discard(target)
            self.imports.add("from typing import Any")
            return f"{target}: Any = "
        return self.target(target, "")

    def _is_loose(self, call: Invocation) -> bool:
        if isinstance(call, SubCall):
            return self.annotation(self._returns[call.sub]) == "Any"
        return self.tasks.returns(self.steps[call.step]) == "Any"

    def _body(self, statements: Sequence[Statement]) -> list[str]:
        """The lines of a function."""
        self._loose = {
            one.target
            for one in every(statements)
            if isinstance(one, Do) and one.target and self._is_loose(one.call)
        }
        return self.routine(statements, self.steps) or ["pass"]

    def _collect(self, collect: Collect) -> list[str]:
        """Members under loops are yielded, so that the window is one; others are listed."""
        type_ = self._mixed(collect.type)
        item = self.annotation(type_[5:-1])
        self.imports.add("from prefect.futures import PrefectFuture")
        loops = any(isinstance(s, Loop) for s in every(collect.body))
        name = naming.unused("members" if loops else "futures", self._made)
        self._made.add(name)
        self._sources.append("yield {}" if loops else f"{name}.append({{}})")
        body = self.block(collect.body)
        self._sources.pop()
        result = self.target(collect.target, type_) + self.helper("all_of")
        if not loops:
            return [f"{name}: list[PrefectFuture[{item}]] = []", *body, f"{result}({name})"]
        self.imports.add("from collections.abc import Iterator")
        return [
            "",
            f"def {name}() -> Iterator[PrefectFuture[{item}]]:",
            *indented(body, 1),
            "",
            f"{result}({name}())",
        ]

    def _wait(self, wait: Wait) -> list[str]:
        if wait.until:
            return [f"{self.helper('sleep_until')}({self.expr(wait.seconds)})"]
        seconds = _seconds(wait.seconds)
        lines = [f"{self.helper('time')}.sleep({self.expr(wait.seconds)})"]
        if seconds is not None and seconds <= SHORT:
            return lines
        why = f"the wait of {wait.seconds} s holds the flow's process"
        self.waits.append((wait, why))
        return [f"# DECIDE(PORT126): {why}.", *lines]

    def _ended(self) -> str:
        """The exceptions with which steps say that nothing follows them."""
        found: list[str] = []
        for step in self.steps.values():
            if step.task is not None and step.task.ends:
                work = self.tasks.parts.bodies.work_of(module_of(self.tasks.parts, step)).module
                self.imports.add(import_of(work))
                found.append(f"{alias_of(work)}.ChainEnded")
        several = list(dict.fromkeys(found))
        return several[0] if len(several) == 1 else f"({', '.join(several)})"

    def _guarded(
        self, body: Sequence[Statement], errbacks: Sequence[StepCall], *, ends: bool
    ) -> list[str]:
        told = any(
            g.value in {Told.KIND, Told.TEXT} for call in errbacks for g in call.given
        )  # fmt: skip
        inner = [self._logged(call) for call in errbacks]
        error = self.helpers["error"]
        apart = [f"except {self._ended()}:", "    raise"] if ends else []
        return [
            "try:",
            *indented(self.block(body), 1),
            *apart,
            f"except Exception{f' as {error}' if told else ''}:",
            *indented(inner, 1),
            "    raise",
        ]

    def _beside(self, body: Sequence[Statement]) -> list[str]:
        if len(body) == 1 and isinstance(body[0], Do):
            return [self._logged(body[0].call)]
        self.imports.add("from prefect import get_run_logger")
        return [
            "try:",
            *indented(self.block(body), 1),
            "except Exception:",
            '    get_run_logger().exception("A callback failed")',
        ]

    # -- calls

    def call(self, call: Invocation) -> str:
        """A future: one call under way."""
        name, arguments = self._spelled(call)
        return f"{name}.submit({', '.join(arguments)})"

    def _called(self, call: Invocation) -> str:
        name, arguments = self._spelled(call)
        return f"{name}({', '.join(arguments)})"

    def _logged(self, call: Invocation) -> str:
        name, arguments = self._spelled(call)
        return f"{self.helper('logged')}({', '.join([name, *arguments])})"

    def _spelled(self, call: Invocation) -> tuple[str, list[str]]:
        if isinstance(call, SubCall):
            return self.subs[call.sub], [self.expr(arg) for arg in call.args]
        step = self.steps[call.step]
        return f"{self.helper('do')}.{self.tasks.of(step, call)}", self._arguments(step, call.given)

    def _arguments(self, step: Step, given: Sequence[Given]) -> list[str]:
        values = {g.param: self._value(g) for g in given if not g.spread}
        spread = [self._value(g) for g in given if g.spread == "args"]
        arguments: list[str] = []
        in_order = True
        for param in step.params:
            if param.kind == "args":
                arguments += spread
            elif param.kind == "kwargs":
                named = [(g.param, self._value(g)) for g in given if g.spread == "kwargs"]
                arguments += [f"{name}={value}" for name, value in named]
            elif param.name not in values:
                in_order = False
            else:
                plain = param.kind == "positional" and in_order and (spread or not param.default)
                value = values[param.name]
                arguments.append(value if plain else f"{param.name}={value}")
        return arguments

    def _value(self, given: Given) -> str:
        match given.value:
            case Told.KIND:
                return f"type({self.helpers['error']}).__name__"
            case Told.TEXT:
                return f"str({self.helpers['error']})"
            case Told.ID:
                return f"{self.helper('flow_run')}.id"
            case str(text):
                return self.expr(text)

    def _all(self, members: Sequence[Member]) -> str:
        """Members of a width that is not known are submitted as the window allows."""
        all_of = self.helper("all_of")
        if len(members) == 1 and not isinstance(members[0], One):
            return f"{all_of}({self.many(members[0])})"
        if not any(isinstance(one, Many) and not _is_fixed(one) for one in members):
            shown = [
                self.call(one.call) if isinstance(one, One) else f"*({self.many(one)})"
                for one in members
            ]
            return f"{all_of}([{', '.join(shown)}])"
        shown = [
            f"[{self.call(one.call)}]" if isinstance(one, One) else f"({self.many(one)})"
            for one in members
        ]
        return f"{all_of}({self.helper('chain')}({', '.join(shown)}))"


def _is_fixed(member: Many) -> bool:
    """Whether the number of members is written in the source."""
    return all(width(head.over) is not None for head in member.heads)


def _named_after(params: Sequence[Param]) -> str:
    """The parameter that a run may be named after: the first, if it is text or a number."""
    if params and params[0].kind == "positional" and params[0].annotation in {"str", "int"}:
        return params[0].name
    return ""


def _seconds(text: str) -> float | None:
    try:
        value = ast.literal_eval(text)
    except ValueError:
        return None
    return float(value) if isinstance(value, int | float) else None
