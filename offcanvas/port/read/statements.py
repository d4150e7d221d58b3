"""Statements of a builder, executed with names for values: lists that fill, canvases that grow."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias, TypeGuard

from offcanvas.audit.names import TASK
from offcanvas.port import names as naming
from offcanvas.port.edits import Edits
from offcanvas.port.ir import (
    Choice,
    Each,
    Field,
    How,
    If,
    Let,
    Load,
    Node,
    Nothing,
    Param,
    Part,
    Row,
    Side,
    Spread,
    Step,
    walk,
)
from offcanvas.port.read.callbacks import with_link
from offcanvas.port.read.own import has_object, task_object, without_task
from offcanvas.port.read.prefix import Prefix, cut, has_canvas
from offcanvas.port.read.signatures import Expressions, Scope
from offcanvas.port.read.values import (
    Built,
    Data,
    Listed,
    NotReadError,
    Piped,
    Sent,
    TaskObject,
    Value,
    as_node,
)
from offcanvas.port.source import targets

if TYPE_CHECKING:
    from offcanvas.audit.module import Module
    from offcanvas.audit.tree import Function

Wrap: TypeAlias = "Callable[[list[list[Part]]], Part]"
_GROWING: Final = frozenset({"append", "extend", "insert"})
#: What may leave out, or repeat, the evaluation of what is in it.
_SELDOM: Final = (
    *(ast.BoolOp, ast.IfExp, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp),
    *(ast.GeneratorExp, ast.Compare, ast.NamedExpr),
)
_CHANGING: Final = frozenset({"link", "link_error", "on_error", "set"})


class Statements(Expressions):
    """Reads one builder; ``data`` are the names it needs first, ``how`` its canvas goes on."""

    def __init__(self, *, imported: bool = False) -> None:
        super().__init__(imported=imported)
        self.data: list[Let | Load] = []
        self.how: How = "returned"
        self.result = ""
        self.after: Load | None = None
        """What a task does once it has waited for its canvas, whose result is ``result``."""
        self._taken: set[str] = set()
        self._kept: set[str] = set()
        """Names of result objects that nothing has been done with yet."""
        self._function: Function | None = None

    # -- a builder from outside

    def builder(self, module: Module, function: Function) -> Node:
        """The canvas of a function, with parameters as data.

        Raises:
            NotReadError: something in it is not translated.
        """
        scope = Scope(module)
        self._function = function
        node = function.node
        arguments = node.args
        names = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        names += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
        bound = function.task is not None and function.task.bound
        for argument in names[1:] if bound else names:
            scope.names[argument.arg] = Data(argument.arg)
            self._taken.add(argument.arg)
        self.own = task_object(function) if function.task is None else ""
        found = cut(module, function, self)
        statements = [s for s in node.body if not _is_docstring(s)]
        if found is not None:
            statements = statements[found.count :]
            self._prefix(found, function, scope)
        made = self._block(statements, scope, top=True)
        if made is None or not any(isinstance(part, Step | Spread) for part in walk(made)):
            raise NotReadError("PORT301", node.lineno, f"{function.qualname} builds no canvas")
        if self._kept:
            why = f"the result of a canvas is kept in {', '.join(sorted(self._kept))}"
            raise NotReadError("PORT215", node.lineno, why)
        return made

    def rest(
        self,
        module: Module,
        function: Function,
        statements: Sequence[ast.stmt],
        scope: Scope,
        load: Load,
    ) -> Node:
        """The canvas of the last statements of a function, behind a step that has done the first.

        Raises:
            NotReadError: something in them is not translated.
        """
        self._function = function
        self._taken |= {*scope.names, load.name}
        self.data.append(load)
        made = self._block(statements, scope, top=True)
        if made is None or not any(isinstance(part, Step | Spread) for part in walk(made)):
            raise NotReadError("PORT301", function.node.lineno, f"{module.path} builds no canvas")
        if self._kept:
            why = f"the result of a canvas is kept in {', '.join(sorted(self._kept))}"
            raise NotReadError("PORT215", function.node.lineno, why)
        return made

    def _prefix(self, found: Prefix, function: Function, scope: Scope) -> None:
        """Code before the canvas that is not a canvas: one step that returns what is used later."""
        task = function.task
        step = function.name if task is not None else f"prepare_{function.name}"
        given = [n for n, v in scope.names.items() if isinstance(v, Data) and n in found.reads]
        place = self.place(found.first, scope)
        fields = found.gives
        several: Row | None = None
        for name in found.globals:
            self._global(name, scope)
        if len(fields) == 1:
            name, result = fields[0], fields[0]
            scope.names[name] = Data(name)
        elif fields:
            name, result = "plan", ", ".join(fields)
            for field in fields:
                scope.names[field] = Data(f"plan.{field}")
            doc = f"What `{function.name}` has made ready for its canvas."
            several = Row("Plan", "", tuple(Field(one, one) for one in fields), doc)
        else:
            name, result = "", "None"
        self._taken.add(name)
        self.data.append(
            Load(
                name=name,
                step=step,
                reads=result,
                inputs=tuple(Param(n) for n in given),
                type="",
                place=place,
                body=found.body,
                repeatable=False,
                several=several,
            )
        )

    # -- helpers, read with what they are called with

    def helper(
        self, node: ast.Call, module: Module, function: Function, scope: Scope
    ) -> Value | None:
        """What a function of the project gives back for this call.

        Raises:
            NotReadError: it does more than build.
        """
        inner = Scope(module, depth=scope.depth + 1)
        self._bind(inner, node, function, scope)
        statements = [s for s in function.node.body if not _is_docstring(s)]
        kept, self.how = self.how, "returned"
        value = self._returned(statements, inner, function)
        self.how = kept
        return value

    def _returned(
        self, statements: Sequence[ast.stmt], scope: Scope, function: Function
    ) -> Value | None:
        """A helper may give back a list of canvases, which a builder may not."""
        *before, last = statements or [ast.Pass()]
        ends = isinstance(last, ast.Return) and not any(map(_leaves, before))
        if ends and isinstance(last, ast.Return) and last.value is not None:
            self._run(before, scope, top=False)
            return self.value(last.value, scope)
        made = self._block(statements, scope, top=False)
        if made is None:
            raise NotReadError(
                "PORT215", function.node.lineno, f"{function.qualname} does not return"
            )
        return Built(made)

    def _bind(self, inner: Scope, node: ast.Call, function: Function, scope: Scope) -> None:
        arguments = function.node.args
        if arguments.vararg or arguments.kwarg or any(k.arg is None for k in node.keywords):
            raise self.unknown(node, scope, "a helper with * or **")
        positional = [*arguments.posonlyargs, *arguments.args]
        if has_object(function):
            positional = positional[1:]
        defaults = dict(
            zip([a.arg for a in positional][::-1], arguments.defaults[::-1], strict=False)
        )
        for only, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if default is not None:
                defaults[only.arg] = default
        for name, default in defaults.items():
            inner.names[name] = self.value(default, Scope(inner.module))
        for argument, given in zip(positional, node.args, strict=False):
            inner.names[argument.arg] = self.value(given, scope)
        for keyword in node.keywords:
            inner.names[str(keyword.arg)] = self.value(keyword.value, scope)

    # -- single statements, for readers of other functions than builders

    def grow(self, statement: ast.AugAssign, scope: Scope) -> None:
        """``tasks += [...]``, ``canvas |= step``."""
        self._grow(statement, scope, top=False)

    def change(self, call: ast.Call, scope: Scope) -> None:
        """``tasks.append(...)``, ``canvas.on_error(...)``."""
        self._expression(call, scope)

    # -- blocks

    def _block(self, statements: Sequence[ast.stmt], scope: Scope, *, top: bool) -> Node | None:
        """Run statements to their return; the canvas, or None when the end is reached."""
        for index, statement in enumerate(statements):
            rest = statements[index + 1 :]
            if top and (waited := self._waited(statement, scope)) is not None:
                self._then(statement, rest, scope)
                return waited
            if top and (waited := self._waited_inside(statement, rest, scope)) is not None:
                return waited
            if top and _allows_waiting(statement, scope.module):
                return self._block([*statement.body, *rest], scope, top=True)
            if isinstance(statement, ast.If) and _leaves(statement):
                return self._choice(statement, rest, scope)
            if isinstance(statement, ast.Return):
                return self._return(statement, scope)
            if isinstance(statement, ast.Raise):
                return self._raise(statement, scope)
            if isinstance(statement, ast.Expr) and self._is_last_act(statement, rest, scope):
                return self._last_act(statement, scope)
            if not top and isinstance(statement, ast.Expr):
                called = self._called_last(statement, rest, scope)
                if called is not None:
                    return called
            self._statement(statement, scope, top=top)
        return None

    def _waited(self, statement: ast.stmt, scope: Scope) -> Node | None:
        """The canvas of ``result = canvas.apply_async().get()``, if a statement waits for one."""
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self.result = name
            case ast.Expr(value=value) | ast.Return(value=ast.expr() as value):
                self.result = ""
            case _:
                return None
        match value:
            case ast.Call(func=ast.Attribute(value=waited, attr="get" | "join")):
                sent = self.canvas_value(waited, scope)
            case _:
                return None
        if not isinstance(sent, Sent):
            return None
        if isinstance(waited, ast.Name):
            self._kept.discard(waited.id)
        self.how = "awaited"
        return sent.node

    def _then(self, statement: ast.stmt, rest: Sequence[ast.stmt], scope: Scope) -> None:
        """What a task does after it has waited: a step that is given the result."""
        if isinstance(statement, ast.Return) or not rest:
            return
        first, *others = rest
        if (
            not others
            and isinstance(first, ast.Return)
            and isinstance(first.value, ast.Name)
            and first.value.id == self.result
        ):
            return
        self._after(rest, rest, scope)

    def _waited_inside(
        self, statement: ast.stmt, rest: Sequence[ast.stmt], scope: Scope
    ) -> Node | None:
        """The canvas of ``return f(result.get())``: the statement and all behind it come after it.

        What the statement does before it waits would be done after it: there has to be nothing.
        """
        if not isinstance(statement, ast.Return | ast.Assign | ast.AnnAssign | ast.Expr):
            return None
        found: list[tuple[ast.Call, Sent]] = []
        for node in ast.walk(statement):
            match node:
                case ast.Call(func=ast.Attribute(value=waited, attr="get" | "join")):
                    sent = self.canvas_value(waited, scope)
                    if isinstance(sent, Sent):
                        found.append((node, sent))
        if not found:
            return None
        ((call, sent), *others) = found
        if others:
            raise self.unknown(call, scope, "two canvases are waited for in one statement")
        inside = [*ast.walk(call)]
        around = [*scope.module.around(call)]
        if any(isinstance(n, _SELDOM) for n in around):
            raise self.unknown(call, scope, "a canvas is not waited for in each case")
        begin = (call.lineno, call.col_offset)
        before = [
            node
            for node in ast.walk(statement)
            if isinstance(node, ast.Call | ast.Await | ast.Subscript | ast.BinOp)
            and node not in inside
            and node not in around
            and (node.lineno, node.col_offset) < begin
        ]
        if before:
            raise self.unknown(call, scope, "the statement does something before it waits")
        waited = call.func.value if isinstance(call.func, ast.Attribute) else call
        if isinstance(waited, ast.Name):
            self._kept.discard(waited.id)
        names = [
            node.id
            for one in (statement, *rest)
            for node in ast.walk(one)
            if isinstance(node, ast.Name) and node not in inside
        ]
        if isinstance(waited, ast.Name) and waited.id not in names:
            self.result = waited.id
        else:
            self.result = naming.unused("result", [*self._taken, *scope.names, *names])
        edits = Edits(scope.module.source)
        edits.replace(call, self.result)
        ends = isinstance(statement, ast.Return)
        self._after([statement] if ends else [statement, *rest], rest, scope, inside, edits)
        self.how = "awaited"
        return sent.node

    def _after(
        self,
        statements: Sequence[ast.stmt],
        others: Sequence[ast.stmt],
        scope: Scope,
        but: Sequence[ast.AST] = (),
        edits: Edits | None = None,
    ) -> None:
        """The step of these statements; ``but``: nodes in them whose place ``result`` has taken.

        ``others`` are those in which there is nothing of a canvas.
        """
        first = statements[0]
        function = self._function
        if function is None:
            raise TypeError("no builder is read")
        own = task_object(function)
        text = without_task(scope.module, statements, own, edits)
        if text is None or any(has_canvas(scope.module, s, self) for s in others):
            raise self.unknown(first, scope, "what follows a canvas that was waited for")
        nodes = [n for s in statements for n in ast.walk(s)]
        used = {n.id for n in nodes if isinstance(n, ast.Name) and n not in but} - {own}
        used |= {self.result} if but else set()
        names = [n for n, v in scope.names.items() if isinstance(v, Data) and n in used]
        if any(scope.names[n] != Data(n) for n in names):
            raise self.unknown(first, scope, "it uses a name that is bound more than once")
        for name in used - {*names, self.result}:
            self._global(name, scope)
        if self.result in used:
            names.append(self.result)
        returns = any(isinstance(n, ast.Return) and n.value for n in nodes)
        annotation = function.node.returns
        self.after = Load(
            name="",
            step=f"finish_{function.name}",
            reads="",
            inputs=tuple(Param(name) for name in names),
            type=ast.unparse(annotation) if annotation is not None and returns else "",
            place=self.place(first, scope),
            body=text,
            repeatable=False,
            after=True,
        )

    def _truth(self, node: ast.expr, scope: Scope) -> str:
        """A condition; of a list of canvases, whether it has any."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self._truth(node.operand, scope)
            return f"not ({inner})"
        value = scope.names.get(node.id) if isinstance(node, ast.Name) else None
        if isinstance(value, Listed):
            return _any_of(self._held_in(value, node, scope))
        return self.text(node, scope)

    def _choice(self, statement: ast.If, rest: Sequence[ast.stmt], scope: Scope) -> Node:
        test = self._truth(statement.test, scope)
        place = self.place(statement, scope)
        sides: list[Node] = []
        for branch in (statement.body, statement.orelse):
            inner = _copied(scope)
            made = self._block([*branch, *rest], inner, top=False)
            sides.append(Nothing(place=place) if made is None else made)
        return Choice(test=test, then=sides[0], orelse=sides[1], place=place)

    def _return(self, statement: ast.Return, scope: Scope) -> Node:
        place = self.place(statement, scope)
        if statement.value is None:
            return Nothing(place=place)
        replaced = self._replacement(statement.value, scope)
        if replaced is not None:
            return replaced
        value = self.canvas_value(statement.value, scope)
        if isinstance(value, Sent):
            if isinstance(statement.value, ast.Name):
                self._kept.discard(statement.value.id)
            self.how = "sent"
            return value.node
        if isinstance(value, Listed):
            raise self.unknown(statement.value, scope, "a list of canvases is given back")
        made = None if value is None else as_node(value, place)
        if made is not None:
            return made
        if isinstance(value, TaskObject):
            raise self.unknown(statement.value, scope, "a task, not a signature of one")
        return Nothing(place=place, value=self.text(statement.value, scope))

    def _raise(self, statement: ast.Raise, scope: Scope) -> Node:
        found = None if statement.exc is None else self._replacement(statement.exc, scope)
        if found is None:
            raise self.unknown(statement, scope, "an error is raised while the canvas is built")
        return found

    def _replacement(self, node: ast.expr, scope: Scope) -> Node | None:
        """The canvas of ``self.replace(canvas)``."""
        if not isinstance(node, ast.Call) or scope.module.name(node.func) != f"{TASK}.replace":
            return None
        self.how = "replaces"
        return self.node(node.args[0] if node.args else node.keywords[0].value, scope)

    def _is_last_act(self, statement: ast.Expr, rest: Sequence[ast.stmt], scope: Scope) -> bool:
        """``canvas.delay()`` with nothing after it but a return of nothing."""
        if any(not _is_bare_return(after) for after in rest):
            return False
        if self._replacement(statement.value, scope) is not None:
            return True
        return isinstance(statement.value, ast.Call) and isinstance(
            self.canvas_value(statement.value, scope), Sent
        )

    def _called_last(
        self, statement: ast.Expr, rest: Sequence[ast.stmt], scope: Scope
    ) -> Node | None:
        """A task that is called as a function where no canvas is sent, as the last act."""
        call = statement.value
        if not isinstance(call, ast.Call) or not all(map(_is_bare_return, rest)):
            return None
        task = scope.module.task(call.func)
        there = scope.module.opened(scope.module.project, task.path) if task is not None else None
        if task is None or there is None or task.bound or set(task.options):
            return None
        function = there.function_named(task.function)
        returns = (n for n in there.inside(function.node, ast.Return)) if function else ()
        if function is None or any(one.value is not None for one in returns):
            return None
        return self._step(call, task, scope, immutable=True)

    def _last_act(self, statement: ast.Expr, scope: Scope) -> Node:
        found = self._replacement(statement.value, scope)
        if found is not None:
            return found
        value = self.canvas_value(statement.value, scope)
        if not isinstance(value, Sent):
            raise TypeError("the last act sends nothing")
        self.how = "sent"
        return value.node

    def _run(self, statements: Sequence[ast.stmt], scope: Scope, *, top: bool) -> None:
        for statement in statements:
            self._statement(statement, scope, top=top)

    # -- statements

    def _statement(self, statement: ast.stmt, scope: Scope, *, top: bool) -> None:
        match statement:
            case ast.Pass() | ast.Import() | ast.ImportFrom():
                return
            case ast.Assign(targets=[target], value=value):
                self._assign(target, value, statement, scope, top=top)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._assign(target, value, statement, scope, top=top)
            case ast.AnnAssign():
                return
            case ast.AugAssign():
                self._grow(statement, scope, top=top)
            case ast.Expr(value=ast.Call() as call):
                self._expression(call, scope)
            case ast.Expr(value=ast.Constant()):
                return
            case ast.For(orelse=[]):
                self._for(statement, scope)
            case ast.If():
                self._if(statement, scope)
            case _:
                raise self.unknown(statement, scope, "this statement is not translated")

    def _assign(
        self, target: ast.expr, value: ast.expr, at: ast.stmt, scope: Scope, *, top: bool
    ) -> None:
        if (
            isinstance(target, ast.Tuple)
            and isinstance(value, ast.Tuple)
            and len(target.elts) == len(value.elts)
        ):
            for one, given in zip(target.elts, value.elts, strict=True):
                self._assign(one, given, at, scope, top=top)
            return
        if isinstance(target, ast.Tuple):
            text = self.text(value, scope)
            for index, one in enumerate(target.elts):
                if not isinstance(one, ast.Name):
                    raise self.unknown(target, scope, "names inside names")
                scope.names[one.id] = Data(f"({text})[{index}]")
            return
        if not isinstance(target, ast.Name):
            raise self.unknown(at, scope, "something is stored while the canvas is built")
        # `c = c | more` is `c |= more`
        grown = scope.names.get(target.id)
        if (
            isinstance(value, ast.BinOp)
            and isinstance(value.op, ast.BitOr)
            and isinstance(value.left, ast.Name)
            and value.left.id == target.id
            and isinstance(grown, Built | Piped)
        ):
            self._pipe_on(target.id, value.right, scope)
            return
        found = self.value(value, scope)
        if isinstance(found, Sent):
            self._kept.add(target.id)
        if not isinstance(found, Data):
            scope.names[target.id] = _owned(found)
            return
        if top:
            name = self.fresh(target.id)
            self.data.append(Let(name, found.text, self.place(at, scope)))
            scope.names[target.id] = Data(name)
        else:
            scope.names[target.id] = Data(found.text if _atomic(found.text) else f"({found.text})")

    def fresh(self, name: str) -> str:
        """A name that no data of this canvas has: ``name``, or with a number."""
        made, number = name, 2
        while made in self._taken:
            made, number = f"{name}_{number}", number + 1
        self._taken.add(made)
        return made

    def _grow(self, statement: ast.AugAssign, scope: Scope, *, top: bool) -> None:
        target = statement.target
        value = scope.names.get(target.id) if isinstance(target, ast.Name) else None
        if isinstance(target, ast.Name) and isinstance(value, Listed):
            items = self.items(statement.value, scope)
            if not isinstance(statement.op, ast.Add) or items is None:
                raise self.unknown(statement, scope, "a list of canvases grows by something else")
            value.parts += items
        elif isinstance(target, ast.Name) and isinstance(value, Built | Piped):
            if not isinstance(statement.op, ast.BitOr):
                raise self.unknown(statement, scope, "a canvas grows by something else than |")
            self._pipe_on(target.id, statement.value, scope)
        elif isinstance(target, ast.Name) and isinstance(value, Data) and top:
            text = self.text(ast.BinOp(_loaded(target), statement.op, statement.value), scope)
            name = self.fresh(target.id)
            self.data.append(Let(name, text, self.place(statement, scope)))
            scope.names[target.id] = Data(name)
        else:
            raise self.unknown(statement, scope, "what grows here is not known")

    def _pipe_on(self, name: str, more: ast.expr, scope: Scope) -> None:
        value = scope.names[name]
        if isinstance(value, Built):
            value = scope.names[name] = Piped([value.node])
        if not isinstance(value, Piped):
            raise self.unknown(more, scope, f"{name!r} is not a canvas")
        added = self.canvas_value(more, scope)
        if isinstance(added, Listed):
            value.parts.append(Side(parts=tuple(added.parts), place=self.place(more, scope)))
            return
        value.parts.append(self.node(more, scope))

    def _expression(self, call: ast.Call, scope: Scope) -> None:
        func = call.func
        value = (
            scope.names.get(func.value.id)
            if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)
            else None
        )
        if not isinstance(func, ast.Attribute) or value is None:
            raise self.unknown(call, scope, "this call is not part of a canvas")
        name = func.value.id if isinstance(func.value, ast.Name) else ""
        if isinstance(value, Listed) and func.attr in _GROWING:
            self._add(value, call, func.attr, scope)
            return
        made = as_node(value, self.place(call, scope))
        if made is None or func.attr not in _CHANGING:
            raise self.unknown(call, scope, f"what .{func.attr}() does here is not known")
        if func.attr == "link":
            changed = with_link(made, self.node(call.args[0], scope))
        elif func.attr == "set":
            changed = self._with_options(made, call, scope)
        else:
            changed = self._on_error(made, call.args[0], scope)
        scope.names[name] = Built(changed)

    def _add(self, value: Listed, call: ast.Call, method: str, scope: Scope) -> None:
        if method == "extend" and len(call.args) == 1:
            items = self.items(call.args[0], scope)
            if items is None:
                raise self.unknown(call, scope, "what is added are no canvases")
            value.parts += items
        elif method == "append" and len(call.args) == 1:
            added = self.canvas_value(call.args[0], scope)
            if isinstance(added, Listed):
                raise self.unknown(call, scope, "a list inside a list of canvases")
            value.parts.append(self.node(call.args[0], scope))
        elif method == "insert" and _is_zero(call.args[0]) and len(call.args) == 2:
            value.parts.insert(0, self.node(call.args[1], scope))
        else:
            raise self.unknown(call, scope, "where it is inserted is decided when it runs")

    # -- loops and conditions: what the body adds, under the loop or condition

    def _for(self, statement: ast.For, scope: Scope) -> None:
        if any(isinstance(n, ast.Break | ast.Continue) for n in _within(statement)):
            raise self.unknown(statement, scope, "a loop with break or continue")
        over = self.text(statement.iter, scope)
        var = ast.unparse(statement.target)
        inner, added = _opened(scope, [statement], loop=True)
        for name in targets(var):
            inner.names[name] = Data(name)
        self._run(statement.body, inner, top=False)
        place = self.place(statement, scope)
        self._close(
            scope,
            [inner],
            [added],
            lambda parts: Each(var, over, tuple(parts[0]), place),
            at=statement,
        )

    def _if(self, statement: ast.If, scope: Scope) -> None:
        test = self._truth(statement.test, scope)
        place = self.place(statement, scope)
        scopes, added = [], []
        for branch in (statement.body, statement.orelse):
            inner, lists = _opened(scope, [statement])
            self._run(branch, inner, top=False)
            scopes.append(inner)
            added.append(lists)
        self._close(
            scope,
            scopes,
            added,
            lambda parts: If(test, tuple(parts[0]), tuple(parts[1]), place),
            at=statement,
        )
        self._merge(test, scope, scopes, statement)

    def _close(
        self,
        scope: Scope,
        inner: Sequence[Scope],
        added: Sequence[dict[str, Listed | Piped]],
        wrap: Wrap,
        *,
        at: ast.stmt,
    ) -> None:
        """Put what each branch added to a list under the loop or condition."""
        for name, value in list(scope.names.items()):
            if not isinstance(value, Listed | Piped):
                continue
            opened = [lists[name] for lists in added]
            for one, now in zip(opened, inner, strict=True):
                if now.names.get(name) is not one:
                    raise self.unknown(at, scope, f"{name!r} becomes another list in a branch")
            parts = [list(one.parts) for one in opened]
            if any(parts):
                value.parts.append(wrap(parts))

    def _merge(self, test: str, scope: Scope, inner: Sequence[Scope], at: ast.stmt) -> None:
        """Names that a branch has bound anew."""
        then, orelse = inner
        for name in dict.fromkeys([*then.names, *orelse.names]):
            before = scope.names.get(name)
            if isinstance(before, Listed | Piped):
                continue
            first, second = then.names.get(name, before), orelse.names.get(name, before)
            if first is before and second is before:
                continue
            if first is None or second is None:
                scope.names[name] = first or second or Data("None")
                continue
            if isinstance(first, Data) and isinstance(second, Data):
                if first.text != second.text:
                    scope.names[name] = Data(f"({first.text} if {test} else {second.text})")
                else:
                    scope.names[name] = first
                continue
            scope.names[name] = self.choice(test, first, second, self.place(at, scope), at, scope)


