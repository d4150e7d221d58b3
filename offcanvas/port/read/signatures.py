"""Expressions of a builder: which canvas they make, or which data they are."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from offcanvas.audit.names import APP, SIGNATURE, TASK
from offcanvas.port.ir import (
    Choice,
    Each,
    Errback,
    If,
    Join,
    Node,
    Part,
    Place,
    Seq,
    Side,
    Spread,
    Step,
)
from offcanvas.port.read import callbacks
from offcanvas.port.read.values import (
    Built,
    Data,
    Listed,
    NotReadError,
    Sent,
    TaskObject,
    Value,
    as_node,
    sequence,
    unrolled,
)
from offcanvas.port.source import fresh as expression_of
from offcanvas.port.source import renamed, replaced, targets

if TYPE_CHECKING:
    from offcanvas.audit.module import Module
    from offcanvas.audit.tasks import Task
    from offcanvas.audit.tree import Function

_CALLS: Final = frozenset({f"{TASK}.{m}" for m in ("s", "si", "signature", "subtask")})
_SPREADS: Final = frozenset({f"{TASK}.{m}" for m in ("map", "starmap", "chunks")})
_SENDS: Final = frozenset({"delay", "apply_async"})
_OPTIONS: Final = frozenset(
    {"countdown", "eta", "expires", "queue", "priority", "time_limit", "soft_time_limit"}
)
_HARMLESS: Final = frozenset(
    {"task_id", "shadow", "serializer", "app", "compression", "delivery_mode", "reply_to"}
    | {"argsrepr", "kwargsrepr", "retry", "retry_policy", "connection", "producer", "ignore"}
    | {"add_to_parent", "root_id", "parent_id", "exchange", "routing_key"}
)
#: Options that say where and when a step runs; a value that only the run knows is not emitted.
_DYNAMIC: Final = {"queue": "PORT115", "priority": "PORT116"}
_COPIES: Final = frozenset({"builtins.list", "builtins.tuple", "builtins.iter"})
_HELPERS: Final = 6
"""Calls of helpers inside helpers that are followed."""


@dataclass
class Scope:
    """Local names of one function while it is read, and where it stands."""

    module: Module
    names: dict[str, Value] = field(default_factory=dict)
    depth: int = 0
    displays: dict[str, list[ast.expr]] = field(default_factory=dict)
    """Lists of data that are written out, by name: arguments may be given as one of them."""

    def child(self) -> Scope:
        """The same function, with names of its own for a comprehension or a branch."""
        return Scope(self.module, dict(self.names), self.depth, dict(self.displays))


class Expressions:
    """Reads expressions; what it meets on the way (tasks, globals) is collected here."""

    def __init__(self, *, imported: bool = False) -> None:
        self.imported = imported
        """The project's modules are imported: what they hold may be looked at."""
        self.tasks: dict[str, Task] = {}
        self.remarks: list[tuple[str, int, str]] = []
        """Code, line and words of what is read and not handed on."""
        self.chains: dict[str, str] = {}
        """Expressions that a step has read, and what they are in the workflow."""
        self.own = ""
        """The object that the builder is a method of: it stays in the caller's process."""
        self.globals: dict[str, str] = {}
        """Names of modules that data expressions use -> path of the module they are written in."""

    # -- data

    def place(self, node: ast.AST, scope: Scope) -> Place:
        """Where a node is written."""
        return Place(scope.module.path, getattr(node, "lineno", 1))

    def text(self, node: ast.expr, scope: Scope) -> str:
        """The expression as data of the workflow.

        Raises:
            NotReadError: a canvas or a result stands in it.
        """
        bound = {
            n.id
            for inner in ast.walk(node)
            if isinstance(inner, ast.comprehension)
            for n in ast.walk(inner.target)
            if isinstance(n, ast.Name)
        }
        names: dict[str, str] = {}
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call) and scope.module.instance(inner) == SIGNATURE:
                raise self.unknown(inner, scope, "a signature is used as data", "PORT214")
            if isinstance(inner, ast.Name) and inner.id == self.own and scope.depth == 0:
                raise self.unknown(node, scope, f"a step has no {inner.id!r}")
        text = replaced(ast.unparse(node), self.chains)
        if self.chains:
            node = ast.copy_location(expression_of(text), node)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr):
                raise self.unknown(inner, scope, "it binds or waits inside an expression")
            if not isinstance(inner, ast.Name) or inner.id in bound:
                continue
            value = scope.names.get(inner.id)
            if isinstance(value, Data):
                names[inner.id] = value.text
            elif isinstance(value, TaskObject):
                raise self.unknown(inner, scope, "a task object is used as data")
            elif isinstance(value, Sent):
                raise self.unknown(inner, scope, "the result object of a canvas is used as data")
            elif value is not None:
                raise self.unknown(inner, scope, f"the canvas {inner.id!r} is used as data")
            else:
                self._global(inner.id, scope)
        return renamed(text, names)

    def note_global(self, name: str, scope: Scope) -> None:
        """Data needs a name of the module."""
        self._global(name, scope)

    def _global(self, name: str, scope: Scope) -> None:
        facts = scope.module.facts
        known = (*facts.imports, *facts.functions, *facts.classes, *facts.assigns)
        if name not in known:
            return
        before = self.globals.setdefault(name, scope.module.path)
        if before != scope.module.path:
            there = scope.module.project.files[before]
            if there.imports.get(name) != facts.imports.get(name) or name not in facts.imports:
                raise NotReadError(
                    "PORT215", 1, f"{name!r} means one thing in {before}, another in {facts.path}"
                )

    def unknown(self, node: ast.AST, scope: Scope, why: str, code: str = "PORT215") -> NotReadError:
        """The error for a construct that is not translated."""
        shown = scope.module.text(node) if isinstance(node, ast.expr) else type(node).__name__
        return NotReadError(code, getattr(node, "lineno", 1), f"{shown}: {why}")

    # -- canvases

    def value(self, node: ast.expr, scope: Scope) -> Value:
        """What an expression is: a canvas, a list of canvases, a task, or data."""
        found = self.canvas_value(node, scope)
        return Data(self.text(node, scope)) if found is None else found

    def node(self, node: ast.expr, scope: Scope) -> Node:
        """The canvas that an expression is.

        Raises:
            NotReadError: it is none.
        """
        value = self.canvas_value(node, scope)
        found = None if value is None else as_node(value, self.place(node, scope))
        if found is None:
            raise self.unknown(node, scope, "no signature of a known task", "PORT214")
        return found

    def canvas_value(self, node: ast.expr, scope: Scope) -> Value | None:
        """The canvas, list, task or result that an expression is; None when it is data."""
        if isinstance(node, ast.Name):
            value = scope.names.get(node.id)
            if isinstance(value, Listed):
                return Listed(self._held_in(value, node, scope))
            if value is not None:
                return None if isinstance(value, Data) else value
            if scope.module.task(node) is not None:
                return TaskObject(node, scope.module)
            return self._of_module(node, scope)
        if isinstance(node, ast.Attribute):
            return TaskObject(node, scope.module) if scope.module.task(node) is not None else None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self._pipe(node, scope)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._sum(node, scope)
        if isinstance(node, ast.IfExp):
            return self._either(node, scope)
        if isinstance(node, ast.List | ast.Tuple | ast.Set | ast.ListComp | ast.GeneratorExp):
            parts = self.items(node, scope)
            return None if parts is None else Listed(parts)
        if isinstance(node, ast.Call):
            return self._call(node, scope)
        return None

    def _of_module(self, node: ast.Name, scope: Scope) -> Value | None:
        """A canvas that stands at the top of a module under this name."""
        if scope.module.instance(node) != SIGNATURE:
            return None
        for bound in scope.module.possible(node):
            if bound is not node:
                return self.canvas_value(bound, Scope(scope.module))
        raise self.unknown(node, scope, "a signature from elsewhere", "PORT214")

    def _pipe(self, node: ast.BinOp, scope: Scope) -> Value | None:
        sides: list[ast.expr] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp) and isinstance(left.op, ast.BitOr):
            sides.append(left.right)
            left = left.left
        sides.append(left)
        sides.reverse()
        values = [self.canvas_value(side, scope) for side in sides]
        if all(value is None for value in values):
            return None
        parts: list[Part] = []
        for place, (side, value) in enumerate(zip(sides, values, strict=True)):
            if isinstance(value, Listed):
                # A list behind a | is a group.
                made: Node = Side(parts=tuple(value.parts), place=self.place(side, scope))
            else:
                made = self.node(side, scope)
            parts.append(unrolled(made) if place else made)
        return Built(sequence(parts, self.place(node, scope), piped=True))

    def _sum(self, node: ast.BinOp, scope: Scope) -> Value | None:
        left, right = self.items(node.left, scope), self.items(node.right, scope)
        if left is None or right is None or not (left or right):
            return None
        return Listed([*left, *right])

    def _either(self, node: ast.IfExp, scope: Scope) -> Value | None:
        then, orelse = self.canvas_value(node.body, scope), self.canvas_value(node.orelse, scope)
        if then is None and orelse is None:
            return None
        place, test = self.place(node, scope), self.text(node.test, scope)
        if isinstance(then, Listed) or isinstance(orelse, Listed):
            first, second = self.items(node.body, scope), self.items(node.orelse, scope)
            if first is None or second is None:
                raise self.unknown(node, scope, "a list of canvases or something else")
            return Listed([If(test, tuple(first), tuple(second), place)])
        if then is None or orelse is None:
            raise self.unknown(node, scope, "a canvas or something else")
        return self.choice(test, then, orelse, place, node, scope)

    def choice(
        self, test: str, then: Value, orelse: Value, place: Place, at: ast.AST, scope: Scope
    ) -> Value:
        """One of two canvases by a condition."""
        first, second = as_node(then, place), as_node(orelse, place)
        if first is None or second is None:
            raise self.unknown(at, scope, "one of two things that are not both canvases")
        return Built(Choice(test=test, then=first, orelse=second, place=place))

    # -- lists of canvases

    def items(self, node: ast.expr, scope: Scope) -> list[Part] | None:
        """The members of an iterable of canvases; None when it is data."""
        if isinstance(node, ast.Name):
            value = scope.names.get(node.id)
            return self._held_in(value, node, scope) if isinstance(value, Listed) else None
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return self._display(node, scope)
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            return self._comprehension(node, scope)
        if isinstance(node, ast.BinOp | ast.IfExp):
            value = self.canvas_value(node, scope)
            return list(value.parts) if isinstance(value, Listed) else None
        if isinstance(node, ast.Call):
            if scope.module.name(node.func) in _COPIES and len(node.args) == 1:
                return self.items(node.args[0], scope)
            helped = self._helper(node, scope)
            return list(helped.parts) if isinstance(helped, Listed) else None
        return None

    def _held_in(self, value: Listed, node: ast.expr, scope: Scope) -> list[Part]:
        if value.grows:
            raise self.unknown(node, scope, "a list is used in the loop that fills it")
        return value.every

    def _display(self, node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> list[Part] | None:
        parts: list[Part] = []
        data = 0
        for element in node.elts:
            if isinstance(element, ast.Starred):
                inner = self.items(element.value, scope)
                if inner is None:
                    data += 1
                else:
                    parts += inner
                continue
            value = self.canvas_value(element, scope)
            made = None if value is None else as_node(value, self.place(element, scope))
            if isinstance(value, Listed):
                made = Side(parts=tuple(value.parts), place=self.place(element, scope))
            if made is None:
                data += 1
            else:
                parts.append(made)
        if parts and data:
            raise self.unknown(node, scope, "canvases and other things in one list", "PORT214")
        return parts if parts else (None if data else [])

    def _comprehension(
        self, node: ast.ListComp | ast.GeneratorExp, scope: Scope
    ) -> list[Part] | None:
        inner = scope.child()
        heads: list[tuple[str, str, str]] = []
        for generator in node.generators:
            over = (
                self.text(generator.iter, inner) if heads or self._is_data(generator, inner) else ""
            )
            if not over:
                return self._of_members(node, generator, inner)
            var = ast.unparse(generator.target)
            for name in targets(var):
                inner.names[name] = Data(name)
            tests = " and ".join(f"({self.text(test, inner)})" for test in generator.ifs)
            heads.append((var, over, tests))
        value = self.canvas_value(node.elt, inner)
        place = self.place(node, scope)
        if isinstance(value, Listed):
            made: Node | None = Side(parts=tuple(value.parts), place=place)
        else:
            made = None if value is None else as_node(value, self.place(node.elt, scope))
        if made is None:
            return None
        parts: tuple[Part, ...] = (made,)
        for var, over, tests in reversed(heads):
            if tests:
                parts = (If(ast.unparse(ast.parse(tests)), parts, (), place),)
            parts = (Each(var, over, parts, place),)
        return list(parts)

    def _is_data(self, generator: ast.comprehension, scope: Scope) -> bool:
        members = self.items(generator.iter, scope)
        return members is None or not members

    def _of_members(
        self,
        node: ast.ListComp | ast.GeneratorExp,
        generator: ast.comprehension,
        scope: Scope,
    ) -> list[Part]:
        """``[member.set(...) for member in members]``: each member changed."""
        members = self.items(generator.iter, scope)
        if members is None or len(node.generators) > 1 or generator.ifs:
            raise self.unknown(node, scope, "a loop over canvases that chooses among them")
        if not isinstance(generator.target, ast.Name):
            raise self.unknown(node, scope, "a loop over canvases with several names")
        name = generator.target.id

        def changed(part: Part) -> Part:
            if isinstance(part, Each):
                return replace(part, parts=tuple(map(changed, part.parts)))
            if isinstance(part, If):
                return replace(
                    part,
                    parts=tuple(map(changed, part.parts)),
                    orelse=tuple(map(changed, part.orelse)),
                )
            inner = scope.child()
            inner.names[name] = Built(part)
            return self.node(node.elt, inner)

        return [changed(part) for part in members]

    # -- calls

    def _call(self, node: ast.Call, scope: Scope) -> Value | None:
        module = scope.module
        func = node.func
        names = module.names(func)
        for primitive in ("chain", "group", "chord"):
            if f"celery.{primitive}" in names:
                if len(names) > 1:
                    raise self.unknown(node, scope, "the kind of canvas is chosen when it runs")
                return getattr(self, f"_{primitive}")(node, scope)  # type: ignore[no-any-return]  # the three below
        if isinstance(func, ast.Attribute):
            found = self._method(node, func, scope)
            if found is not None:
                return found
        name = module.name(func)
        if name in {"celery.signature", f"{APP}.signature"}:
            return self._signature(node, scope)
        if isinstance(func, ast.Name | ast.Call):
            made = self._called(node, func, scope)
            if made is not None:
                return made
        if name in _COPIES and len(node.args) == 1:
            parts = self.items(node.args[0], scope)
            return None if parts is None else Listed(parts)
        helped = self._helper(node, scope)
        if helped is not None:
            return helped
        if module.instance(node) == SIGNATURE:
            raise self.unknown(node, scope, "a signature from outside of the project", "PORT214")
        return None

    def _called(self, node: ast.Call, func: ast.expr, scope: Scope) -> Value | None:
        """``chord(header)(body)``; ``canvas()``, which sends."""
        value = None
        if isinstance(func, ast.Call):
            value = self.canvas_value(func, scope)
        elif isinstance(func, ast.Name) and not isinstance(
            scope.names.get(func.id), Data | TaskObject | None
        ):
            value = scope.names[func.id]
        if value is None:
            return None
        made = as_node(value, self.place(node, scope))
        if made is None:
            return None
        if isinstance(made, Join) and _bodiless(made):
            if len(node.args) != 1:
                raise self.unknown(node, scope, "a chord is called with its body")
            body = self.node(node.args[0], scope)
            return Sent(replace(made, body=body))
        if isinstance(made, Step):
            raise self.unknown(node, scope, "the task is called as a function")
        return Sent(self._with_call(made, node, scope, packed=False))

    def _method(self, node: ast.Call, func: ast.Attribute, scope: Scope) -> Value | None:
        method = func.attr
        task = self.task_of(func.value, scope)
        if task is not None:
            return self._of_task(node, task, method, scope)
        if method == "group":  # task.chunks(...).group()
            inner = self.canvas_value(func.value, scope)
            node_ = None if inner is None else as_node(inner, self.place(node, scope))
            if isinstance(node_, Spread):
                return Built(Side(parts=(node_,), place=self.place(node, scope)))
            return None
        if method not in {
            *("set", "on_error", "link", "link_error", "clone", "s", "si", "delay", "apply_async"),
            *("get", "join", "freeze"),
        }:
            return None
        value = self.canvas_value(func.value, scope)
        if value is None or isinstance(value, TaskObject | Listed):
            return None
        place = self.place(node, scope)
        if isinstance(value, Sent):
            return value if method in {"get", "join"} else None
        made = as_node(value, place)
        if made is None:
            return None
        if method in _SENDS:
            return Sent(self._with_call(made, node, scope, packed=method == "apply_async"))
        if method == "set":
            return Built(self._with_options(made, node, scope))
        if method == "on_error":
            return Built(self._on_error(made, node.args[0], scope))
        if method == "clone":
            return Built(self._with_call(made, node, scope, packed=True))
        raise self.unknown(node, scope, f"what .{method}() gives back is used")

    def task_of(self, node: ast.expr, scope: Scope) -> Task | None:
        """The task that an expression stands for, through local names and helpers' parameters."""
        for _ in range(8):
            value = scope.names.get(node.id) if isinstance(node, ast.Name) else None
            if not isinstance(value, TaskObject):
                break
            node, scope = value.expr, Scope(value.module)
        return scope.module.task(node)

    def _of_task(self, node: ast.Call, task: Task, method: str, scope: Scope) -> Value | None:
        place = self.place(node, scope)
        if method in {"map", "starmap", "chunks"}:
            return Built(self._spread(node, task, method, place, scope))
        if method in {"s", "si"}:
            return Built(self._step(node, task, scope, immutable=method == "si"))
        if method in {"signature", "subtask"}:
            return Built(self._packed(node.args, node, task, scope))
        if method == "delay":
            return Sent(self._step(node, task, scope, immutable=False))
        if method == "apply_async":
            step = self._packed(node.args, node, task, scope)
            return Sent(step)
        return None

    def know(self, task: Task) -> str:
        """Note that the canvas uses a task; its registered name."""
        self.tasks.setdefault(task.name, task)
        return task.name

    def _step(self, node: ast.Call, task: Task, scope: Scope, *, immutable: bool) -> Step:
        args = self._positional(node.args, task, scope)
        kwargs = self._named(node, task, len(args), scope, immutable=immutable)
        return Step(
            task=self.know(task),
            args=args,
            kwargs=kwargs,
            immutable=immutable,
            place=self.place(node, scope),
        )

    def _positional(self, given: Sequence[ast.expr], task: Task, scope: Scope) -> tuple[str, ...]:
        """Positional arguments; those of ``*args`` go to the parameters that are left."""
        args: list[str] = []
        for one in given:
            if not isinstance(one, ast.Starred):
                args.append(self.text(one, scope))
                continue
            if isinstance(one.value, ast.List | ast.Tuple):
                args += self._positional(one.value.elts, task, scope)
                continue
            args += self._spread_over(one.value, task, len(args), scope)
        return tuple(args)

    def _spread_over(self, node: ast.expr, task: Task, filled: int, scope: Scope) -> Iterator[str]:
        if isinstance(node, ast.Name) and node.id in scope.displays:
            yield from (self.text(one, scope) for one in scope.displays[node.id])
            return
        params = _plain_params(scope, task)
        if params is None:
            raise self.unknown(node, scope, "arguments are spread over unknown parameters")
        text = self.text(node, scope)
        for index, (_, default) in enumerate(params[filled:]):
            if default is None:
                yield f"{text}[{index}]"
            else:
                yield f"{text}[{index}] if len({text}) > {index} else {default}"

    def _named(
        self, node: ast.Call, task: Task, filled: int, scope: Scope, *, immutable: bool
    ) -> tuple[tuple[str, str], ...]:
        """Keyword arguments; those of ``**mapping`` go to the parameters that are left."""
        found = {k.arg: self.text(k.value, scope) for k in node.keywords if k.arg}
        for keyword in node.keywords:
            if keyword.arg is not None:
                continue
            pairs = _pairs(keyword.value)
            if pairs is not None:
                found |= {name: self.text(value, scope) for name, value in pairs}
                continue
            params = _plain_params(scope, task)
            if params is None:
                raise self.unknown(node, scope, "arguments are spread over unknown parameters")
            text = self.text(keyword.value, scope)
            for place, (name, default) in enumerate(params[filled:]):
                if name in found:
                    continue
                if default is not None:
                    found[name] = f"{text}.get({name!r}, {default})"
                elif place or filled or immutable:
                    found[name] = f"{text}[{name!r}]"
        return tuple((str(name), value) for name, value in found.items())

    def _packed(self, given: Sequence[ast.expr], node: ast.Call, task: Task, scope: Scope) -> Step:
        """``task.signature(args, kwargs, **options)`` and ``task.apply_async(...)``."""
        keywords = {k.arg: k.value for k in node.keywords if k.arg}
        if any(k.arg is None for k in node.keywords):
            raise self.unknown(node, scope, "options are spread with **")
        args = given[0] if given else keywords.pop("args", None)
        kwargs = given[1] if len(given) > 1 else keywords.pop("kwargs", None)
        immutable = _true(keywords.pop("immutable", None))
        step = Step(
            task=self.know(task),
            args=self._packed_args(args, task, scope),
            kwargs=self._keywords(kwargs, scope),
            immutable=immutable,
            place=self.place(node, scope),
        )
        made = self._options(step, keywords, node, scope)
        if not isinstance(made, Step):
            raise TypeError("options of a step made it something else")
        return made

    def _packed_args(self, node: ast.expr | None, task: Task, scope: Scope) -> tuple[str, ...]:
        if node is None or isinstance(node, ast.Constant):
            return self._arguments(node, scope)
        given = node.elts if isinstance(node, ast.List | ast.Tuple) else [ast.Starred(node)]
        return self._positional(given, task, scope)

    def _arguments(self, node: ast.expr | None, scope: Scope) -> tuple[str, ...]:
        if node is None or (isinstance(node, ast.Constant) and node.value is None):
            return ()
        if isinstance(node, ast.List | ast.Tuple) and not any(
            isinstance(element, ast.Starred) for element in node.elts
        ):
            return tuple(self.text(element, scope) for element in node.elts)
        raise self.unknown(node, scope, "arguments that are not written as a tuple or list")

    def _keywords(self, node: ast.expr | None, scope: Scope) -> tuple[tuple[str, str], ...]:
        if node is None or (isinstance(node, ast.Constant) and node.value is None):
            return ()
        if (
            isinstance(node, ast.Call)
            and scope.module.name(node.func) == "builtins.dict"
            and not node.args
            and all(k.arg for k in node.keywords)
        ):
            return tuple((k.arg or "", self.text(k.value, scope)) for k in node.keywords)
        pairs = _pairs(node)
        if pairs is not None:
            return tuple((name, self.text(value, scope)) for name, value in pairs)
        raise self.unknown(node, scope, "keyword arguments that are not written as a dictionary")

    def _signature(self, node: ast.Call, scope: Scope) -> Value:
        first = node.args[0] if node.args else None
        if first is None:
            raise self.unknown(node, scope, "a signature of nothing", "PORT214")
        task = self.task_of(first, scope)
        said = scope.module.literal(first)
        if task is None and isinstance(said, str):
            task = scope.module.project.tasks_by_name.get(said)
        if task is None:
            inner = self.canvas_value(first, scope)
            if inner is not None:
                return inner
            raise self.unknown(node, scope, "the task is a name in data", "PORT300")
        return Built(self._packed(node.args[1:], node, task, scope))

    def _spread(self, node: ast.Call, task: Task, word: str, place: Place, scope: Scope) -> Spread:
        given = {k.arg: k.value for k in node.keywords}
        items = node.args[0] if node.args else given.get("it")
        size = node.args[1] if len(node.args) > 1 else given.get("n")
        if items is None or (word == "chunks") != (size is not None):
            raise self.unknown(node, scope, f"{word} is called differently")
        spelled: Literal["map", "starmap", "chunks"] = word  # type: ignore[assignment]  # tested above
        return Spread(
            word=spelled,
            task=self.know(task),
            items=self.text(items, scope),
            size="" if size is None else self.text(size, scope),
            place=place,
        )

    # -- chain, group, chord

    def _members(self, args: Sequence[ast.expr], scope: Scope) -> list[Part]:
        if len(args) == 1 and not isinstance(args[0], ast.Starred):
            items = self.items(args[0], scope)
            if items is not None:
                return items
        parts: list[Part] = []
        for arg in args:
            if isinstance(arg, ast.Starred):
                inner = self.items(arg.value, scope)
                if inner is None:
                    raise self.unknown(arg.value, scope, "members that are not known", "PORT214")
                parts += inner
                continue
            value = self.canvas_value(arg, scope)
            if isinstance(value, Listed):
                parts.append(Side(parts=tuple(value.parts), place=self.place(arg, scope)))
            else:
                parts.append(self.node(arg, scope))
        return parts

    def _chain(self, node: ast.Call, scope: Scope) -> Value:
        parts = [
            unrolled(part) if isinstance(part, Node) else part
            for part in self._members(node.args, scope)
        ]
        return Built(sequence(parts, self.place(node, scope), piped=False))

    def _group(self, node: ast.Call, scope: Scope) -> Value:
        parts = self._members(node.args, scope)
        # A lone group inside of group() is that group.
        if len(parts) == 1 and isinstance(parts[0], Side):
            return Built(parts[0])
        return Built(Side(parts=tuple(parts), place=self.place(node, scope)))

    def _chord(self, node: ast.Call, scope: Scope) -> Value:
        given = {k.arg: k.value for k in node.keywords if k.arg}
        header = node.args[0] if node.args else given.get("header")
        body = node.args[1] if len(node.args) > 1 else given.get("body")
        if header is None:
            raise self.unknown(node, scope, "a chord without a header")
        place = self.place(node, scope)
        parts = self._members([header], scope)
        if len(parts) == 1 and isinstance(parts[0], Side):
            parts = list(parts[0].parts)
        elif len(parts) == 1 and isinstance(parts[0], Seq) and self.items(header, scope) is None:
            # A chain as the header is unpacked into parallel tasks (_chord, _maybe_group).
            parts = list(parts[0].parts)
        side = Side(parts=tuple(parts), place=place)
        made = self.node(body, scope) if body is not None else _NO_BODY
        return Built(Join(header=side, body=made, place=place))

    # -- options and callbacks

    def _with_call(self, made: Node, node: ast.Call, scope: Scope, *, packed: bool) -> Node:
        """``canvas(*args, **kwargs)``, ``.delay(...)`` or ``.apply_async(args, kwargs, ...)``."""
        if packed:
            keywords = {k.arg: k.value for k in node.keywords if k.arg}
            args = node.args[0] if node.args else keywords.pop("args", None)
            kwargs = node.args[1] if len(node.args) > 1 else keywords.pop("kwargs", None)
            given, named = self._arguments(args, scope), self._keywords(kwargs, scope)
            made = self._options(made, keywords, node, scope)
        else:
            given = tuple(self.text(arg, scope) for arg in node.args)
            named = tuple((k.arg or "", self.text(k.value, scope)) for k in node.keywords)
        if not given and not named:
            return made
        return fed(made, given, named)

    def _with_options(self, made: Node, node: ast.Call, scope: Scope) -> Node:
        return self._options(made, self._option_words(node, scope), node, scope)

    def _option_words(self, node: ast.Call, scope: Scope) -> dict[str, ast.expr]:
        """The options of a call by name; those of ``**mapping`` as they are now."""
        found: dict[str, ast.expr] = {}
        for keyword in node.keywords:
            if keyword.arg is not None:
                found[keyword.arg] = keyword.value
                continue
            pairs = _pairs(keyword.value)
            if pairs is None:
                held = self._held(keyword.value, scope)
                if not isinstance(held, Mapping):
                    why = "options are spread with **: name the app with -A, so that they are read"
                    raise self.unknown(node, scope, why)
                values = [ast.copy_location(ast.Constant(v), node) for v in held.values()]
                pairs = list(zip(map(str, held), values, strict=True))
            found |= dict(pairs)
        return found

    def _held(self, node: ast.expr, scope: Scope) -> object:
        """What a name of an imported module holds; None if it is not imported, or no such name."""
        facts = scope.module.facts
        module = sys.modules.get(scope.module.project.index.name_of(facts))
        names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
        if not self.imported or module is None or any(name in scope.names for name in names):
            return None
        value: object = module
        for part in ast.unparse(node).split("."):
            value = getattr(value, part, None)
        return value

    def _options(
        self, made: Node, keywords: dict[str, ast.expr], node: ast.AST, scope: Scope
    ) -> Node:
        plain: dict[str, str] = {}
        ignore: bool | None = None
        for name, value in keywords.items():
            if name == "link_error":
                for errback in self._several(value, scope):
                    made = self._on_error(made, errback, scope)
            elif name == "link":
                for link in self._several(value, scope):
                    made = callbacks.with_link(made, self.node(link, scope))
            elif name == "immutable" and isinstance(made, Step):
                made = replace(made, immutable=_true(value))
            elif name == "ignore_result":
                ignore = _true(value)
            elif (
                name in _DYNAMIC
                and not isinstance(value, ast.Constant)
                and not _is_known(value, scope)
            ):
                what = f"{name}={scope.module.text(value)} is chosen when it runs: not handed on"
                self.remarks.append((_DYNAMIC[name], getattr(node, "lineno", 1), what))
            elif name in _DYNAMIC:
                plain[name] = repr(scope.module.literal(value))
            elif name in _OPTIONS:
                plain[name] = self.text(value, scope)
            elif name in {"headers", "stamps"}:
                what = f"{name}={scope.module.text(value):.60} is not handed on"
                self.remarks.append(("PORT119", getattr(node, "lineno", 1), what))
            elif name not in _HARMLESS:
                raise self.unknown(node, scope, f"the option {name} is not translated")
        if plain or ignore is not None:
            made = callbacks.with_options(made, plain, ignore=ignore)
        return made

    def _several(self, node: ast.expr, scope: Scope) -> Iterator[ast.expr]:
        if isinstance(node, ast.List | ast.Tuple):
            yield from node.elts
        elif not (isinstance(node, ast.Constant) and node.value is None):
            yield node

    def _on_error(self, made: Node, errback: ast.expr, scope: Scope) -> Node:
        step = self.node(errback, scope)
        if not isinstance(step, Step):
            raise self.unknown(errback, scope, "an errback that is a canvas")
        task = self.tasks[step.task]
        style = callbacks.style_of(task, task.params, step)
        return callbacks.with_errback(made, Errback(step, style))  # type: ignore[arg-type]  # one of the three

    # -- helpers

    def _helper(self, node: ast.Call, scope: Scope) -> Value | None:
        """A function of the project that makes canvases, read with what it is called with."""
        found = scope.module.callee(node)
        if found is None or scope.depth >= _HELPERS:
            return None
        module, function = found
        if function.task is not None or not self.builds(module, function):
            return None
        return self.helper(node, module, function, scope)

    def builds(self, module: Module, function: Function) -> bool:
        """Whether signatures are made or composed in a function."""
        for call in module.inside(function.node, ast.Call):
            name = module.name(call.func)
            if name in _CALLS or name in _SPREADS or name in {"celery.signature"}:
                return True
            if module.names(call.func) & {"celery.chain", "celery.group", "celery.chord"}:
                return True
        return any(
            module.instance(r.value) == SIGNATURE
            for r in module.inside(function.node, ast.Return)
            if r.value is not None
        )

    def helper(
        self, node: ast.Call, module: Module, function: Function, scope: Scope
    ) -> Value | None:
        """Overridden by the reader of statements."""
        raise NotImplementedError


_NO_BODY: Final = Step(task="", place=Place("", 0))


def _bodiless(join: Join) -> bool:
    return join.body is _NO_BODY


def _pairs(node: ast.expr) -> list[tuple[str, ast.expr]] | None:
    """The items of a dictionary that is written out; None for anything else."""
    if not isinstance(node, ast.Dict):
        return None
    pairs = []
    for key, value in zip(node.keys, node.values, strict=True):
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            return None
        pairs.append((key.value, value))
    return pairs


def _is_known(node: ast.expr, scope: Scope) -> bool:
    """Whether an option is a constant of the module."""
    return scope.module.literal(node) is not None


def _plain_params(scope: Scope, task: Task) -> list[tuple[str, str | None]] | None:
    """Names and defaults of a task's parameters; None if it takes any, or is not read."""
    there = scope.module.opened(scope.module.project, task.path)
    function = there.function_named(task.function) if there is not None else None
    if function is None:
        return None
    arguments = function.node.args
    if arguments.vararg is not None or arguments.kwarg is not None:
        return None
    positional = [*arguments.posonlyargs, *arguments.args][1 if task.bound else 0 :]
    late = arguments.defaults[-len(positional) :] if positional else []
    defaults = [None] * (len(positional) - len(late)) + [ast.unparse(one) for one in late]
    found = list(zip((one.arg for one in positional), defaults, strict=True))
    for only, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append((only.arg, None if default is None else ast.unparse(default)))
    return found


def _true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def fed(made: Node, args: tuple[str, ...], kwargs: tuple[tuple[str, str], ...]) -> Node:
    """The canvas called with arguments: its first tasks get them before their own."""

    def change(step: Step) -> Step:
        if step.immutable:
            return step
        given = dict(step.kwargs) | dict(kwargs)
        return replace(step, args=(*args, *step.args), kwargs=tuple(given.items()))

    match made:
        case Step():
            return change(made)
        case Seq(parts=(first, *rest)) if isinstance(first, Node):
            return replace(made, parts=(fed(first, args, kwargs), *rest))
        case Side(parts=parts):
            return replace(
                made,
                parts=tuple(
                    fed(part, args, kwargs)
                    if isinstance(part, Node)
                    else callbacks.mapped(part, change)
                    for part in parts
                ),
            )
        case Join(header=header):
            return replace(made, header=fed(header, args, kwargs))  # type: ignore[arg-type]  # a Side stays one
        case _:
            return made
