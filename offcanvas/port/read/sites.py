"""Canvases in the midst of other code: each place that sends one is a workflow of its own.

A command that reads a file and sends a chain for each line, a view that sends what it has saved, a
loop with ``continue``: such a function is not a builder, it is a caller. It stays as it is and
starts a workflow where it sends a canvas; what the canvas needs of the function's names is the
workflow's input. A list that is filled under loops and conditions travels as *records instead of
signatures*: one row for each member.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from offcanvas.audit.names import SIGNATURE, TASK
from offcanvas.port import names as naming
from offcanvas.port.ir import (
    Choice,
    Each,
    Field,
    If,
    Join,
    Load,
    Node,
    Param,
    Part,
    Place,
    Row,
    Seq,
    Side,
    Spread,
    Step,
    Task,
    Todo,
    walk,
)
from offcanvas.port.read import callbacks
from offcanvas.port.read.signatures import Scope
from offcanvas.port.read.values import (
    Built,
    Data,
    Listed,
    NotReadError,
    Piped,
    Sent,
    Value,
    as_node,
)
from offcanvas.port.split import Split, rename_part

if TYPE_CHECKING:
    from offcanvas.audit.module import Module
    from offcanvas.audit.tree import Function
    from offcanvas.port.read.statements import Statements

#: Marks a name of the caller's, which no name of the workflow's may be taken for.
_HERE: Final = "__here"
_GROWING: Final = frozenset({"append", "extend", "insert"})
_CHANGING: Final = frozenset({"link", "link_error", "on_error", "set"})
_BLOCKS: Final = (ast.stmt, ast.ExceptHandler, ast.match_case)


@dataclass(frozen=True, slots=True)
class Site:
    """A place that sends a canvas.

    params: the workflow's inputs; given: what the caller hands in for each, as source. rows: the
    classes of lists among the inputs. call: the expression that sends.
    """

    call: ast.expr
    node: Node
    params: tuple[Param, ...]
    given: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]


@dataclass(slots=True)
class _Broken:
    """A canvas that could not be read; it matters where it is used."""

    problem: NotReadError


@dataclass
class _List:
    """A list of canvases that is filled in other blocks than that of its definition."""

    row: str
    var: str
    members: list[tuple[str, Node]] = field(default_factory=list)
    written: list[ast.expr] = field(default_factory=list)
    """Where each of the members is written."""


@dataclass
class _One:
    """A name that is bound to one canvas in this block and to another in that."""

    row: str
    members: list[tuple[str, Node]] = field(default_factory=list)


class Sites:
    """Reads the places of one function that send a canvas."""

    def __init__(
        self,
        module: Module,
        function: Function,
        reader: Statements,
        tasks: Mapping[str, Task],
        constants: Mapping[str, str],
    ) -> None:
        self.module = module
        self.function = function
        self.reader = reader
        self.tasks = tasks
        self.constants = constants
        self.problems: list[NotReadError] = []
        self._found: list[tuple[ast.expr, Node]] = []
        self._lists: dict[str, _List] = {}
        self._ones: dict[str, _One] = {}
        self._scattered = _scattered(function.node)

    def read(self) -> list[tuple[ast.expr, Node]]:
        """The sent canvases, with the caller's names marked."""
        scope = Scope(self.module)
        arguments = self.function.node.args
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        given += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
        for argument in given:
            scope.names[argument.arg] = _here(argument.arg)
            if argument.annotation is not None and "Signature" in ast.unparse(argument.annotation):
                self._handed_in(argument, scope)
        self._block(self.function.node.body, scope)
        return self._found

    def _handed_in(self, argument: ast.arg, scope: Scope) -> None:
        """A parameter that is a list of signatures: its members are what the callers put in it."""
        name = argument.arg
        members: list[tuple[str, Node]] = []
        for call in self.module.walk(ast.Call):
            found = self.module.callee(call)
            caller = self.module.function(call)
            if found is None or found[1] is not self.function or caller is None:
                continue
            positional = [p.name for p in self.function.params.items if p.kind == "positional"]
            values = dict(zip(positional, call.args, strict=False))
            values |= {k.arg: k.value for k in call.keywords if k.arg}
            if name in values:
                members += self._members_of(values[name], caller)
        if not members:
            return
        var = naming.singular(name)
        self._lists[name] = _List(f"{naming.camel(var)}Row", var)
        for _, part in members:
            self._member(name, part, argument.annotation or ast.Constant(None))
        place = self.reader.place(argument, scope)
        scope.names[name] = Listed([Each(var, name, (), place)])

    def _members_of(self, given: ast.expr, caller: Function) -> list[tuple[str, Node]]:
        """The canvases of a list that a caller hands in."""
        there = Sites(self.module, caller, self.reader, self.tasks, self.constants)
        if isinstance(given, ast.Name):
            there.only(frozenset({given.id}))
            there.walk(caller.node.body)
            found = there._lists.get(given.id)
            return list(found.members) if found is not None else []
        scope = there.walk(caller.node.body)
        parts = self.reader.items(given, scope) or []
        return [("", part) for part in parts if isinstance(part, Node)]

    def only(self, lists: frozenset[str]) -> None:
        """Take these names for lists whose members are told one by one, and no others."""
        self._scattered = lists

    def walk(self, statements: Sequence[ast.stmt]) -> Scope:
        """Read a part of the function; what its names are behind it."""
        scope = Scope(self.module)
        for argument in self.function.params.items:
            scope.names[argument.name] = _here(argument.name)
        self._block(statements, scope)
        return scope

    def records(
        self,
    ) -> tuple[dict[str, Listed], dict[str, Row], list[tuple[ast.expr, str]]]:
        """Of each list its members over rows, its rows, and what stands in a signature's place."""
        members: dict[str, Listed] = {}
        rows: dict[str, Row] = {}
        targets: list[tuple[ast.expr, str]] = []
        for name, found in self._lists.items():
            inner: list[Row] = []
            first = found.members[0][1] if found.members else None
            if first is None:
                continue
            own: list[tuple[str, ...]] = []
            fields, branches = self._fields(name, found.var, found.members, inner, own)
            if inner:
                raise NotReadError("PORT215", first.place.line, f"{name} has rows inside of rows")
            part: Part = branches[-1][1]
            for kind, member in reversed(branches[:-1]):
                part = If(f"{found.var}.kind == {kind!r}", (member,), (part,), member.place)
            over = f"plan.{name}"
            members[name] = Listed([Each(found.var, over, (part,), first.place)])
            doc = f"What the canvas needs for one of the {name.replace('_', ' ')}."
            rows[name] = Row(found.row, found.var, fields, doc)
            known = {one.name: one.reads for one in fields}
            for (kind, _), node, names in zip(found.members, found.written, own, strict=True):
                pairs = [f'"kind": {kind!r}'] if "kind" in known else []
                pairs += [f'"{one}": {known[one]}' for one in names]
                targets.append((node, f"{{{', '.join(pairs)}}}"))
        return members, rows, targets

    def site(self, call: ast.expr, node: Node) -> Site:
        """A canvas as a workflow with inputs; to be called once its tasks are known."""
        rows: list[Row] = []
        params: list[Param] = []
        given: list[tuple[str, str]] = []
        lists = [
            name
            for name in self._lists
            if any(isinstance(p, Each) and p.over == name for p in walk(node))
        ]
        ones = [name for name in self._ones if any(_is_one(p, name) for p in walk(node))]
        state = Split(self.tasks, self.constants, known={*lists})
        made = state.node(node, (), "")
        for name in ones:
            row, made = self._one(name, made, rows)
            rows.append(row)
            params.append(Param(name, row.name))
            given.append((name, name))
        for name in lists:
            row, made = self._rows(name, made, rows)
            rows.append(row)
            params.append(Param(name, f"list[{row.name}]"))
            given.append((name, name))
        types = _types(made, self.tasks)
        for load in state.loads:
            if not isinstance(load, Load):
                continue
            if load.row is not None:
                rows.append(load.row)
            type_ = load.type or types.get(load.name, "")
            params.append(Param(load.name, type_))
            given.append((load.name, _plain(_reads(load))))
        rows += state.rows
        return Site(call, made, tuple(params), tuple(given), tuple(_unmarked(r) for r in rows))

    def _rows(self, name: str, node: Node, rows: list[Row]) -> tuple[Row, Node]:
        """The class of a list's members, and the canvas over it."""
        found = self._lists[name]
        fields, branches = self._fields(name, found.var, found.members, rows)
        part: Part = branches[-1][1]
        for kind, member in reversed(branches[:-1]):
            test = f"{found.var}.kind == {kind!r}"
            part = If(test, (member,), (part,), member.place)
        doc = f"What the canvas needs for one of the {name.replace('_', ' ')}."
        row = Row(found.row, found.var, fields, doc)
        return row, _with_parts(node, name, found.var, (part,))

    def _one(self, name: str, node: Node, rows: list[Row]) -> tuple[Row, Node]:
        """The class of what a name stands for, and the canvas with a choice in its place."""
        found = self._ones[name]
        fields, branches = self._fields(name, name, found.members, rows)
        chosen = branches[-1][1]
        for kind, member in reversed(branches[:-1]):
            test = f"{name}.kind == {kind!r}"
            chosen = Choice(test=test, then=member, orelse=chosen, place=member.place)
        row = Row(found.row, name, fields, f"Which canvas `{name}` is, and what it needs.")
        return row, _with_one(node, name, chosen)

    def _fields(
        self,
        name: str,
        var: str,
        members: Sequence[tuple[str, Node]],
        rows: list[Row],
        own_: list[tuple[str, ...]] | None = None,
    ) -> tuple[tuple[Field, ...], list[tuple[str, Node]]]:
        """The fields of the rows of these members, and the members over them.

        ``own_`` is filled with the names of each member's own fields.
        """
        fields: dict[str, Field] = {}
        branches: list[tuple[str, Node]] = []
        several = len(members) > 1
        for kind, member in members:
            others = {*self._lists, *self._ones}
            if any(
                (isinstance(p, Each) and p.over in others) or isinstance(p, Todo)
                for p in walk(member)
            ):
                raise NotReadError("PORT215", member.place.line, f"{name} holds other lists")
            state = Split(self.tasks, self.constants)
            made = state.node(member, (), "")
            types = _types(made, self.tasks)
            names = {}
            for load in state.loads:
                if not isinstance(load, Load):
                    continue
                if load.row is not None:
                    rows.append(load.row)
                own = naming.unused(load.name, fields) if load.name in fields else load.name
                type_ = load.type or types.get(load.name) or "Any"
                reads = _plain(_reads(load))
                fields[own] = Field(own, reads, type_)
                if several:  # each kind has fields of its own
                    fields[own] = Field(own, reads, "Any", "None")
                names[load.name] = f"{var}.{own}"
            if own_ is not None:
                own_.append(tuple(text.rpartition(".")[2] for text in names.values()))
            rows += state.rows
            renamed = rename_part(made, names)
            if not isinstance(renamed, Node):
                raise TypeError("a member is not a canvas any more")
            branches.append((kind, renamed))
        if several:
            fields = {"kind": Field("kind", "", "str"), **fields}
        return tuple(fields.values()), branches

    # -- statements, in the order in which they are written

    def _block(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        for statement in body:
            self._statement(statement, scope)

    def _statement(self, statement: ast.stmt, scope: Scope) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._bind(name, value, scope)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self._bind(name, value, scope)
            case ast.AugAssign(target=ast.Name(id=name)):
                self._grow(name, statement, scope)
            case ast.Expr(value=ast.Call() as call) if self._changes(call, scope):
                pass
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                inner = scope.child()
                for argument in [*statement.args.args, *statement.args.kwonlyargs]:
                    inner.names[argument.arg] = _here(argument.arg)
                self._block(statement.body, inner)
            case _:
                self._sends(statement, scope)
                for name in _bound(statement):
                    scope.names[name] = _here(name)
                if isinstance(statement, ast.For | ast.AsyncFor | ast.While):
                    self._loops(statement, scope)
                blocks = [(body, scope.child()) for body in _bodies(statement)]
                for body, own in blocks:
                    self._block(body, own)
                self._merge(statement, scope, [own for _, own in blocks])

    def _loops(self, loop: ast.For | ast.AsyncFor | ast.While, scope: Scope) -> None:
        """A canvas that each round of a loop builds on has as many shapes as there are rounds."""
        for name in _grown_in(loop):
            if isinstance(scope.names.get(name), Built | Piped):
                problem = NotReadError("PORT215", loop.lineno, f"{name} grows in a loop")
                scope.names[name] = _Broken(problem)  # type: ignore[assignment]  # as in _bind

    def _merge(self, statement: ast.stmt, scope: Scope, inner: Sequence[Scope]) -> None:
        """What the blocks of a statement have bound, as it is known behind them."""
        place = self.reader.place(statement, scope)
        for name in dict.fromkeys(name for one in inner for name in one.names):
            before = scope.names.get(name)
            bound = [v for one in inner if (v := one.names.get(name)) is not None]
            bound = [value for value in bound if value is not before]
            if not bound:
                continue
            canvases = [as_node(v, place) for v in (before, *bound) if isinstance(v, Built | Piped)]
            nodes = [node for node in canvases if node is not None]
            if name in self._scattered and nodes and isinstance(bound[-1], Built | Piped):
                scope.names[name] = self._chosen(name, nodes, place)
            else:
                scope.names[name] = bound[-1]

    def _chosen(self, name: str, nodes: Sequence[Node], place: Place) -> Value:
        """A name that is one of these canvases: its caller says which."""
        found = self._ones.setdefault(name, _One(f"{naming.camel(name)}Row"))
        for node in nodes:
            if _is_one(node, name):
                continue
            if not isinstance(node, Step | Seq) or _ends_wide(node):
                raise NotReadError("PORT215", place.line, f"{name} may be a group or a chord")
            first = next((p.task for p in walk(node) if isinstance(p, Step | Spread)), "part")
            own = naming.snake(first.rpartition(".")[2])
            if node not in [known for _, known in found.members]:
                taken = [kind for kind, _ in found.members]
                found.members.append((naming.unused(own, taken), node))
        return Built(Todo(code="", why=name, place=place))

    def _bind(self, name: str, value: ast.expr, scope: Scope) -> None:
        self._sends(value, scope)
        if name in self._lists:
            return  # emptied or begun anew: its rows are what is in it when it is sent
        found: Value | None
        if isinstance(value, ast.List) and name not in self._scattered:
            scope.displays[name] = list(value.elts)
        try:
            found = self.reader.canvas_value(value, self._checked(value, scope))
        except NotReadError as problem:
            scope.names[name] = _Broken(problem)  # type: ignore[assignment]  # seen by _looked_up only
            return
        if name in self._scattered and isinstance(found, Listed):
            var = naming.singular(name)
            row = naming.unused(f"{naming.camel(var)}Row", [x.row for x in self._lists.values()])
            self._lists[name] = _List(row, var)
            for part in found.parts:
                self._member(name, part, value)
            place = self.reader.place(value, scope)
            scope.names[name] = Listed([Each(var, name, (), place)])
            return
        scope.names[name] = _here(name) if found is None or isinstance(found, Sent) else found

    def _member(self, name: str, part: Part, at: ast.expr) -> None:
        """A member of a list, and the expression that makes it."""
        written = at
        if isinstance(at, ast.Call) and at.args:
            written = at.args[-1]
        if isinstance(at, ast.ListComp):
            written = at.elt
            while isinstance(part, Each | If) and len(part.parts) == 1:
                part = part.parts[0]
        if not isinstance(part, Node):
            raise NotReadError("PORT215", at.lineno, f"{name} is filled by a loop in a display")
        found = self._lists[name]
        first = next((p.task for p in walk(part) if isinstance(p, Step | Spread)), "part")
        own = naming.snake(first.rpartition(".")[2])
        found.members.append((naming.unused(own, [kind for kind, _ in found.members]), part))
        found.written.append(written)

    def _grow(self, name: str, statement: ast.AugAssign, scope: Scope) -> None:
        self._sends(statement.value, scope)
        try:
            self._grown(name, statement, scope)
        except NotReadError as problem:
            scope.names[name] = _Broken(problem)  # type: ignore[assignment]  # as in _bind

    def _grown(self, name: str, statement: ast.AugAssign, scope: Scope) -> None:
        value = self._checked(ast.Name(name), scope).names.get(name)
        if name in self._lists:
            for part in self.reader.items(statement.value, scope) or ():
                self._member(name, part, statement.value)
        elif isinstance(value, Listed | Built | Piped):
            self.reader.grow(statement, scope)
        else:
            scope.names[name] = _here(name)

    def _changes(self, call: ast.Call, scope: Scope) -> bool:
        """``tasks.append(...)``, ``canvas.on_error(...)``: whether a statement changes a canvas."""
        try:
            return self._changed(call, scope)
        except NotReadError as problem:
            func = call.func
            if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
                scope.names[func.value.id] = _Broken(problem)  # type: ignore[assignment]  # as in _bind
            return True

    def _changed(self, call: ast.Call, scope: Scope) -> bool:
        func = call.func
        if not isinstance(func, ast.Attribute) or not isinstance(func.value, ast.Name):
            return False
        name = func.value.id
        if func.attr in _GROWING and self._is_data(call, scope):
            scope.displays.pop(name, None)
            self._lists.pop(name, None)
            scope.names[name] = _here(name)
            return False
        if name in self._lists and func.attr in _GROWING:
            if func.attr == "extend":
                parts = self.reader.items(call.args[0], scope)
                if parts is None:
                    raise self.reader.unknown(call, scope, "what is added are no canvases")
            else:
                parts = [self.reader.node(call.args[-1], scope)]
            for part in parts:
                self._member(name, part, call)
            return True
        value = scope.names.get(name)
        if isinstance(value, Listed | Built | Piped) and func.attr in _GROWING | _CHANGING:
            self.reader.change(call, scope)
            return True
        return False

    def _is_data(self, call: ast.Call, scope: Scope) -> bool:
        """Whether what is added to a list is not a canvas."""
        if isinstance(call.func, ast.Attribute) and call.func.attr == "extend":
            return self.reader.items(call.args[0], scope) is None
        return bool(call.args) and self.reader.canvas_value(call.args[-1], scope) is None

    def _sends(self, tree: ast.stmt | ast.expr, scope: Scope) -> None:
        """Note the canvases that are sent in the expressions of a statement."""
        for call in _calls(tree):
            if not self._is_send(call, scope):
                continue
            try:
                value = self.reader.canvas_value(call, self._checked(call, scope))
            except NotReadError as problem:
                self.problems.append(problem)
                continue
            if isinstance(value, Sent) and (_is_canvas(value.node) or self._is_written(call)):
                self._found.append((call, value.node))
        for later in _uncalled(tree):
            try:
                found = self.reader.canvas_value(later.value, self._checked(later, scope))
            except NotReadError as problem:
                self.problems.append(problem)
                continue
            node = None if found is None else as_node(found, self.reader.place(later, scope))
            if node is not None and (_is_canvas(node) or self._is_written(later)):
                self._found.append((later, node))

    def _is_written(self, sent: ast.expr) -> bool:
        """Whether it is written as a chain, group or chord, whatever is in it."""
        primitives = {"celery.chain", "celery.group", "celery.chord"}
        calls = [n for n in ast.walk(sent) if isinstance(n, ast.Call)]
        return any(self.module.names(call.func) & primitives for call in calls)

    def _is_send(self, call: ast.Call, scope: Scope) -> bool:
        name = self.module.name(call.func) or ""
        if name in {f"{TASK}.apply_async"}:
            return bool({k.arg for k in call.keywords} & {"link", "link_error"})
        func = call.func
        if isinstance(func, ast.Attribute) and func.attr in {"delay", "apply_async"}:
            inner = func.value
            if isinstance(inner, ast.Name) and inner.id in scope.names:
                return not isinstance(scope.names[inner.id], Data)
            return self.module.instance(inner) == SIGNATURE
        if isinstance(func, ast.Call):  # chord(header)(body)
            return "celery.chord" in self.module.names(func.func) or (
                self.module.instance(func) == SIGNATURE
            )
        if isinstance(func, ast.Name) and func.id in scope.names:
            return isinstance(scope.names[func.id], Built | Piped)
        return False

    def _checked(self, call: ast.expr, scope: Scope) -> Scope:
        """The scope, once no name in the call is a canvas that could not be read."""
        for node in ast.walk(call):
            value = scope.names.get(node.id) if isinstance(node, ast.Name) else None
            if isinstance(value, _Broken):
                raise value.problem
        return scope


def _here(name: str) -> Data:
    return Data(f"{name}{_HERE}")


def _plain(text: str) -> str:
    return text.replace(_HERE, "")


def _unmarked(row: Row) -> Row:
    return replace(row, fields=tuple(replace(f, reads=_plain(f.reads)) for f in row.fields))


def _reads(load: Load) -> str:
    """What the caller hands in: an expression, or the rows of a loop over its own data."""
    if load.row is None:
        return load.reads
    fields = ", ".join(one.reads for one in load.row.fields)
    return f"[{load.row.name}({fields}) for {load.row.var} in {load.reads}]"


def _is_canvas(node: Node) -> bool:
    """Whether it is more than one task: a lone task is sent as before."""
    return not isinstance(node, Step) or bool(node.links or node.errbacks)


def _types(node: Node, tasks: Mapping[str, Task]) -> dict[str, str]:
    """Of each name that is an argument as it is, the type of the parameter that receives it."""
    found: dict[str, str] = {}
    for part in walk(node):
        if not isinstance(part, Step) or part.task not in tasks:
            continue
        params = tasks[part.task].params
        positional = [p for p in params if p.kind == "positional"]
        skipped = 0 if part.immutable else max(0, min(1, len(positional) - len(part.args)))
        pairs = list(zip(positional[skipped:], part.args, strict=False))
        known = {p.name: p for p in params}
        pairs += [(known[name], value) for name, value in part.kwargs if name in known]
        for param, value in pairs:
            if value.isidentifier() and param.annotation:
                found.setdefault(value, param.annotation)
    return found


def _with_parts(node: Node, name: str, var: str, parts: tuple[Part, ...]) -> Node:
    """The canvas with what its loop over a list does."""

    def changed(part: Part) -> Part:
        if isinstance(part, Each) and part.over == name:
            return replace(part, var=var, parts=parts)
        return _inside(part, changed)

    return _canvas(changed(node))


def _is_one(part: Part, name: str) -> bool:
    """Whether a part stands for the canvas that a name is, whichever."""
    return isinstance(part, Todo) and not part.code and part.why == name


def _ends_wide(node: Node) -> bool:
    """Whether what follows a canvas would be folded into it, as into a chord."""
    last = node.parts[-1] if isinstance(node, Seq) else node
    return not isinstance(last, Step | Choice)


def _with_one(node: Node, name: str, chosen: Node) -> Node:
    """The canvas with the choice in the place of the name."""

    def changed(part: Part) -> Part:
        if isinstance(part, Node) and _is_one(part, name):
            return callbacks.handed_on(part, chosen)
        return _inside(part, changed)

    return _canvas(changed(node))


def _canvas(part: Part) -> Node:
    if not isinstance(part, Node):
        raise TypeError("a canvas became a part of one")
    return part


def _inside(part: Part, change: Callable[[Any], Any]) -> Part:
    """The part with ``change`` made to each of the parts that it is made of."""
    match part:
        case If(parts=parts, orelse=orelse):
            return replace(part, parts=tuple(map(change, parts)), orelse=tuple(map(change, orelse)))
        case Each() | Seq() | Side():
            return replace(part, parts=tuple(map(change, part.parts)))
        case Join(header=header, body=body):
            return replace(part, header=change(header), body=change(body))
        case Choice(then=then, orelse=orelse):
            return replace(part, then=change(then), orelse=change(orelse))
        case _:
            return part


# -- the tree


def _bodies(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        inner = getattr(statement, name, None)
        if isinstance(inner, list):
            yield inner
    for handler in getattr(statement, "handlers", ()):
        yield handler.body
    for case in getattr(statement, "cases", ()):
        yield case.body


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement binds, without those of the statements in it."""
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            if node.name:
                yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            continue
        stack += [
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, ast.stmt) and not isinstance(child, ast.Lambda)
        ]


def _calls(tree: ast.stmt | ast.expr) -> Iterator[ast.Call]:
    """The calls in the expressions of a statement, the outermost first; not those in its blocks."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Call):
            yield node
        stack += [
            c
            for c in ast.iter_child_nodes(node)
            if not isinstance(c, ast.stmt | ast.ExceptHandler | ast.match_case)
        ]


def _uncalled(tree: ast.stmt | ast.expr) -> Iterator[ast.Attribute]:
    """``canvas.apply_async`` that is handed on without more: to ``on_commit``, or in a partial."""
    for call in _calls(tree):
        for given in call.args[:1]:
            if not isinstance(given, ast.Attribute) or len(call.args) > 1 or call.keywords:
                continue
            if given.attr in {"delay", "apply_async"}:
                yield given


def _scattered(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """Names that are bound, or grow, in more than one block."""
    places: dict[str, set[int]] = {}

    def look(body: Sequence[ast.stmt]) -> None:
        for statement in body:
            for name in _touched(statement):
                places.setdefault(name, set()).add(id(body))
            for inner in _bodies(statement):
                look(inner)

    look(function.body)
    return frozenset(name for name, blocks in places.items() if len(blocks) > 1)


def _grown_in(loop: ast.For | ast.AsyncFor | ast.While) -> set[str]:
    """Names that a round of a loop binds to what is made of what they were before."""
    found: set[str] = set()
    for node in ast.walk(loop):
        match node:
            case ast.AugAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(value)):
                    found.add(name)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr))):
                if attr in _CHANGING:
                    found.add(name)
            case _:
                pass
    return found


def _touched(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.AugAssign(target=ast.Name(id=name)):
            yield name
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr))) if (
            attr in _GROWING | _CHANGING
        ):
            yield name
