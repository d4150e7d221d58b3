"""*Records instead of signatures*: code that fills lists of signatures stays, and fills records.

A task that reads and writes the world while it collects signatures, under loops, conditions and
``try``, cannot be a workflow line by line. Its first statements become a step that does what they
did, with a record where they had a signature; the workflow is what follows, over the records.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from offcanvas.audit.names import SIGNATURE, TASK
from offcanvas.port.edits import Edits
from offcanvas.port.ir import (
    Choice,
    Field,
    Load,
    Node,
    Nothing,
    Param,
    Row,
)
from offcanvas.port.read.own import task_object, without_task
from offcanvas.port.read.prefix import needed
from offcanvas.port.read.signatures import Scope
from offcanvas.port.read.sites import Sites
from offcanvas.port.read.values import Data, NotReadError
from offcanvas.port.source import BUILTINS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from offcanvas.audit.module import Module
    from offcanvas.audit.tree import Function
    from offcanvas.port.ir import Task
    from offcanvas.port.read.statements import Statements


@dataclass(frozen=True, slots=True)
class _Parts:
    """A function cut in two: statements of the step, a guard that ends it, those that follow.

    guard: source of the statements under which nothing follows, "" without one.
    """

    before: list[ast.stmt]
    guard: list[ast.stmt]
    test: str
    after: list[ast.stmt]


def read(module: Module, function: Function, reader: Statements, tasks: Mapping[str, Task]) -> Node:
    """The canvas of a task whose first statements become a step that returns records.

    Raises:
        NotReadError: it cannot be cut so.
    """
    problem: NotReadError | None = None
    for parts in _cuts(function):
        inside = [*parts.before, *parts.guard]
        if any(map(_leaves_otherwise, inside)) or any(_sends(module, s) for s in inside):
            break
        try:
            return _Cut(module, function, reader, tasks, parts).read()
        except NotReadError as found:
            problem = found
            reader.data.clear()
    line = function.node.lineno
    raise problem or NotReadError("PORT215", line, "it is not cut in two")


def _cuts(function: Function) -> Iterator[_Parts]:
    body = [
        s
        for s in function.node.body
        if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
    ]
    before, guard, test = body, [], ""
    last = body[-1]
    rest: list[ast.stmt] = []
    if isinstance(last, ast.If) and last.orelse:
        before = body[:-1]
        has = [_has_replace(branch) for branch in (last.body, last.orelse)]
        if has == [True, False]:
            guard, rest, test = last.orelse, last.body, f"not ({ast.unparse(last.test)})"
        elif has == [False, True]:
            guard, rest, test = last.body, last.orelse, ast.unparse(last.test)
        if guard:
            yield _Parts(before, guard, test, rest)
        return
    for count in range(1, len(before)):
        yield _Parts(before[:count], [], "", before[count:])


def _has_replace(statements: Sequence[ast.stmt]) -> bool:
    return any(
        isinstance(n, ast.Attribute) and n.attr in {"replace", "delay", "apply_async"}
        for s in statements
        for n in ast.walk(s)
    )


def _leaves_otherwise(statement: ast.stmt) -> bool:
    """Whether a statement gives back a value, or waits."""
    return any(
        isinstance(n, ast.Yield | ast.YieldFrom | ast.Await)
        or (isinstance(n, ast.Return) and not _is_none(n.value))
        for n in ast.walk(statement)
    )


def _is_none(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def _sends(module: Module, statement: ast.stmt) -> bool:
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute):
            owner, _, word = (module.name(node) or "").rpartition(".")
            if owner in {TASK, SIGNATURE} and word in {"delay", "apply_async", "replace", "retry"}:
                return True
    return False


class _Cut:
    def __init__(
        self,
        module: Module,
        function: Function,
        reader: Statements,
        tasks: Mapping[str, Task],
        parts: _Parts,
    ) -> None:
        self.module = module
        self.function = function
        self.reader = reader
        self.parts = parts
        self.sites = Sites(module, function, reader, tasks, {})
        self.inside = [*parts.before, *parts.guard]

    def read(self) -> Node:
        sites = self.sites
        sites.only(_lists(self.module, self.inside))
        scope = sites.walk(self.inside)
        if sites.problems:
            raise sites.problems[0]
        members, rows, targets = sites.records()
        edits = Edits(self.module.source)
        for node, text in targets:
            edits.replace(node, text)
        own = task_object(self.function)
        body = self._text(edits, own)
        inner = Scope(self.module)
        parameters = [p.name for p in self.function.params.items if p.name != own]
        for name in parameters:
            inner.names[name] = Data(name)
        fields = [Field(name, name, f"list[{row.name}]") for name, row in rows.items()]
        for name, value in members.items():
            inner.names[name] = value
        fields += self._given(scope, inner, [*rows])
        ends = bool(self.parts.guard) or any(
            isinstance(n, ast.Return) for s in self.inside for n in ast.walk(s)
        )
        load = self._load(body, fields, tuple(rows.values()), parameters, ends=ends)
        made = self.reader.rest(self.module, self.function, self.parts.after, inner, load)
        if not ends:
            return made
        test = "plan is None"
        return Choice(test=test, then=Nothing(place=made.place), orelse=made, place=made.place)

    def _text(self, edits: Edits, own: str) -> str:
        text = without_task(self.module, self.parts.before, own, edits) if self.parts.before else ""
        guard = ""
        if self.parts.guard:
            said = without_task(self.module, self.parts.guard, own, edits)
            if said is not None:
                lines = "\n".join(f"    {line}" if line else line for line in said.splitlines())
                guard = f"if {self.parts.test}:\n{lines}"
                if not isinstance(self.parts.guard[-1], ast.Return):
                    guard += "\n    return None"
            text = None if said is None else text
        if text is None:
            line = self.function.node.lineno
            raise NotReadError("PORT212", line, "what comes before the canvas uses the task object")
        return "\n".join(part for part in (text, guard) if part)

    def _given(self, scope: Scope, inner: Scope, lists: Sequence[str]) -> list[Field]:
        """Fields for what the workflow needs of the step; attributes of objects one by one."""
        bound = {
            n.id
            for s in self.inside
            for n in ast.walk(s)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        used = [n for s in self.parts.after for n in needed(s)]
        fields: list[Field] = []
        for name in dict.fromkeys(n for n in used if n in bound and n not in lists):
            if not isinstance(scope.names.get(name), Data):
                raise NotReadError(
                    "PORT215", self.function.node.lineno, f"the canvas {name} is made in between"
                )
            chains = self._chains(name)
            for chain in chains:
                field = chain.replace(".", "_")
                fields.append(Field(field, chain))
                self.reader.chains[chain] = f"plan.{field}"
            if not chains:
                fields.append(Field(name, name))
                inner.names[name] = Data(f"plan.{name}")
        return fields

    def _chains(self, name: str) -> list[str]:
        """The attributes of a name that are read, if nothing else is done with it."""
        found: list[str] = []
        for statement in self.parts.after:
            for node in ast.walk(statement):
                if not isinstance(node, ast.Name) or node.id != name:
                    continue
                chain: ast.AST = node
                while isinstance(above := self.module.parents.get(chain), ast.Attribute):
                    chain = above
                called = isinstance(above, ast.Call) and above.func is chain
                if chain is node or called:
                    return []
                found.append(ast.unparse(chain))
        return list(dict.fromkeys(found))

    def _load(
        self,
        body: str,
        fields: Sequence[Field],
        records: tuple[Row, ...],
        parameters: Sequence[str],
        *,
        ends: bool,
    ) -> Load:
        tree = ast.parse(body)
        names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        bound = {
            n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        scope = Scope(self.module)
        for name in sorted(names - bound - {*parameters} - BUILTINS):
            self.reader.note_global(name, scope)
        values = ", ".join(f.reads for f in fields) or "True"
        doc = f"What `{self.function.name}` has made ready for its canvas."
        return Load(
            name="plan",
            step=self.function.name,
            reads=f"({values},)" if fields else values,
            inputs=tuple(Param(name) for name in parameters if name in names),
            type="",
            place=self.reader.place(self.inside[0], scope),
            body=body,
            repeatable=False,
            several=Row("Plan", "", tuple(fields), doc),
            records=records,
            ends=ends,
        )


def _lists(module: Module, statements: Sequence[ast.stmt]) -> frozenset[str]:
    """The names of lists that signatures are put into."""
    found: set[str] = set()
    for node in (n for s in statements for n in ast.walk(s)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[given]):
                if module.instance(given) == SIGNATURE:
                    found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.ListComp(elt=elt)):
                if module.instance(elt) == SIGNATURE:
                    found.add(name)
            case _:
                pass
    return frozenset(found)


def with_name(load: Load, name: str) -> Load:
    """The load with its class named after the canvas."""
    if load.several is None:
        return load
    return replace(load, several=replace(load.several, name=name))