def _opened(
    scope: Scope, body: Sequence[ast.stmt], *, loop: bool = False
) -> tuple[Scope, dict[str, Listed | Piped]]:
    """A scope in which every list has no parts of its own, so that what a branch adds can be told.

    ``loop``: the branch is run more than once.
    """
    filled = {name for statement in body for name in _grown(statement)} if loop else set()
    for node in (n for statement in body for n in ast.walk(statement)):
        grows = isinstance(node, ast.AugAssign) and isinstance(node.op, ast.BitOr)
        if grows and isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            value = scope.names.get(node.target.id)
            if isinstance(value, Built):
                scope.names[node.target.id] = Piped([value.node])
    inner = scope.child()
    lists: dict[str, Listed | Piped] = {}
    for name, value in scope.names.items():
        if isinstance(value, Built):
            continue
        if isinstance(value, Listed | Piped):
            before = (*value.before, *value.parts)
            grows = value.grows or name in filled
            lists[name] = inner.names[name] = type(value)([], before, grows)
    return inner, lists


def _grown(statement: ast.stmt) -> Iterator[str]:
    """The names of lists and canvases that grow in a statement."""
    for node in ast.walk(statement):
        match node:
            case ast.AugAssign(target=ast.Name(id=name)):
                yield name
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)):
                if attr in _GROWING:
                    yield name
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.BinOp()):
                yield name
            case _:
                pass


