"""What the class of a task has around each body, where that is a context and nothing more.

``def __call__(self, *args, **kwargs): with app.app_context(): return self.run(*args, **kwargs)`` is
how a Flask project gives its tasks their app. The step can do the same, if what the context is
made of can be had outside of the function that makes Celery's app: a name of a module, a local that
is assigned once and only read, or an argument of the one call there is, which is a name of a module
or what the function around that call gives back.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from offcanvas.audit.discover import left_out
from offcanvas.audit.module import Module
from offcanvas.port.ir import Context
from offcanvas.port.source import BUILTINS, free_names

if TYPE_CHECKING:
    from offcanvas.audit.project import Project

_Made: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def context_of(project: Project, path: str, method: str) -> Context | None:
    """The context that a ``__call__`` puts around the body; None if it does anything else."""
    module = Module.opened(project, path)
    function = module.function_named(method) if module is not None else None
    if module is None or function is None or not isinstance(function.node, ast.FunctionDef):
        return None
    block = _block(function.node)
    if block is None:
        return None
    around = _function_around(module, function.node)
    items = [ast.unparse(item.context_expr) for item in block.items]
    found = _Found(module, around)
    if not all(found.has(text) for text in items):
        return None
    owner = method.removesuffix(".__call__")
    return Context(path, owner, tuple(items), tuple(found.locals), tuple(sorted(found.globals)))


def _block(node: ast.FunctionDef) -> ast.With | None:
    """The ``with`` of a ``__call__`` that has nothing else, around the call of the body."""
    statements = [
        s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
    ]
    match statements:
        case [ast.With(body=[ast.Return(value=ast.Call() as call)]) as block]:
            pass
        case _:
            return None
    arguments = node.args
    own = [*arguments.posonlyargs, *arguments.args]
    if len(own) != 1 or arguments.kwonlyargs or not (arguments.vararg and arguments.kwarg):
        return None
    me, args, kwargs = own[0].arg, arguments.vararg.arg, arguments.kwarg.arg
    handed = f"*{args}, **{kwargs}"
    called = ast.unparse(call)
    plain = {f"{me}.run({handed})", f"super().__call__({handed})"}
    of_class = called.endswith(f".__call__({me}, {handed})") or (
        called.startswith("super(") and called.endswith(f", {me}).__call__({handed})")
    )
    if called not in plain and not of_class:
        return None
    used = {n.id for i in block.items for n in ast.walk(i) if isinstance(n, ast.Name)}
    named = any(item.optional_vars is not None for item in block.items)
    return None if named or used & {me, args, kwargs} else block


def _function_around(module: Module, node: ast.AST) -> _Made | None:
    """The function that the class of a method is made in."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return next((one for one in module.ancestors(node) if isinstance(one, functions)), None)


class _Found:
    """What expressions need: names of the module, and locals of the function around."""

    def __init__(self, module: Module, around: _Made | None) -> None:
        self.module = module
        self.around = around
        self.locals: dict[tuple[str, str], None] = {}
        """Name and value, in the order in which they are made."""
        self.globals: set[tuple[str, str]] = set()
        """Name and file."""

    def has(self, text: str) -> bool:
        """Whether all that an expression needs can be had."""
        return all(self._name(name) for name in free_names(text))

    def _name(self, name: str) -> bool:
        if name in {known for known, _ in self.locals}:
            return True
        if self.around is not None and name in _params(self.around):
            return self._argument(self.around, name)
        if self.around is not None and name in _bound(self.around):
            value = _assigned(self.module, self.around, name)
            if value is None or not self.has(ast.unparse(value)):
                return False
            self.locals[name, ast.unparse(value)] = None
            return True
        if _is_global(self.module, name):
            self.globals.add((name, self.module.path))
            return True
        return name in BUILTINS

    def _argument(self, function: _Made, name: str) -> bool:
        """What the one call of a function hands in for a parameter."""
        calls = list(_calls_of(self.module, function))
        place = _params(function).index(name)
        if len(calls) != 1:
            return False
        module, call = calls[0]
        given = [keyword.value for keyword in call.keywords if keyword.arg == name]
        given += call.args[place : place + 1]
        if len(given) != 1 or not isinstance(given[0], ast.Name):
            return False
        said = given[0].id
        around = _function_around(module, call)
        if around is None or said not in _bound(around):
            if not _is_global(module, said):
                return False
            self.globals.add((said, module.path))
            if said != name:
                self.locals[name, said] = None
            return True
        returned = [
            ast.unparse(n.value) if n.value is not None else ""
            for n in ast.walk(around)
            if isinstance(n, ast.Return)
        ]
        if around not in module.tree.body or returned != [said] or _needs_arguments(around):
            return False
        self.globals.add((around.name, module.path))
        self.locals[name, f"{around.name}()"] = None
        return True


def _is_global(module: Module, name: str) -> bool:
    facts = module.facts
    return name in {*facts.imports, *facts.functions, *facts.classes, *facts.assigns}


def _calls_of(module: Module, function: _Made) -> Iterator[tuple[Module, ast.Call]]:
    """The calls of a function of a module in the project's product code."""
    project = module.project
    for path in project.files:
        if left_out(path) or function.name not in project.text(path):
            continue
        there = Module.opened(project, path)
        for node in ast.walk(there.tree) if there is not None else ():
            if there is None or not isinstance(node, ast.Call):
                continue
            found = there.callee(node)
            if found is None or found[0].path != module.path:
                continue
            if found[1].node.lineno == function.lineno:
                yield there, node


def _params(function: _Made) -> list[str]:
    return [one.arg for one in (*function.args.posonlyargs, *function.args.args)]


def _needs_arguments(function: _Made) -> bool:
    arguments = function.args
    places = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return places > 0 or None in arguments.kw_defaults


def _bound(function: _Made) -> set[str]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    return {one.arg for one in every} | {
        n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _assigned(module: Module, function: _Made, name: str) -> ast.expr | None:
    """What a local is, if it is assigned once, not under a condition, and then only read.

    What is called on it, or is given it, may change it: the value alone is not the local then.
    """
    values = [
        statement.value
        for statement in function.body
        if isinstance(statement, ast.Assign)
        and [ast.unparse(target) for target in statement.targets] == [name]
    ]
    uses = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name]
    stores = [n for n in uses if isinstance(n.ctx, ast.Store)]
    if len(values) != 1 or len(stores) != 1:
        return None
    return values[0] if all(_is_read(module, n) for n in uses if n not in stores) else None


def _is_read(module: Module, node: ast.Name) -> bool:
    """Whether a use of a name takes an attribute of it that is not called, or its context."""
    above = module.parents.get(node)
    if not isinstance(above, ast.Attribute) or not isinstance(above.ctx, ast.Load):
        return False
    outer = module.parents.get(above)
    if not isinstance(outer, ast.Call) or outer.func is not above:
        return True
    return isinstance(module.parents.get(outer), ast.withitem)
