"""The translation against the original: the same calls with the same values, or nothing is written.

The original builder is called with a sample and its canvas laid out by Celery's rules
(``canvas.planner.Planner``); the statements that were made of its source are followed with the same
sample. No task runs: a result is a mark that says which call it is of, so that the comparison sees
every value's way. Then each call in turn is made to fail, and what the error callbacks are told
is compared too.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final

from offcanvas.canvas import nodes
from offcanvas.canvas.lift import lift, value
from offcanvas.canvas.planner import Deviation, Planner
from offcanvas.errors import BadTarget
from offcanvas.port.ir import (
    Canvas,
    Each,
    If,
    Join,
    Load,
    Note,
    Part,
    Plan,
    Seq,
    Side,
    Task,
    Todo,
    walk,
)
from offcanvas.port.read.shape import shown
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
    SubCall,
    Told,
    Wait,
)

#: How many calls of one canvas are made to fail, one at a time.
FAILURES: Final = 60


#: What Celery calls an errback of the new form with.
_TOLD: Final = ["<request>", "<error>", "<traceback>"]


_NO_CALLS: Final = frozenset({"wait", "wait until", "errback", "todo", "raised"})


@dataclass(frozen=True, slots=True)
class Mark:
    """The result of a call: the call itself."""

    of: tuple[object, ...]

    def __repr__(self) -> str:
        return f"result of {self.of[1]}"


class FailedError(Exception):
    """The call that was chosen to fail."""

    def __init__(self, task: str) -> None:
        super().__init__(task)
        self.task = task


@dataclass
class Record:
    """What was called, in order; ``failing`` is the number of the call that fails, from 0."""

    failing: int = -1
    calls: list[tuple[object, ...]] = field(default_factory=list)
    made: int = 0
    unrolls: bool = False
    """A fan-out over one item hands on its value (Celery does so inside of a chain)."""
    narrow: bool = False
    """A fan-out had no member, or one."""
    taken: set[tuple[str, bool]] = field(default_factory=set)
    deviations: set[Deviation] = field(default_factory=set)
    """Where the original met what Celery does and does not document."""

    def call(self, kind: str, task: str, given: object) -> Mark:
        """Note a call; its result."""
        call = (kind, task, _frozen(given))
        self.calls.append(call)
        number, self.made = self.made, self.made + 1
        if number == self.failing:
            raise FailedError(task)
        return Mark(call)

    def note(self, kind: str, what: object) -> None:
        """Note something that is not a call of a step."""
        self.calls.append((kind, _frozen(what)))


def _frozen(given: object) -> object:
    """A value that can be compared: what JSON makes of it."""
    plain = value(given)
    if isinstance(plain, Mapping):
        pairs = sorted(((str(k), _frozen(v)) for k, v in plain.items()), key=lambda p: p[0])
        return ("dict", *pairs)
    if isinstance(plain, list | tuple):
        return tuple(_frozen(item) for item in plain)
    if isinstance(plain, bool | int | float | str | type(None) | Mark):
        return plain
    return repr(plain)


# -- the original


@dataclass
class _Laid:
    """Follows a plan of Celery's."""

    tasks: Mapping[str, Task]
    found: Mapping[str, Any]
    record: Record
    named: Mapping[str, str]

    def name(self, registered: str) -> str:
        """The audit's name of a task, for the name that it is registered under."""
        return self.named.get(registered, registered)

    def run(self, node: nodes.Node, given: tuple[object, ...]) -> object:
        match node:
            case nodes.Task():
                return self._task(node, given)
            case nodes.Map() | nodes.Starmap():
                self._wait(node.options)
                word = nodes.kind(node)
                items = {"items": list(node.items)}
                return self._ended(
                    node, lambda: self.record.call(word, self.name(node.task.name), items)
                )
            case nodes.Chain(steps=steps):
                for step in steps:
                    given = (self.run(step, given),)
                return given[0] if steps else None
            case nodes.Group(members=members):
                return self._group(members, given)
            case nodes.Chord(header=header, body=body):
                try:
                    results = self._group(header.members, given)
                except FailedError as failure:
                    # As in the walker: a group for a body fires those of each of its members.
                    several = body.members if isinstance(body, nodes.Group) else (node,)
                    for one in several:
                        self._errbacks(one.options, failure)
                    raise
                return None if body is None else self.run(body, (results,))
            case _:
                raise TypeError(f"not part of a plan: {node!r}")

    def _group(self, members: Sequence[nodes.Node], given: tuple[object, ...]) -> list[object]:
        results: list[object] = []
        failed: FailedError | None = None
        for member in members:
            try:
                results.append(self.run(member, given))
            except FailedError as failure:
                failed = failed or failure
        if failed is not None:
            raise failed
        return results

    def _task(self, node: nodes.Task, given: tuple[object, ...]) -> object:
        self._wait(node.options)
        args = node.args if node.immutable else (*given, *node.args)
        name = self.name(node.name)
        bound = _named(self.tasks.get(name), args, dict(node.kwargs))
        return self._ended(node, lambda: self.record.call("task", name, bound))

    def _wait(self, options: nodes.Options) -> None:
        if options.countdown:
            self.record.note("wait", options.countdown)
        elif options.eta:
            self.record.note("wait until", "")  # a moment may be counted from now

    def _ended(self, node: nodes.Node, call: Callable[[], object]) -> object:
        try:
            result = call()
        except FailedError as failure:
            self._errbacks(node.options, failure)
            raise
        for link in node.options.link:
            try:
                self.run(link, (result,))
            except FailedError:
                continue
        return result

    def _errbacks(self, options: nodes.Options, failure: FailedError) -> None:
        for errback in options.link_error:
            if not isinstance(errback, nodes.Task):
                self.record.note("errback", "a canvas")
                continue
            name = self.name(errback.name)
            task = self.tasks.get(name)
            style = self._style(errback)
            told: tuple[object, ...] = {
                "new": tuple(_TOLD),
                "old": ("<id>",),
                "bare": (),
            }[style]
            bound = _named(task, (*told, *errback.args), dict(errback.kwargs))
            plain = {k: v for k, v in bound.items() if v not in _TOLD}
            self.record.note("errback", [name, style, plain, failure.task])

    def _style(self, errback: nodes.Task) -> str:
        found = self.found.get(self.name(errback.name))
        if errback.immutable:
            return "bare"
        if found is None or found.bound:
            return "old"
        left = len(found.params.positional) - len(errback.args)
        return "new" if left > 1 else "old"