def _any_of(parts: Sequence[Part]) -> str:
    """Whether there is a part at all, as an expression."""
    tests: list[str] = []
    for part in parts:
        match part:
            case Each(var=var, over=over, parts=inner):
                test = _any_of(inner)
                if test == "True" and over.replace(".", "").isidentifier():
                    tests.append(f"bool({over})")
                else:
                    tests.append(f"any({test} for {var} in {over})")
            case If(test=test, parts=inner, orelse=orelse):
                then, other = _any_of(inner), _any_of(orelse)
                if (then, other) == ("True", "False"):
                    tests.append(test if test.startswith("bool(") else f"bool({test})")
                else:
                    tests.append(f"({then} if {test} else {other})")
            case _:
                return "True"
    return " or ".join(tests) or "False"


def _copied(scope: Scope) -> Scope:
    inner = scope.child()
    for name, value in scope.names.items():
        inner.names[name] = _owned(value)
    return inner


def _owned(value: Value) -> Value:
    if isinstance(value, Listed | Piped):
        return replace(value, parts=list(value.parts))
    return value


def _atomic(text: str) -> bool:
    tree = ast.parse(text, mode="eval").body
    return isinstance(tree, ast.Name | ast.Constant | ast.Call | ast.Attribute | ast.Subscript)


def _loaded(name: ast.Name) -> ast.Name:
    return ast.copy_location(ast.Name(name.id, ast.Load()), name)


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _allows_waiting(statement: ast.stmt, module: Module) -> TypeGuard[ast.With]:
    """``with allow_join_result():``, which lets a task wait for others and does nothing else."""
    return isinstance(statement, ast.With) and all(
        isinstance(one.context_expr, ast.Call)
        and one.optional_vars is None
        and (module.name(one.context_expr.func) or "").endswith(".allow_join_result")
        for one in statement.items
    )


def _is_bare_return(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass):
        return True
    return isinstance(statement, ast.Return) and (
        statement.value is None
        or (isinstance(statement.value, ast.Constant) and statement.value.value is None)
    )


def _within(statement: ast.stmt) -> Iterator[ast.AST]:
    """Nodes of a statement, without functions defined in it."""
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        stack.extend(ast.iter_child_nodes(node))


def _leaves(statement: ast.stmt) -> bool:
    """Whether a statement may end the function."""
    return any(isinstance(n, ast.Return | ast.Raise) for n in _within(statement))
