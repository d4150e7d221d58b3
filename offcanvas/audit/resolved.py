"""Names resolved: what an expression of a file stands for, and the class it is an object of."""

import ast
import builtins
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Final

from offcanvas.audit.facts import ModuleFacts
from offcanvas.audit.names import GIVES, RESULT, TASK
from offcanvas.audit.tasks import Task
from offcanvas.audit.tree import Function, Tree
from offcanvas.audit.values import Const, Value, value_of

if TYPE_CHECKING:
    from offcanvas.audit.project import Project

_DEPTH: Final = 8
"""How many assignments a name is followed through."""


class ResolvedTree(Tree):
    """A parsed file whose names are followed through the project's index."""

    def __init__(
        self,
        project: "Project",
        facts: ModuleFacts,
        source: bytes,
        tree: ast.Module,
        exact: bool = True,
    ) -> None:
        super().__init__(project, facts, source, tree, exact)
        self._names: dict[ast.AST, str | None] = {}
        self._instances: dict[ast.AST, str | None] = {}

    def name(self, node: ast.expr) -> str | None:
        """The canonical dotted name that an expression stands for, or None.

        Imports, re-exports and aliases are followed, also local ones. A method carries the class
        of its object: `add.delay` is "celery.Task.delay", `app.send_task` is
        "celery.Celery.send_task", `self.retry` in a bound task is "celery.Task.retry",
        `add.delay().get` is "celery.result.AsyncResult.get". Project names are "module.qualname".
        Builtins are "builtins.x" and what is bound to no known thing is None.
        """
        if node not in self._names:
            self._names[node] = None
            self._names[node] = self._name(node)
        return self._names[node]

    def names(self, node: ast.expr) -> frozenset[str]:
        """All names that an expression may stand for: `group if parallel else chain` has two."""
        if isinstance(node, ast.Attribute):  # the most frequent one, and it is only itself
            name = self.name(node)
            return frozenset((name,)) if name is not None else frozenset()
        return frozenset(n for e in self.possible(node) if (n := self.name(e)) is not None)

    def possible(self, node: ast.expr, depth: int = _DEPTH) -> list[ast.expr]:
        """The expressions that a node may be: local names and `a if b else c` are followed."""
        if depth == 0:
            return [node]
        if isinstance(node, ast.IfExp):
            return [*self.possible(node.body, depth - 1), *self.possible(node.orelse, depth - 1)]
        if isinstance(node, ast.BoolOp):
            return [e for v in node.values for e in self.possible(v, depth - 1)]
        if isinstance(node, ast.NamedExpr):
            return self.possible(node.value, depth - 1)
        if isinstance(node, ast.Name):
            bound = self.bindings(node.id, node)
            if bound and all(b.how == "is" and b.value is not None for b in bound):
                return [
                    e
                    for b in bound
                    if b.value is not None and not self._mentions(b.value, node.id)
                    for e in self.possible(b.value, depth - 1)
                ] or [node]
        return [node]

    def _mentions(self, node: ast.expr, name: str) -> bool:
        return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))

    def _name(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Attribute):
            kind = self.instance(node.value)
            if kind is not None:
                return self.project.index.method(kind, node.attr)
            base = self.name(node.value)
            if base is None:
                return None
            return self.project.index.follow(f"{base}.{node.attr}")
        if not isinstance(node, ast.Name):
            return None
        function = self.function(node)
        while function is not None:
            if node.id in function.imports:
                break
            if node.id in function.bindings:
                return self._bound_name(function, node)
            function = function.outer
        scope = self._scope(node)
        resolved = self.project.index.resolve(self.facts, node.id, scope)
        if not resolved.startswith("?."):
            return resolved
        return f"builtins.{node.id}" if node.id in _BUILTINS else None

    def _bound_name(self, function: Function, node: ast.Name) -> str | None:
        bindings = function.bindings[node.id]
        if len(bindings) == 1 and isinstance(
            bindings[0].node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ):
            module = self.project.index.name_of(self.facts)
            return f"{module}.{function.qualname}.{node.id}"
        found = {
            self.name(e) for e in self.possible(node) if e is not node and not _same(e, node.id)
        }
        return found.pop() if len(found) == 1 else None

    def instance(self, node: ast.expr) -> str | None:
        """The class that an expression is an object of, or None when it cannot be told.

        Celery's are "celery.Celery", "celery.Task", "celery.Signature" (every signature and
        canvas) and "celery.result.AsyncResult" (every result); classes of the project by name.
        """
        if node not in self._instances:
            self._instances[node] = None
            self._instances[node] = self._instance(node)
        return self._instances[node]

    def _instance(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Call):
            return self._given(node)
        if isinstance(node, ast.Await | ast.NamedExpr):
            return self.instance(node.value)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.Mult):
            sides: list[ast.expr] = []
            left: ast.expr = node
            while isinstance(left, ast.BinOp):  # no recursion: sums of a thousand terms exist
                sides.append(left.right)
                left = left.left
            kinds = {self.instance(side) for side in (*sides, left)}
            return "celery.Signature" if "celery.Signature" in kinds else None
        if isinstance(node, ast.Name):
            kind = self._instance_of_variable(node)
            if kind is not None:
                return kind
        if isinstance(node, ast.IfExp | ast.BoolOp):
            kinds = {self.instance(e) for e in self.possible(node)} - {None}
            return kinds.pop() if len(kinds) == 1 else None
        if isinstance(node, ast.Name | ast.Attribute):
            if self.task(node) is not None:
                return TASK
            name = self.name(node)
            if name is not None:
                return self.project.index.instance_of_name(name)
        if isinstance(node, ast.Subscript):
            return self.element(node.value)
        return None

    def _given(self, node: ast.Call) -> str | None:
        name = self.name(node.func)
        if name is None:
            kind = self.instance(node.func)
            if kind == "celery.Signature":
                # chord(header)(body) and group(...)() send; task.s(...)(...) calls the task.
                return RESULT
            return None
        given = GIVES.get(name) or self.project.index.given_by(name)
        if given is None and name == "builtins.super":
            return TASK if self.task_around(node) is not None else None
        return given

    def _instance_of_variable(self, node: ast.Name) -> str | None:
        bound = self.bindings(node.id, node)
        if not bound:
            return None
        first = bound[0]
        if first.how == "parameter" and isinstance(first.node, ast.arg):
            return self._instance_of_parameter(first.node, node)
        kinds = set()
        for binding in bound:
            if binding.how in {"is", "with"} and binding.value is not None:
                if not _same(binding.value, node.id):
                    kinds.add(self.instance(binding.value))
            elif binding.how == "item of" and binding.value is not None:
                kinds.add(self.element(binding.value))
            elif binding.how != "grows by":
                return None
        kinds.discard(None)
        return kinds.pop() if len(kinds) == 1 else None

    def _instance_of_parameter(self, argument: ast.arg, at: ast.Name) -> str | None:
        function = self.function(at)
        while function is not None and argument.arg not in function.bindings:
            function = function.outer
        if function is None:
            return None
        first = next(iter(function.params.items), None)
        if first is not None and first.name == argument.arg:
            if function.task is not None and function.task.bound:
                return function.task.base or TASK
            if function.owner is not None:
                name = f"{self.project.index.name_of(self.facts)}.{function.owner}"
                return TASK if TASK in self.project.index.ancestors(name) else name
        if argument.annotation is not None and not isinstance(argument.annotation, ast.Constant):
            return self.name(argument.annotation)
        return None

    def element(self, node: ast.expr, depth: int = 4) -> str | None:
        """The class of the items of a list, comprehension or list variable, or None."""
        if depth == 0:
            return None
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            return self.instance(node.elt)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            kinds = {self.instance(e) for e in node.elts}
            return kinds.pop() if len(kinds) == 1 else None
        if isinstance(node, ast.Name):
            kinds = set()
            for binding in self.bindings(node.id, node) or ():
                if binding.value is not None and binding.how in {"is", "grows by"}:
                    kinds.add(self.element(binding.value, depth - 1))
            for call in self.appended(node.id, node):
                kinds.add(self.instance(call))
            kinds.discard(None)
            return kinds.pop() if len(kinds) == 1 else None
        return None

    def appended(self, name: str, at: ast.AST) -> Iterator[ast.expr]:
        """What `name.append(...)` adds to a list anywhere in the function of `at`."""
        for call in self._appends.get(name, ()):
            if self.function(call) is self.function(at):
                yield call.args[0]

    @cached_property
    def _appends(self) -> dict[str, list[ast.Call]]:
        found: dict[str, list[ast.Call]] = {}
        for call in self.walk(ast.Call):
            func = call.func
            if (
                isinstance(func, ast.Attribute)
                and isinstance(func.value, ast.Name)
                and func.attr == "append"
                and len(call.args) == 1
            ):
                found.setdefault(func.value.id, []).append(call)
        return found

    def task(self, node: ast.expr) -> Task | None:
        """The project's task that an expression stands for, or None."""
        if not isinstance(node, ast.Name | ast.Attribute):
            return None
        name = self.name(node)
        if name is None:
            return None
        found = self.project.tasks_by_qualname.get(name)
        if found is None and name == TASK and isinstance(node, ast.Name):
            return None
        return found

    def value(self, node: ast.expr) -> Value:
        """What an expression says, with names followed to the literals they are assigned."""
        possible = self.possible(node)
        node = possible[0] if len(possible) == 1 else node
        said = value_of(node)
        return self.project.index.constant(self.facts, said, self._scope(node)) or said

    def literal(self, node: ast.expr) -> object:
        """The literal an expression is, through names and arithmetic, or None."""
        said = self.value(node)
        return said.value if isinstance(said, Const) else None


def _same(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


_BUILTINS: Final = frozenset(dir(builtins))