def _named(
    task: Task | None, args: Sequence[object], kwargs: Mapping[str, object]
) -> dict[str, object]:
    """Arguments by the name of their parameter."""
    if task is None:
        return {"*": list(args), **kwargs}
    bound: dict[str, object] = {}
    positional = [p for p in task.params if p.kind == "positional"]
    named = {p.name for p in task.params if p.kind in {"positional", "keyword"}}
    rest = [*args[len(positional) :]]
    for param, given in zip(positional, args, strict=False):
        bound[param.name] = given
    if rest:
        bound["*"] = rest
    for name, given in kwargs.items():
        bound[name if name in named else f"**{name}"] = given
    return bound


# -- the translation


class _Returned(Exception):  # noqa: N818 - control flow, not an error
    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result


@dataclass
class Followed:
    """Follows the statements of a script."""

    program: Program
    script: Script
    plan: Plan
    record: Record
    world: Mapping[str, Any]
    names: dict[str, object]

    def __post_init__(self) -> None:
        self.steps = {step.name: step for step in self.program.steps}
        self._subs = {sub.name: sub for sub in self.script.subs}

    def result(self) -> object:
        """What the script returns."""
        return self.body(self.script.body, self.names)

    def body(self, body: Sequence[Statement], names: dict[str, object]) -> object:
        """What a routine returns."""
        try:
            self.block(body, names, [])
        except _Returned as returned:
            return returned.result
        return None

    def block(
        self, body: Sequence[Statement], names: dict[str, object], adds: list[Invocation]
    ) -> None:
        """Statements in order."""
        for statement in body:
            self.statement(statement, names, adds)

    def statement(
        self, statement: Statement, names: dict[str, object], adds: list[Invocation]
    ) -> None:
        """One statement."""
        match statement:
            case Do(target=target, call=call):
                result = self.call(call, names)
                if target:
                    names[target] = result
            case ReturnCall(call=call):
                raise _Returned(self.call(call, names))
            case Gather(target=target, members=members):
                result = self._gather(members, names)
                if target:
                    names[target] = result
            case ReturnGather(members=members):
                raise _Returned(self._gather(members, names))
            case Collect(target=target, body=body):
                thunks: list[Callable[[], object]] = []
                self._collect(body, names, thunks)
                result = self._all(thunks)
                if target:
                    names[target] = result
            case Set(target=target, value=text):
                names[target] = self._eval(text, names)
            case Return(value=text):
                raise _Returned(self._eval(text, names))
            case Wait(seconds=moment, until=True):
                self._eval(moment, names)
                self.record.note("wait until", "")
            case Wait(seconds=seconds):
                self.record.note("wait", self._eval(seconds, names))
            case Loop(var=var, over=over, body=body):
                for item in _iterated(self._eval(over, names)):
                    _assign(var, item, names)
                    self.block(body, names, adds)
            case Branch():
                self._branch(statement, names, adds)
            case Guarded(body=body, errbacks=errbacks):
                try:
                    self.block(body, names, adds)
                except FailedError as failure:
                    for errback in errbacks:
                        self.errback(errback, names, failure)
                    raise
            case Ending(body=body):
                self.block(body, names, adds)
            case Beside(body=body):
                try:
                    self.block(body, names, adds)
                except FailedError:
                    return
            case Fail(code=code):
                self.record.note("todo", code)
                raise _Returned(None)
            case Add():
                raise TypeError("a member is added outside of a fan-out")

    def _branch(self, branch: Branch, names: dict[str, object], adds: list[Invocation]) -> None:
        taken = bool(self._eval(branch.test, names))
        self.record.taken.add((branch.test, taken))
        self.block(branch.body if taken else branch.orelse, names, adds)

    def _collect(
        self,
        body: Sequence[Statement],
        names: dict[str, object],
        thunks: list[Callable[[], object]],
    ) -> None:
        for statement in body:
            match statement:
                case Add(call=call):
                    thunks.append(self._later(call, dict(names)))
                case Loop(var=var, over=over, body=inner):
                    for item in _iterated(self._eval(over, names)):
                        _assign(var, item, names)
                        self._collect(inner, names, thunks)
                case Branch(test=test, body=inner, orelse=orelse):
                    taken = bool(self._eval(test, names))
                    self.record.taken.add((test, taken))
                    self._collect(inner if taken else orelse, names, thunks)
                case _:
                    raise TypeError(f"no member of a fan-out: {statement!r}")

    def _later(self, call: Invocation, names: dict[str, object]) -> Callable[[], object]:
        return lambda: self.call(call, names)

    def _gather(self, members: Sequence[Member], names: dict[str, object]) -> object:
        thunks: list[Callable[[], object]] = []
        for member in members:
            match member:
                case One(call=call):
                    thunks.append(self._later(call, dict(names)))
                case Many():
                    thunks += [
                        self._later(member.call, bound) for bound in self._items(member, names)
                    ]
        return self._all(thunks)

    def _items(self, member: Many, names: dict[str, object]) -> Iterator[dict[str, object]]:
        def under(depth: int, bound: dict[str, object]) -> Iterator[dict[str, object]]:
            if depth == len(member.heads):
                yield dict(bound)
                return
            head = member.heads[depth]
            for item in _iterated(self._eval(head.over, bound)):
                inner = dict(bound)
                _assign(head.var, item, inner)
                taken = not head.test or bool(self._eval(head.test, inner))
                if head.test:
                    self.record.taken.add((head.test, taken))
                if taken:
                    yield from under(depth + 1, inner)

        yield from under(0, dict(names))

    def _all(self, thunks: Sequence[Callable[[], object]]) -> object:
        results: list[object] = []
        failed: FailedError | None = None
        for thunk in thunks:
            try:
                results.append(thunk())
            except FailedError as failure:
                failed = failed or failure
        if failed is not None:
            raise failed
        self.record.narrow |= len(results) < 2
        if self.record.unrolls and len(results) == 1:
            return results[0]
        return results

    def call(self, call: Invocation, names: dict[str, object]) -> object:
        """What a step or a part of the canvas returns."""
        if isinstance(call, SubCall):
            sub = self._subs[call.sub]
            inner = dict(zip(call.args, (self._eval(a, names) for a in call.args), strict=True))
            inner |= {name: names[name] for name in self._inputs() if name in names}
            return self.body(sub.body, inner)
        step = self.steps[call.step]
        given = self.given(call.given, names)
        if step.load is not None:
            return self.load(step, call, step.load, given)
        return self.made(step, call, given)

    def made(self, step: Step, _call: StepCall, given: Mapping[str, object]) -> object:
        """The result of a step that is no load."""
        if step.task is None:
            raise TypeError(f"{step.name} is not a task")
        return self.record.call(step.kind, step.task.name, given)

    def _inputs(self) -> Iterator[str]:
        return (p.name for p in self.script.canvas.params)

    def given(self, given: Sequence[Given], names: dict[str, object]) -> dict[str, object]:
        """The values by parameter."""
        bound: dict[str, object] = {}
        rest: list[object] = []
        for one in given:
            said: object = one.value
            if one.value is Told.ID:
                said = "<id>"
            elif isinstance(one.value, str):
                said = self._eval(one.value, names)
            if one.spread == "args":
                rest.append(said)
            elif one.spread == "kwargs":
                bound[f"**{one.param}"] = said
            else:
                bound[one.param] = said
        if rest:
            bound["*"] = rest
        return bound

    def errback(self, call: StepCall, names: dict[str, object], failure: FailedError) -> None:
        """Note what an error callback is told."""
        step = self.steps[call.step]
        if step.task is None:
            raise TypeError(f"{step.name} is not a task")
        given = self.given(call.given, names)
        plain = {k: v for k, v in given.items() if v not in [Told.KIND, Told.TEXT]}
        style = "new" if step.kind == "errback" else "bare"
        if any(one.value is Told.ID for one in call.given):
            style = "old"
        self.record.note("errback", [step.task.name, style, plain, failure.task])

    def load(self, _step: Step, _call: StepCall, load: Load, given: dict[str, object]) -> object:
        """Read the world as the step would, in the builder's own module."""
        if load.after:
            return None  # what it is given are marks, and what it does, the task did
        scope = {**self.world, **given}
        if load.row is not None:
            names = [one.name for one in load.row.fields]
            scope[load.row.name] = lambda *values: SimpleNamespace(
                **dict(zip(names, values, strict=True))
            )
            reads = ", ".join(one.reads for one in load.row.fields)
            text = f"[{load.row.name}({reads}) for {load.row.var} in {load.reads}]"
        else:
            text = load.reads
        if load.records or load.ends:
            return _recorded(load, scope)
        if load.body:
            exec(compile(load.body, "<builder>", "exec"), scope)  # noqa: S102 - the user's own code
        result: Any = eval(compile(text, "<builder>", "eval"), scope)  # noqa: S307 - the user's own code
        if load.several is not None:
            fields = [one.name for one in load.several.fields]
            return SimpleNamespace(**dict(zip(fields, result, strict=True)))
        if load.type.startswith("list[") and not isinstance(result, list):
            return list(result)
        return result

    def _eval(self, text: str, names: dict[str, object]) -> Any:
        constants = {k: ast.literal_eval(v) for k, v in self.plan.constants.items()}
        return eval(compile(text.strip(), "<canvas>", "eval"), {**constants, **names})  # noqa: S307 - the user's own code


