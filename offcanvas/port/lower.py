"""Canvases to statements: chains become lines, groups fan-outs, error callbacks ``except``.

Variables are named after the parameter that receives them, which is most of what makes the result
readable: ``text = fetch(url)``, because ``parse(text)`` comes next.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from offcanvas.port import names as naming
from offcanvas.port.emit.statements import step_calls
from offcanvas.port.ir import (
    NO_OPTIONS,
    Canvas,
    Choice,
    Each,
    Errback,
    If,
    Join,
    Let,
    Load,
    Node,
    Nothing,
    Param,
    Part,
    Place,
    Plan,
    Sent,
    Seq,
    Side,
    Spread,
    Task,
    Todo,
    members,
    walk,
)
from offcanvas.port.ir import Step as Signature
from offcanvas.port.pickled import TUPLES, is_plain, packed_canvas, packed_param
from offcanvas.port.read.callbacks import under
from offcanvas.port.script import (
    Add,
    Beside,
    Branch,
    Collect,
    Do,
    Ending,
    Fail,
    Gather,
    Given,
    Guarded,
    Head,
    Invocation,
    Loop,
    Many,
    Member,
    One,
    Program,
    Return,
    ReturnCall,
    ReturnGather,
    Script,
    Set,
    Statement,
    Step,
    StepCall,
    Sub,
    SubCall,
    Told,
    Wait,
)
from offcanvas.port.source import free_names, targets
from offcanvas.port.split import texts

if TYPE_CHECKING:
    from offcanvas.port.errbacks import Needs

ANY: Final = "Any"


class MisfitError(Exception):
    """Arguments that do not fit the task's parameters, or a shape that a port cannot say."""

    code = "PORT303"

    def __init__(self, place: object, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place
        self.why = why


class UnsaidError(MisfitError):
    """Celery runs it, and the port would have to be another program in each case."""

    code = "PORT306"


@dataclass(frozen=True, slots=True)
class _Ignored:
    """Nobody uses the result."""


@dataclass(frozen=True, slots=True)
class _Named:
    """The result goes to a new variable, if possible of this name."""

    hint: str


@dataclass(frozen=True, slots=True)
class _Exactly:
    """The result goes to this variable."""

    name: str


@dataclass(frozen=True, slots=True)
class _Returned:
    """The result is the routine's."""


_Target: TypeAlias = _Ignored | _Named | _Exactly | _Returned
_IGNORED: Final = _Ignored()
_RETURNED: Final = _Returned()

#: Names that the modules of steps have for themselves: a task of that name is called otherwise.
_OWN: Final = frozenset(
    {"Any", "activity", "as_asked", "asked_again", "attempt", "by_name", "by_place", "dataclass"}
    | {"expires", "in_context", "limited", "packed", "rate_limit", "retried_on", "sends", "task"}
    | {"task_run", "unpacked", "work"}
)


@dataclass
class Steps:
    """The steps of a program by name, made as canvases ask for them."""

    tasks: Mapping[str, Task]
    needs: Mapping[str, Needs]
    """Of errbacks: what their bodies read of the failure."""
    pickles: bool = False
    made: dict[tuple[str, str], Step] = field(default_factory=dict)
    sent: dict[str, dict[Sent, None]] = field(default_factory=dict)
    """Of tasks: the forms in which Celery's messages hand them their arguments."""

    def all(self) -> tuple[Step, ...]:
        """The steps that were made."""
        return tuple(
            replace(step, sent=tuple(self.sent.get(name, ()))) if kind == "task" else step
            for (name, kind), step in self.made.items()
        )

    def of_task(self, name: str, kind: Literal["task", "map", "starmap", "errback"]) -> Step:
        """The step for a task."""
        if (name, kind) in self.made:
            return self.made[name, kind]
        task = self.tasks[name]
        own = task.function.rpartition(".")[2]
        params = tuple(replace(p, annotation=p.annotation or ANY) for p in task.params)
        returns = self.returns(name)
        if kind in {"map", "starmap"}:
            own = f"each_{own}"
            params = (Param("items", "list[Any]"),)
            returns = f"list[{returns if returns != 'None' else 'None'}]"
        elif kind == "errback":
            params = self._errback_params(task, params)
            returns = "None"
        taken = [*_OWN, *(step.name for step in self.made.values())]
        step = Step(naming.unused(naming.snake(own), taken), kind, params, returns, task=task)
        step = self._packed(step)
        self.made[name, kind] = step
        return step

    def returns(self, name: str) -> str:
        """The type of a task's result, as source; what nobody can tell is anything."""
        task = self.tasks[name]
        if task.decorators or (self.pickles and not is_plain(task.returns)):
            return ANY
        return task.returns or ANY

    def _packed(self, step: Step) -> Step:
        """The step, as one that may be given pickles, and give one back."""
        if not self.pickles:
            return step
        rows = step.load is not None and not (step.load.row is step.load.several is None)
        step = replace(step, params=tuple(map(packed_param, step.params)))
        if rows or is_plain(step.returns):
            return step
        return replace(step, returns="list[Any]" if step.returns == TUPLES else "Any", packs=True)

    def _errback_params(self, task: Task, params: tuple[Param, ...]) -> tuple[Param, ...]:
        needs = self.needs[task.name]
        positional = [p for p in params if p.kind == "positional"]
        own = [*positional[3:], *(p for p in params if p.kind != "positional")]
        told = []
        if needs.kind:
            told.append(Param("kind", "str"))
        if needs.text:
            told.append(Param("error", "str"))
        plain = [p for p in own if not p.default and p.kind == "positional"]
        rest = [p for p in own if p not in plain]
        return (*plain, *told, *rest)

    def of_load(self, load: Load, canvas: Canvas) -> Step:
        """The step that reads the world; its inputs have the types of the canvas's parameters."""
        known = {p.name: p.annotation for p in canvas.params}
        known |= {
            one.load.name: one.returns
            for one in self.made.values()
            if one.load is not None and one.load.several is not None and one.load in canvas.data
        }
        params = tuple(Param(p.name, p.annotation or known.get(p.name) or ANY) for p in load.inputs)
        nothing = (load.reads == "None" and bool(load.body)) or (load.after and not load.type)
        returns = load.type or ("None" if nothing else ANY)
        if load.several is not None:
            returns = f"{load.several.name} | None" if load.ends else load.several.name
        step = self._packed(Step(load.step, "load", params, returns, load=load))
        for key, one in self.made.items():
            if one.name == step.name:
                if (
                    one.load is not None
                    and _same_load(one.load, load)
                    and one.params == step.params
                ):
                    return one
                taken = [s.name for s in self.made.values()]
                step = replace(step, name=naming.unused(step.name, taken))
                break
            del key
        self.made[step.name, "load"] = step
        return step


def _same_load(one: Load, other: Load) -> bool:
    return (one.reads, one.row, one.body) == (other.reads, other.row, other.body)


@dataclass
class _Routine:
    """The names of one coroutine while it is written."""

    taken: set[str]

    def name(self, hint: str, maker: str = "") -> str:
        """A new variable; ``maker`` gives it a name if the first choice is taken."""
        wanted = naming.identifier(hint or "result")
        if wanted in self.taken and maker:
            wanted = f"{maker}_result"
        made = naming.unused(wanted, self.taken)
        self.taken.add(made)
        return made


class Lowering:
    """Lowers one canvas. ``reserved`` are names that the emitter needs for itself."""

    def __init__(self, canvas: Canvas, steps: Steps, reserved: frozenset[str]) -> None:
        self.canvas = canvas
        self.steps = steps
        self.subs: dict[tuple[object, ...], Sub] = {}
        self.types: dict[str, str] = {p.name: p.annotation or ANY for p in canvas.params}
        self.local: set[str] = set(self.types)
        """Names that a part may need from the routine around it."""
        self._reserved = reserved

    def script(self) -> Script:
        """The canvas as statements."""
        routine = _Routine({*self._reserved, *self.types})
        body: list[Statement] = []
        for one in self.canvas.data:
            routine.taken.add(one.name)
            self.local.add(one.name)
            if isinstance(one, Let):
                self.types[one.name] = ANY
                body.append(Set(one.name, one.value))
                continue
            step = self.steps.of_load(one, self.canvas)
            self.types[one.name] = step.returns
            given = tuple(Given(p.name, p.name) for p in one.inputs)
            body.append(Do(one.name, StepCall(step.name, given, NO_OPTIONS, one.place)))
        after = self.canvas.after
        if after is None:
            returns = self.type_of(self.canvas.root)
            self.node(self.canvas.root, None, _RETURNED, body, routine)
            return Script(self.canvas, self._ending(body), tuple(self.subs.values()), returns)
        wanted: _Target = _IGNORED
        if self.canvas.result in {p.name for p in after.inputs}:
            routine.taken.add(self.canvas.result)
            wanted = _Exactly(self.canvas.result)
            self.types[self.canvas.result] = self.type_of(self.canvas.root)
        self.node(self.canvas.root, None, wanted, body, routine)
        inputs = tuple(Param(p.name, self.types.get(p.name, "")) for p in after.inputs)
        step = self.steps.of_load(replace(after, inputs=inputs), self.canvas)
        returns = step.returns
        given = tuple(Given(p.name, p.name) for p in inputs)
        body.append(ReturnCall(StepCall(step.name, given, NO_OPTIONS, after.place)))
        return Script(self.canvas, tuple(body), tuple(self.subs.values()), returns)

    def _ending(self, body: Sequence[Statement]) -> tuple[Statement, ...]:
        """The body of a routine, which a step in it may end before its end."""
        return (Ending(tuple(body)),) if self._may_end(body) else tuple(body)

    def _may_end(self, body: Sequence[Statement]) -> bool:
        made = {step.name: step for step in self.steps.made.values()}
        found = (made[call.step].task for call in step_calls(body))
        return any(task is not None and task.ends for task in found)

    # -- types

    def type_of(self, node: Node) -> str:
        """The type of a canvas's result, as source; of one that a step may end, anything."""
        ends = any(
            isinstance(part, Signature) and self.steps.tasks[part.task].ends for part in walk(node)
        )
        return ANY if ends else self._type_of(node)

    def _type_of(self, node: Node) -> str:
        match node:
            case Signature(task=task):
                return self.steps.returns(task)
            case Spread(word=word, task=task):
                one = self.steps.returns(task)
                return f"list[list[{one}]]" if word == "chunks" else f"list[{one}]"
            case Side():
                return f"list[{self._member_type(node.parts)}]"
            case Join(body=body):
                return self.type_of(body)
            case Seq(parts=parts):
                return self._last_type(parts)
            case Choice(then=then, orelse=orelse):
                return _common([self.type_of(then), self.type_of(orelse)])
            case Nothing(value="None"):
                return "None"
            case _:
                return ANY

    def _last_type(self, parts: Sequence[Part]) -> str:
        last = parts[-1]
        if isinstance(last, Node):
            return self.type_of(last)
        if not any(isinstance(part, Node) for part in parts):
            return ANY  # nothing may have been executed
        inside = [last.parts] if isinstance(last, Each) else [last.parts, last.orelse]
        kinds = [self._last_type(branch) for branch in inside if branch]
        if len(parts) > 1:
            kinds.append(self._last_type(parts[:-1]))
        return _common(kinds)

    def _member_type(self, parts: Sequence[Part]) -> str:
        return _common([self.type_of(node) for node in members(_flat(parts))])

    # -- nodes

    def node(
        self,
        node: Node,
        given: str | None,
        target: _Target,
        block: list[Statement],
        routine: _Routine,
        *,
        inside: bool = False,
    ) -> str:
        """Append the statements of a node; the variable its result is in, or "".

        ``given`` is what the predecessor hands on; ``inside``: it is a part of a chain.
        """
        if not node.errbacks:
            return self._plain(node, given, target, block, routine, inside=inside)
        if isinstance(node, Seq) and not _is_one_try(node):
            # The members of a trailing group each have the errbacks, and so has each step then.
            spread = replace(node, parts=_under_all(node.parts, node.errbacks), errbacks=())
            return self._plain(spread, given, target, block, routine, inside=inside)
        body: list[Statement] = []
        bare = replace(node, errbacks=())
        name = self._plain(bare, given, target, body, routine, inside=inside)
        self._guard(body, node.errbacks, block)
        return name

    def _guard(
        self, body: Sequence[Statement], errbacks: Sequence[Errback], block: list[Statement]
    ) -> None:
        if errbacks:
            told = tuple(map(self._errback, errbacks))
            block.append(Guarded(tuple(body), told, ends=self._may_end(body)))
        else:
            block.extend(body)

    def _plain(
        self,
        node: Node,
        given: str | None,
        target: _Target,
        block: list[Statement],
        routine: _Routine,
        *,
        inside: bool,
    ) -> str:
        self._wait(node, block)
        if node.links:
            return self._linked(node, given, target, block, routine, inside=inside)
        match node:
            case Signature():
                return self._call(self._step_call(node, given), target, block, routine, node)
            case Spread(word="chunks"):
                return self._gather((node,), given, target, block, routine, node)
            case Spread():
                return self._call(self._spread_call(node), target, block, routine, node)
            case Side(parts=parts):
                return self._gather(parts, given, target, block, routine, node)
            case Join(header=header, body=body):
                return self._join(header, body, given, target, block, routine, inside=inside)
            case Seq(parts=parts):
                return self._sequence(parts, given, target, block, routine)
            case Choice():
                return self._choice(node, given, target, block, routine)
            case Nothing(value=value):
                return self._value(value, target, block, routine)
            case Todo(code=code, why=why, place=place):
                block.append(Fail(code, why, place))
                return ""
            case _:
                raise TypeError(f"not a node: {node!r}")

    def _wait(self, node: Node, block: list[Statement]) -> None:
        if node.options.countdown:
            block.append(Wait(node.options.countdown))
        elif node.options.eta:
            block.append(Wait(node.options.eta, until=True))

    def _linked(
        self,
        node: Node,
        given: str | None,
        target: _Target,
        block: list[Statement],
        routine: _Routine,
        *,
        inside: bool,
    ) -> str:
        bare = replace(node, links=(), options=replace(node.options, countdown="", eta=""))
        wanted = target if isinstance(target, _Named | _Exactly) else _Named("result")
        name = self._plain(bare, given, wanted, block, routine, inside=inside)
        for link in node.links:
            body: list[Statement] = []
            self.node(link, name, _IGNORED, body, routine)
            block.append(Beside(tuple(body)))
        if isinstance(target, _Returned):
            block.append(Return(name))
        return name

    def _value(self, value: str, target: _Target, block: list[Statement], routine: _Routine) -> str:
        match target:
            case _Returned():
                block.append(Return(value))
                return ""
            case _Ignored():
                return ""
            case _Named(hint=hint):
                name = routine.name(hint)
            case _Exactly(name=name):
                pass
        block.append(Set(name, value))
        return name

    def _call(
        self,
        call: Invocation,
        target: _Target,
        block: list[Statement],
        routine: _Routine,
        node: Node,
    ) -> str:
        match target:
            case _Returned():
                block.append(ReturnCall(call))
                return ""
            case _Ignored():
                block.append(Do("", call))
                return ""
            case _Named(hint=hint):
                name = routine.name(hint, call.step if isinstance(call, StepCall) else call.sub)
            case _Exactly(name=name):
                pass
        self.types[name] = self.type_of(node)
        block.append(Do(name, call))
        return name

    # -- chains

    def _sequence(
        self,
        parts: Sequence[Part],
        given: str | None,
        target: _Target,
        block: list[Statement],
        routine: _Routine,
    ) -> str:
        value = given
        for index, part in enumerate(parts):
            rest = parts[index + 1 :]
            last = not rest
            if isinstance(part, Node):
                if last:
                    return self.node(part, value, target, block, routine, inside=True)
                changes = isinstance(rest[0], If | Each)
                wanted: _Target = _IGNORED
                if changes or _takes(rest[0]):
                    wanted = _Named(self._receiver(rest[0], target))
                value = self.node(part, value, wanted, block, routine, inside=True) or None
                continue
            if isinstance(part, If) and value is None and any(map(_takes, rest)):
                body: list[Statement] = []
                orelse: list[Statement] = []
                wanted = (
                    target
                    if not isinstance(target, _Named)
                    else _Exactly(routine.name(target.hint))
                )
                for branch, into in ((part.parts, body), (part.orelse, orelse)):
                    self._sequence((*branch, *rest), None, wanted, into, routine)
                block.append(Branch(part.test, tuple(body), tuple(orelse)))
                return wanted.name if isinstance(wanted, _Exactly) else ""
            if isinstance(part, Each) and value is None and any(map(_takes, rest)):
                return self._begun(part, rest, target, block, routine)
            value = self._dynamic(part, value, block, routine, rest, target)
        return self._deliver(value, target, block, routine)

    def _dynamic(
        self,
        part: Each | If,
        value: str | None,
        block: list[Statement],
        routine: _Routine,
        rest: Sequence[Part],
        target: _Target,
    ) -> str:
        """A loop or condition inside a chain: each way through it leaves its value in one name."""
        fed = value
        if value is None:
            value = routine.name("result")
            block.append(Set(value, "None", "Any"))
            if isinstance(part, Each) and any(map(_takes, part.parts)):
                return self._first_apart(part, value, routine.name("first"), block, routine)
        elif not value.isidentifier() or value in self.canvas_names():
            fresh = routine.name("value")
            block.append(Set(fresh, value))
            fed = value = fresh
        branches = [part.parts] if isinstance(part, Each) else [part.parts, part.orelse]
        bodies: list[tuple[Statement, ...]] = []
        if isinstance(part, Each):
            self.local.update(targets(part.var))
            routine.taken.update(targets(part.var))
        for branch in branches:
            body: list[Statement] = []
            if branch:  # nothing is handed to what a condition puts first
                given = value if isinstance(part, Each) else fed
                self._sequence(branch, given, _Exactly(value), body, routine)
            bodies.append(tuple(body))
        if isinstance(part, Each):
            block.append(Loop(part.var, part.over, bodies[0]))
        else:
            block.append(Branch(part.test, bodies[0], bodies[1]))
        return value

    def _begun(
        self,
        part: Each,
        rest: Sequence[Part],
        target: _Target,
        block: list[Statement],
        routine: _Routine,
    ) -> str:
        """A loop that a chain begins with: without a round, what follows is handed nothing."""
        if not all(isinstance(one, Node) for one in part.parts):
            value = self._dynamic(part, None, block, routine, rest, target)
            return self._sequence(rest, value, target, block, routine)
        value, first = routine.name("result"), routine.name("first")
        block.append(Set(value, "None", "Any"))
        self._first_apart(part, value, first, block, routine)
        wanted = _Exactly(routine.name(target.hint)) if isinstance(target, _Named) else target
        bodies: list[tuple[Statement, ...]] = []
        for given in (None, value):
            body: list[Statement] = []
            try:
                self._sequence(rest, given, wanted, body, routine)
            except MisfitError as misfit:
                if given is not None:
                    raise
                # Celery's task fails there too.
                place = misfit.place if isinstance(misfit.place, Place) else part.place
                body = [Fail(misfit.code, misfit.why, place)]
            bodies.append(tuple(body))
        block.append(Branch(first, bodies[0], bodies[1]))
        return wanted.name if isinstance(wanted, _Exactly) else ""

    def _first_apart(
        self, part: Each, value: str, first: str, block: list[Statement], routine: _Routine
    ) -> str:
        """A loop that builds a chain from its first step on: that one is handed nothing."""
        if not all(isinstance(one, Node) for one in part.parts):
            raise UnsaidError(
                part.place, "the first step of a chain that a loop builds is handed nothing"
            )
        block.append(Set(first, "True", "bool"))
        self.local.update(targets(part.var))
        routine.taken.update(targets(part.var))
        bodies: list[tuple[Statement, ...]] = []
        for given in (None, value):
            body: list[Statement] = []
            self._sequence(part.parts, given, _Exactly(value), body, routine)
            bodies.append(tuple(body))
        begun = (*bodies[0], Set(first, "False"))
        takes = any(map(_takes, part.parts))
        body_ = (Branch(first, begun, bodies[1]),) if takes else begun
        block.append(Loop(part.var, part.over, body_))
        return value

    def canvas_names(self) -> set[str]:
        """The names that come from outside: inputs and loaded data."""
        return {p.name for p in self.canvas.params} | {one.name for one in self.canvas.data}

    def _deliver(
        self, value: str | None, target: _Target, block: list[Statement], routine: _Routine
    ) -> str:
        if value is None:
            return ""
        match target:
            case _Returned():
                block.append(Return(value))
            case _Exactly(name=name) if name != value:
                block.append(Set(name, value))
                return name
            case _:
                pass
        return value

    def _receiver(self, part: Part, target: _Target) -> str:
        """The name of the parameter that the next part receives a value in."""
        match part:
            case Signature(task=task, immutable=False, args=args):
                positional = [p for p in self.steps.tasks[task].params if p.kind == "positional"]
                if positional and len(positional) > len(args):
                    return positional[0].name
                if not positional and self.steps.tasks[task].params:
                    return "value"
                return positional[0].name if positional else "result"
            case Side(parts=(first, *_)) | Seq(parts=(first, *_)) | Each(parts=(first, *_)):
                return self._receiver(first, target)
            case If(parts=parts, orelse=orelse):
                for one in (*parts, *orelse):
                    return self._receiver(one, target)
                return "result"
            case Join(header=header):
                return self._receiver(header, target)
            case Choice(then=then):
                return self._receiver(then, target)
            case _:
                return "result"

    def _choice(
        self,
        node: Choice,
        given: str | None,
        target: _Target,
        block: list[Statement],
        routine: _Routine,
    ) -> str:
        if isinstance(target, _Named):
            target = _Exactly(routine.name(target.hint))
        bodies: list[tuple[Statement, ...]] = []
        for side in (node.then, node.orelse):
            body: list[Statement] = []
            self.node(side, given, target, body, routine)
            bodies.append(tuple(body))
        if isinstance(target, _Returned):
            # `if ...: return ...`, and the other way below it
            block.append(Branch(node.test, bodies[0], ()))
            block.extend(bodies[1])
        else:
            block.append(Branch(node.test, bodies[0], bodies[1]))
        return target.name if isinstance(target, _Exactly) else ""

    # -- groups and chords

    def _join(
        self,
        header: Side,
        body: Node,
        given: str | None,
        target: _Target,
        block: list[Statement],
        routine: _Routine,
        *,
        inside: bool,
    ) -> str:
        if inside and isinstance(body, Seq) and body.parts and isinstance(body.parts[0], Node):
            # Inside a chain the rest of the body follows the chord (_chord._unroll_body).
            first, *rest = _under_all(body.parts, body.errbacks)
            if isinstance(first, Node) and not (body.errbacks and _is_one_try(body)):
                chord = Join(header=header, body=first, place=header.place)
                return self._sequence((chord, *rest), given, target, block, routine)
        takes = _takes(body)
        wanted: _Target = _Named(self._receiver(body, target)) if takes else _IGNORED
        both: list[Statement] = []
        value = self.node(header, given, wanted, both, routine)
        if isinstance(body, Side | Join) or (isinstance(body, Seq) and not _is_one_try(body)):
            # A failed header fires what it would fire in the body, once for each of its members.
            self._guard(both, _at_failure(body), block)
            return self.node(body, value or None, target, block, routine, inside=inside)
        bare = replace(body, errbacks=())
        name = self.node(bare, value or None, target, both, routine, inside=inside)
        self._guard(both, body.errbacks, block)
        return name

    def _gather(
        self,
        parts: Sequence[Part],
        given: str | None,
        target: _Target,
        block: list[Statement],
        routine: _Routine,
        node: Node,
    ) -> str:
        flat = _flat(parts)
        plain = [self._member(part, given) for part in flat]
        members = None if None in plain else [one for one in plain if one is not None]
        type_ = f"list[{self._member_type(flat)}]"
        if isinstance(node, Spread):
            type_ = self.type_of(node)
        if members is not None and isinstance(target, _Returned):
            block.append(ReturnGather(tuple(members), type_))
            return ""
        match target:
            case _Named(hint=hint):
                name = routine.name(hint)
            case _Exactly(name=name):
                pass
            case _Returned():
                name = routine.name("results")
            case _:
                name = ""
        if name:
            self.types[name] = type_
        if members is not None:
            block.append(Gather(name, tuple(members), type_))
        else:
            body: list[Statement] = []
            for part in flat:
                self._add(part, given, body)
            block.append(Collect(name, tuple(body), type_))
        if isinstance(target, _Returned):
            block.append(Return(name))
        return name

    def _member(self, part: Part, given: str | None) -> Member | None:
        """A member as one expression, or None when it needs statements."""
        heads: list[Head] = []
        while isinstance(part, Each) and len(part.parts) == 1:
            inner = part.parts[0]
            test = ""
            if isinstance(inner, If) and not inner.orelse and len(inner.parts) == 1:
                test, inner = inner.test, inner.parts[0]
            heads.append(Head(part.var, part.over, test))
            self._enter(part)
            part = inner
        if not isinstance(part, Node):
            return None
        if isinstance(part, Spread) and part.word == "chunks" and _bare(part):
            call, head = self._chunk(part)
            return Many(call, (*heads, head))
        call = self._invocation(part, given)
        return Many(call, tuple(heads)) if heads else One(call)

    def _enter(self, each: Each) -> None:
        self.local.update(targets(each.var))
        item = self._item_type(each)
        for name in targets(each.var):
            self.types[name] = item if each.var == name else ANY

    def _item_type(self, each: Each) -> str:
        over = self.types.get(each.over, "")
        if over.startswith("list[") and over.endswith("]"):
            return over[5:-1]
        kinds = {type(one).__name__ for one in _literals(each.over)}
        if len(kinds) == 1 and kinds <= {"int", "str", "float", "bool"}:
            return kinds.pop()
        return ANY

    def _add(self, part: Part, given: str | None, body: list[Statement]) -> None:
        match part:
            case Each(var=var, over=over, parts=parts):
                self._enter(part)
                inner: list[Statement] = []
                for one in _flat(parts):
                    self._add(one, given, inner)
                body.append(Loop(var, over, tuple(inner)))
            case If(test=test, parts=parts, orelse=orelse):
                then: list[Statement] = []
                other: list[Statement] = []
                for one in _flat(parts):
                    self._add(one, given, then)
                for one in _flat(orelse):
                    self._add(one, given, other)
                body.append(Branch(test, tuple(then), tuple(other)))
            case Spread(word="chunks"):
                call, head = self._chunk(part)
                body.append(Loop(head.var, head.over, (Add(call),)))
            case Node():
                body.append(Add(self._invocation(part, given)))

    def _chunk(self, spread: Spread) -> tuple[Invocation, Head]:
        """A part of chunks: a starmap over a slice."""
        step = self.steps.of_task(spread.task, "starmap")
        name = naming.unused("start", {*self.local, *free_names(spread.items)})
        items = spread.items if _is_name(spread.items) else f"({spread.items})"
        size = spread.size if _is_name(spread.size) else f"({spread.size})"
        part = f"{items}[{name}:{name} + {size}]"
        call = StepCall(step.name, (Given("items", part),), spread.options, spread.place)
        return call, Head(name, f"range(0, len({spread.items}), {spread.size})", "")

    def _invocation(self, node: Node, given: str | None) -> Invocation:
        """A member as one call: of a step, or of a routine of its own."""
        lone = isinstance(node, Signature) and not self.steps.tasks[node.task].ends
        if isinstance(node, Signature) and lone and _bare(node):
            return self._step_call(node, given)
        if isinstance(node, Spread) and _bare(node) and node.word != "chunks":
            return self._spread_call(node)
        return self._sub(node, given)

    def _sub(self, node: Node, given: str | None) -> SubCall:
        names = [given] if given is not None and _takes(node) and given.isidentifier() else []
        names += [
            name for text in texts((node,)) for name in free_names(text) if name in self.local
        ]
        inner = _inner_targets(node)
        params = tuple(dict.fromkeys(name for name in names if name and name not in inner))
        key = (node, params)
        if key not in self.subs:
            kept = set(self.local)
            # A part of the canvas is reached only where the step has made something ready.
            said = {name: self.types.get(name, ANY).removesuffix(" | None") for name in ("plan",)}
            types = tuple(
                Param(name, said.get(name) or self.types.get(name, ANY)) for name in params
            )
            name = naming.unused(self._sub_name(node, params), [s.name for s in self.subs.values()])
            # Known before its body is written, so that its own parts get other names.
            self.subs[key] = Sub(name, types, (), self.type_of(node), "")
            routine = _Routine({*self._reserved, *params, *self.canvas_names()})
            body: list[Statement] = []
            self.node(node, given, _RETURNED, body, routine)
            self.local = kept
            done = self._ending(body)
            self.subs[key] = replace(self.subs[key], body=done, doc=_doc(node, params))
        return SubCall(self.subs[key].name, params)

    def _sub_name(self, node: Node, params: tuple[str, ...]) -> str:
        outside = self.canvas_names()
        own = [name for name in params if name not in outside]
        if own and isinstance(node, Seq | Join | Choice):
            return f"one_{own[-1]}"
        first = next((n for n in _nodes((node,)) if isinstance(n, Signature | Spread)), None)
        if first is None:
            return "part"
        return f"{naming.snake(self.steps.tasks[first.task].function.rpartition('.')[2])}_part"

    # -- calls

    def _spread_call(self, spread: Spread) -> StepCall:
        word: Literal["map", "starmap"] = "map" if spread.word == "map" else "starmap"
        step = self.steps.of_task(spread.task, word)
        items = spread.items
        if not items.startswith("[") and not _is_name(items):
            items = f"list({items})"
        return StepCall(step.name, (Given("items", items),), spread.options, spread.place)

    def _step_call(self, node: Signature, given: str | None) -> StepCall:
        step = self.steps.of_task(node.task, "task")
        task = self.steps.tasks[node.task]
        fed = () if given is None or node.immutable else (given,)
        values = _bound(task, (*fed, *node.args), node.kwargs, node)
        lone = self.canvas.lone and node is self.canvas.root
        self._sent(task, (*fed, *node.args), node.kwargs, self.canvas.sent if lone else ())
        return StepCall(step.name, values, node.options, node.place)

    def _sent(
        self,
        task: Task,
        args: Sequence[str],
        kwargs: Sequence[tuple[str, str]],
        known: Sequence[Sent] = (),
    ) -> None:
        """Keep how Celery's message of this step hands its arguments on."""
        count = None if any(text.startswith("*") for text in args) else len(args)
        names = frozenset(name for name, _ in kwargs)
        forms = self.steps.sent.setdefault(task.name, {})
        forms |= dict.fromkeys(known or (Sent(count, names),))

    def _errback(self, errback: Errback) -> StepCall:
        node = errback.step
        task = self.steps.tasks[node.task]
        if errback.style == "new":
            step = self.steps.of_task(node.task, "errback")
            needs = self.steps.needs[node.task]
            bound = _bound(task, ("None", "None", "None", *node.args), node.kwargs, node)
            told: list[Given] = [g for g in bound if g.value != "None" or g.param not in needs.told]
            if needs.kind:
                told.append(Given("kind", Told.KIND))
            if needs.text:
                told.append(Given("error", Told.TEXT))
            return StepCall(step.name, tuple(told), node.options, node.place)
        step = self.steps.of_task(node.task, "task")
        self._sent(task, (*([_ID] if errback.style == "old" else []), *node.args), node.kwargs)
        if errback.style == "bare":
            values = _bound(task, node.args, node.kwargs, node)
            return StepCall(step.name, values, node.options, node.place)
        values = _bound(task, (_ID, *node.args), node.kwargs, node)
        values = tuple(replace(g, value=Told.ID) if g.value == _ID else g for g in values)
        return StepCall(step.name, values, node.options, node.place)


_ID: Final = "__the_id__"


def _bound(
    task: Task, args: Sequence[str], kwargs: Sequence[tuple[str, str]], node: Signature
) -> tuple[Given, ...]:
    """The arguments by parameter, as Python binds them.

    Raises:
        MisfitError: they do not fit.
    """
    positional = [p for p in task.params if p.kind == "positional"]
    named = {p.name for p in task.params if p.kind in {"positional", "keyword"}}
    rest = next((p for p in task.params if p.kind == "args"), None)
    others = next((p for p in task.params if p.kind == "kwargs"), None)
    given: list[Given] = []
    filled: set[str] = set()
    for index, value in enumerate(args):
        if index < len(positional):
            given.append(Given(positional[index].name, value))
            filled.add(positional[index].name)
        elif rest is not None:
            given.append(Given(rest.name, value, "args"))
        else:
            raise MisfitError(
                node.place,
                f"{task.name} takes {len(positional)} positional arguments, {len(args)} given",
            )
    for name, value in kwargs:
        if name in filled:
            raise MisfitError(node.place, f"{task.name} gets {name!r} twice")
        if name in named:
            given.append(Given(name, value))
            filled.add(name)
        elif others is not None:
            given.append(Given(name, value, "kwargs"))
        else:
            raise MisfitError(node.place, f"{task.name} has no parameter {name!r}")
    for param in task.params:
        needed = param.kind in {"positional", "keyword"} and not param.default
        if needed and param.name not in filled:
            raise MisfitError(node.place, f"{task.name} misses the argument {param.name!r}")
    order = {p.name: place for place, p in enumerate(task.params)}
    return tuple(sorted(given, key=lambda one: order.get(one.param, len(order))))


def _bare(node: Node) -> bool:
    """Whether a node is one call and nothing more."""
    plain = not (node.options.countdown or node.options.eta)
    return plain and not node.links and not node.errbacks


def _takes(part: Part) -> bool:
    """Whether a part takes its predecessor's result."""
    match part:
        case Signature(immutable=immutable):
            return not immutable
        case Spread() | Nothing() | Todo():
            return False
        case Seq(parts=parts):
            return bool(parts) and _takes(parts[0])
        case Side(parts=parts) | Each(parts=parts):
            return any(map(_takes, parts))
        case If(parts=parts, orelse=orelse):
            return any(map(_takes, (*parts, *orelse)))
        case Join(header=header):
            return _takes(header)
        case Choice(then=then, orelse=orelse):
            return _takes(then) or _takes(orelse)
        case _:
            return True


def _flat(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Members with nested groups spread out in order."""
    flat: list[Part] = []
    for part in parts:
        if isinstance(part, Seq) and not part.parts:
            continue  # an empty chain is not a member
        if isinstance(part, Side) and not part.links and not part.errbacks:
            flat += _flat(part.parts)
        elif isinstance(part, Choice) and _bare(part) and _has_group(part):
            sides = (_flat((part.then,)), _flat((part.orelse,)))
            flat.append(If(part.test, *sides, place=part.place))
        elif isinstance(part, Each):
            flat.append(replace(part, parts=_flat(part.parts)))
        elif isinstance(part, If):
            flat.append(replace(part, parts=_flat(part.parts), orelse=_flat(part.orelse)))
        else:
            flat.append(part)
    return tuple(flat)


def _has_group(choice: Choice) -> bool:
    """Whether one of the two canvases, or of those that they choose between, is a group."""
    return any(
        isinstance(side, Side) or (isinstance(side, Choice) and _has_group(side))
        for side in (choice.then, choice.orelse)
    )


def _nodes(parts: Iterable[Part]) -> list[Node]:
    """The nodes that stand directly under loops and conditions."""
    found: list[Node] = []
    for part in parts:
        match part:
            case Each(parts=inner):
                found += _nodes(inner)
            case If(parts=inner, orelse=orelse):
                found += _nodes((*inner, *orelse))
            case Seq(parts=inner):
                found += [part, *_nodes(inner)]
            case Join(header=header, body=body):
                found += [part, *_nodes(header.parts), body]
            case Node():
                found.append(part)
    return found


def _inner_targets(node: Part) -> set[str]:
    return {name for part in walk(node) if isinstance(part, Each) for name in targets(part.var)}


def _is_one_try(chain: Seq) -> bool:
    """Whether one ``try`` around a chain fires its errbacks as often as Celery does."""
    first = chain.parts[0] if chain.parts else None
    plain = all(isinstance(part, Node) for part in chain.parts)
    own = isinstance(first, Node) and bool(first.errbacks)
    return plain and not own and not _ends_in_group(chain.parts[-1])


def _ends_in_group(part: Part) -> bool:
    match part:
        case Side():
            return True
        case Join(body=body):
            return _ends_in_group(body)
        case Seq(parts=(*_, last)):
            return _ends_in_group(last)
        case _:
            return False


def _under_all(parts: Sequence[Part], errbacks: Sequence[Errback]) -> tuple[Part, ...]:
    changed = tuple(parts)
    for errback in errbacks:
        changed = tuple(under(part, errback) for part in changed)
    return changed


def _at_failure(body: Node) -> tuple[Errback, ...]:
    """What the failure of a chord's header fires (``Backend._handle_group_chord_error``)."""
    match body:
        case Side(parts=parts):
            return tuple(one for node in members(parts) for one in _at_failure(node))
        case Choice(then=then, orelse=orelse):
            if _at_failure(then) != _at_failure(orelse):
                raise UnsaidError(body.place, "which errbacks a chord has depends on a condition")
            return _at_failure(then)
        case _:
            # A chord as the body has no errbacks of its own: they are its body's.
            return body.errbacks


def _common(kinds: Sequence[str]) -> str:
    distinct = tuple(dict.fromkeys(kinds))
    if len(distinct) == 1:
        return distinct[0]
    if len(distinct) == 2 and "None" in distinct and ANY not in distinct:
        other = next(kind for kind in distinct if kind != "None")
        return other if other.endswith(" | None") else f"{other} | None"
    return ANY


def _literals(text: str) -> list[object]:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return []
    return list(value) if isinstance(value, list | tuple) else []


def _is_name(text: str) -> bool:
    return text.isidentifier() or text.isdigit()


def _doc(node: Node, params: tuple[str, ...]) -> str:
    words = {Seq: "chain", Join: "chord", Side: "group", Choice: "canvas"}
    word = words.get(type(node), "part")
    return f"The {word} of one {params[-1]}." if params else f"A {word} of the canvas."


def program(plan: Plan, needs: Mapping[str, Needs], reserved: frozenset[str]) -> Program:
    """All canvases of a plan as statements, and the steps they share.

    Raises:
        MisfitError: arguments that do not fit a task.
    """
    steps = Steps(plan.tasks, needs, plan.pickles)
    canvases = map(packed_canvas, plan.canvases) if plan.pickles else plan.canvases
    scripts = tuple(Lowering(canvas, steps, reserved).script() for canvas in canvases)
    return Program(plan.package, scripts, steps.all())