def _recorded(load: Load, scope: dict[str, Any]) -> object:
    """What a step returns that has records in the place of signatures; None: nothing follows."""
    lines = "\n".join(f"    {line}" for line in f"{load.body}\nreturn {load.reads}".splitlines())
    exec(compile(f"def __step__():\n{lines}", "<builder>", "exec"), scope)  # noqa: S102 - the user's own code
    result = scope["__step__"]()
    if result is None or load.several is None:
        return None
    rows = {f"list[{row.name}]": row for row in load.records}
    made: dict[str, object] = {}
    for one, held in zip(load.several.fields, result, strict=True):
        row = rows.get(one.type)
        if row is None:
            made[one.name] = held
            continue
        empty = {field.name: None for field in row.fields if field.default}
        made[one.name] = [SimpleNamespace(**{**empty, **record}) for record in held]
    return SimpleNamespace(**made)


def _iterated(items: Any) -> list[Any]:
    return list(items)


def _assign(var: str, item: object, names: dict[str, object]) -> None:
    if var.isidentifier():
        names[var] = item
        return
    scope: dict[str, object] = {"__item__": item}
    exec(f"{var} = __item__", scope)  # noqa: S102 - names of a loop
    tree = ast.parse(var, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names[node.id] = scope[node.id]


# -- the comparison


@dataclass(frozen=True, slots=True)
class Difference:
    """What the original does and the translation does not, in words."""

    canvas: str
    sample: str
    what: str


def compare(
    original: nodes.Node,
    follow: Callable[[Record], object],
    tasks: Mapping[str, Task],
    found: Mapping[str, Any],
    named: Mapping[str, str],
    *,
    may_be_narrow: bool = False,
    ended: bool = True,
) -> tuple[str, bool, Record]:
    """In words, where a translation differs from a canvas; "" when it does not.

    The second value says that a fan-out over one item was unrolled by Celery; the third what was
    followed, with the branches taken. ``may_be_narrow``: a group inside a chain of the canvas gets
    its members from data; where it has none or one, Celery's chain is another one, which is no
    fault of the translation (PORT124). ``ended``: the result is the canvas's.
    """
    planner = Planner()
    planned = planner.plan(original)
    first = Record()
    result = _frozen(_outcome(lambda: _Laid(tasks, found, first, named).run(planned, ()), first))
    second = Record(deviations=planner.deviations)
    followed = _frozen(_outcome(lambda: follow(second), second))
    if not ended:
        result = followed
    unrolls = False
    if (first.calls, result) != (second.calls, followed):
        again = Record(unrolls=True, deviations=planner.deviations)
        other = _frozen(_outcome(lambda: follow(again), again))
        if (first.calls, result) != (again.calls, other):
            if may_be_narrow and again.narrow:
                return "", True, second
            return _told(first, second, result, followed), False, second
        second, unrolls = again, True
    for number in range(min(first.made, FAILURES)):
        one, two = Record(failing=number), Record(failing=number, unrolls=unrolls)
        _outcome(lambda one=one: _Laid(tasks, found, one, named).run(planned, ()), one)  # type: ignore[misc]  # bound now
        _outcome(lambda two=two: follow(two), two)  # type: ignore[misc]  # bound now
        if one.calls != two.calls:
            where = f"when call {number + 1} ({first.calls and _nth(first, number)}) fails: "
            return where + _told(one, two, None, None), unrolls, second
    return "", unrolls, second


def may_be_narrow(part: Part) -> bool:
    """Whether a group behind something else in a chain gets its members from data."""
    for one in walk(part):
        if isinstance(one, Seq):
            for behind in one.parts[1 if one.piped else 0 :]:
                group = behind.header if isinstance(behind, Join) else behind
                if isinstance(group, Side) and any(isinstance(p, Each | If) for p in group.parts):
                    return True
    return False


def _nth(record: Record, number: int) -> object:
    calls = [call for call in record.calls if call[0] not in _NO_CALLS]
    return calls[number][1] if number < len(calls) else "?"


def _outcome(run: Callable[[], object], record: Record) -> object:
    try:
        return run()
    except FailedError as failure:
        record.note("raised", failure.task)
        return None


def _told(one: Record, two: Record, first: object, second: object) -> str:
    for place in range(max(len(one.calls), len(two.calls))):
        wanted = one.calls[place] if place < len(one.calls) else "nothing"
        made = two.calls[place] if place < len(two.calls) else "nothing"
        if wanted != made:
            return f"call {place + 1}: the original makes {wanted}, the port {made}"
    return f"the original's result is {first}, the port's {second}"


def check(
    plan: Plan,
    program: Program,
    found: Mapping[str, Any],
    samples: Mapping[str, Sequence[Mapping[str, Any]]],
    named: Mapping[str, str],
) -> tuple[list[Difference], list[Note]]:
    """Compare each canvas of a plan with its original, for each of its samples.

    ``found`` are the audit's tasks by name; ``samples`` are keyword arguments by canvas name;
    ``named`` are the audit's names by registered name, where an app names tasks in its own way.

    Raises:
        BadTarget: a builder fails when it is called with a sample.
    """
    differences: list[Difference] = []
    notes: list[Note] = []
    for script in program.scripts:
        canvas = script.canvas
        if canvas.lone:
            continue
        given = () if canvas.site else samples.get(canvas.name, ())
        if not given:
            why = f"{canvas.name}: no sample, so that it was not called"
            notes.append(Note("PORT901", canvas.place, why, canvas.name))
            continue
        if any(isinstance(part, Todo) for part in walk(canvas.root)):
            why = f"{canvas.name}: a part of it is yours to write: not compared"
            notes.append(Note("PORT901", canvas.place, why, canvas.name))
            continue
        taken: set[tuple[str, bool]] = set()
        deviations: set[Deviation] = set()
        for sample in given:
            original, world = _original(canvas, sample)

            def follow(
                record: Record, script: Script = script, sample: Mapping[str, Any] = sample,
                world: Mapping[str, Any] = world,
            ) -> object:  # fmt: skip
                names = {**defaults(script.canvas, world), **sample}
                return Followed(program, script, plan, record, world, names).result()

            if original is None:
                continue
            narrow = may_be_narrow(canvas.root)
            what, unrolls, record = compare(
                original,
                follow,
                plan.tasks,
                found,
                named,
                may_be_narrow=narrow,
                ended=canvas.after is None,
            )
            taken |= record.taken
            deviations |= record.deviations
            if what:
                differences.append(Difference(canvas.name, repr(dict(sample)), what))
            if unrolls:
                why = f"{canvas.name}: with {dict(sample)!r} a group has one member"
                notes.append(Note("PORT124", canvas.place, why, canvas.name))
        # Those that the source itself shows are said by their line.
        by_line = shown(note for note in plan.notes if note.about == canvas.name)
        for deviation in sorted(deviations - by_line, key=lambda one: one.name):
            why = f"{canvas.name}: {deviation.value}"
            notes.append(Note("PORT145", canvas.place, why, canvas.name))
        for test in sorted({test for test, _ in taken}):
            sides = {side for text, side in taken if text == test}
            if len(sides) == 1:
                why = f"{canvas.name}: `{test}` was always {sides.pop()}"
                notes.append(Note("PORT902", canvas.place, why, canvas.name))
    return differences, notes


def defaults(canvas: Canvas, world: Mapping[str, Any]) -> dict[str, object]:
    """The defaults of a builder's parameters, evaluated in its module's globals."""
    return {
        p.name: eval(p.default, dict(world))  # noqa: S307 - the user's own code
        for p in canvas.params
        if p.default
    }


def _original(
    canvas: Canvas, sample: Mapping[str, Any]
) -> tuple[nodes.Node | None, Mapping[str, Any]]:
    """The canvas that the builder makes of a sample, and the globals of its module."""
    from offcanvas.celery_app.caught import caught

    module = importlib.import_module(canvas.module)
    function: Any = getattr(module, canvas.function, None)
    target = f"{canvas.module}:{canvas.function}"
    if function is None:
        raise BadTarget(
            f"{target}: the imported module has no such function; a method, or a function "
            "inside of another one, is ported without --sample"
        )
    kept: list[Any] = []
    if canvas.built is not None:
        return lift(function), vars(module)
    try:
        if canvas.task:
            made, sent = caught(lambda: _called(function, sample, kept))
        else:
            made, sent = caught(lambda: function(**sample))
    except (Exception, SystemExit) as error:  # whatever the user's builder raises is the answer
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadTarget(f"{target}: calling it with {dict(sample)!r} failed with {said}") from error
    signature = kept[0] if kept else made if isinstance(made, dict) and "task" in made else None
    if signature is None:
        signature = sent[-1] if sent else None
    return (None if signature is None else lift(signature)), vars(module)


class _Replaced(BaseException):
    """The task has said what replaces it."""


def _called(task: Any, sample: Mapping[str, Any], kept: list[Any]) -> object:
    """The body of a task, up to the canvas that it puts in its place."""

    def replace(signature: Any) -> object:
        kept.append(signature)
        raise _Replaced

    task.replace = replace
    try:
        return task.run(**sample)
    except _Replaced:
        return None
    finally:
        del task.replace
