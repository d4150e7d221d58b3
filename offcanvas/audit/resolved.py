"""Names resolved: what an expression of a file stands for, and the class it is an object of."""

import ast
import builtins
from collections.abc import Iterator
from functools import cached_property
from typing import Final, Self

from offcanvas.audit.facts import ModuleFacts
from offcanvas.audit.flow import reaching
from offcanvas.audit.names import APP, GIVES, REGISTRY, RESULT, TASK
from offcanvas.audit.project import Project
from offcanvas.audit.syntax import UnreadableError, parse_as_written
from offcanvas.audit.tasks import Task
from offcanvas.audit.tree import Function, Tree
from offcanvas.audit.values import Const, Value, value_of

_DEPTH: Final = 8
"""How many assignments a name is followed through."""
_OR: Final = frozenset({"operator.or_", "operator.ior", "operator.__or__", "operator.__ior__"})
_ADDS: Final = {"append": 1, "insert": 2, "extend": 1, "appendleft": 1}
"""Methods that add to a list -> how many arguments they take."""
_OPEN: Final = 48
"""Syntax trees that are kept at a time; a tree of 1,000 lines takes about 2 MB."""


class ResolvedTree(Tree):
    """A parsed file whose names are followed through the project's index."""

    def __init__(
        self,
        project: Project,
        facts: ModuleFacts,
        source: bytes,
        tree: ast.Module,
        exact: bool = True,
    ) -> None:
        super().__init__(facts, source, tree, project.tasks_by_place, project.parts_of_tasks, exact)
        self.project = project
        self._names: dict[ast.AST, str | None] = {}
        self._instances: dict[ast.AST, str | None] = {}

    @classmethod
    def opened(cls, project: Project, path: str) -> Self | None:
        """A file of a project with its syntax tree; None when it has become unreadable."""
        trees = project.trees
        if path in trees:
            trees.move_to_end(path)
            known = trees[path]
            if known is None or isinstance(known, cls):
                return known
        made = None
        try:
            source = project.source(path)
            tree, exact = parse_as_written(source)
            made = cls(project, project.files[path], source, tree, exact)
        except UnreadableError:
            pass  # it was read a moment ago; the scan reports files that cannot be read
        trees[path] = made
        while len(trees) > _OPEN:
            trees.popitem(last=False)
        return made

    def open(self, path: str) -> Self | None:
        """Another file of the same project; None when it has become unreadable."""
        return self.opened(self.project, path)

    def callee(self, call: ast.Call) -> tuple[Self, Function] | None:
        """The project's function that a call runs, with its file: to look one call deep."""
        name = self.name(call.func)
        found = self.project.index.function(name) if name is not None else None
        there = self.open(found[0].path) if found is not None else None
        if found is None or there is None:
            return None
        function = there.function_named(found[1].qualname)
        return (there, function) if function is not None else None

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
        found = {n for e in self.possible(node) if (n := self.name(e)) is not None}
        for call in self.possible(node):
            chosen = self.callee(call) if isinstance(call, ast.Call) else None
            if chosen is not None:  # `builder(parallel)(...)`: what the function gives back
                there, function = chosen
                returns = [r.value for r in there.inside(function.node, ast.Return)]
                options = [e for r in returns if r is not None for e in there.possible(r)]
                found |= {n for e in options if (n := there.name(e)) is not None}
        return frozenset(found)

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
        looked_up = self._looked_up(node, depth)
        if looked_up:
            # A builder looked up in a dictionary that is written out may be any of its values.
            return [e for v in looked_up for e in self.possible(v, depth - 1)]
        if isinstance(node, ast.Name):
            return self._assigned(node, depth)
        return [node]

    def looked_up(self, node: ast.expr) -> list[ast.expr]:
        """What a look into a dictionary that is written out may give; [] for anything else."""
        return self._looked_up(node, _DEPTH)

    def _of_own_class(self, node: ast.Attribute) -> list[ast.expr]:
        """What the body of the class around `self.KINDS` assigns to the name."""
        around = next((a for a in self.ancestors(node) if isinstance(a, ast.ClassDef)), None)
        if around is None or not isinstance(node.value, ast.Name):
            return []
        if node.value.id not in {"self", "cls", around.name}:
            return []
        return [
            one.value
            for one in around.body
            if isinstance(one, ast.Assign | ast.AnnAssign) and one.value is not None
            for target in (one.targets if isinstance(one, ast.Assign) else [one.target])
            if isinstance(target, ast.Name) and target.id == node.attr
        ]

    def _looked_up(self, node: ast.expr, depth: int) -> list[ast.expr]:
        """What `{"a": f, "b": g}[key]` and `.get(key, h)` may give; [] for anything else."""
        more: list[ast.expr] = []
        if isinstance(node, ast.Subscript):
            base = node.value
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "get"
            and node.args
        ):
            base, more = node.func.value, node.args[1:]
        else:
            return []
        values: list[ast.expr] = []
        if isinstance(base, ast.Attribute):
            tables = self._of_own_class(base)
        else:
            tables = self.possible(base, depth - 1) if isinstance(base, ast.Name) else [base]
        for table in tables:
            if isinstance(table, ast.Dict):
                values += table.values
            elif isinstance(table, ast.Call) and self.name(table.func) == "builtins.dict":
                values += [k.value for k in table.keywords]
        return [*values, *more] if values else []

    def _assigned(self, node: ast.Name, depth: int) -> list[ast.expr]:
        """What a local name may have been assigned where it is used; itself when it is unknown."""
        bound = reaching(self, node.id, node)
        if not bound or not all(b.how == "is" and b.value is not None for b in bound):
            return [node]
        new = [b for b in bound if b.value is not None and not self._mentions(b.value, node.id)]
        if not new:
            # `rows = self.narrow(rows)`: more of the same, as far as can be told.
            known = [b for b in bound if b.value is not None and self.instance(b.value) is not None]
            every = self.bindings(node.id, node) or []
            new = known or [
                b for b in every if b.value is not None and not self._mentions(b.value, node.id)
            ]
            if any(b.how != "is" for b in every):
                return [node]
        found = [e for b in new if b.value is not None for e in self.possible(b.value, depth - 1)]
        return found or [node]

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
            return self.element(node.value) or self._instance_of_item(node)
        return None

    def _instance_of_item(self, node: ast.Subscript) -> str | None:
        """The class of `app.tasks[...]`, `registry["celery"]`."""
        if self.instance(node.value) == REGISTRY:
            return TASK
        said = value_of(node, 3)
        return self.project.index.instance(self.facts, said, self._scope(node))

    def _given(self, node: ast.Call) -> str | None:
        name = self.name(node.func)
        if name is None:
            kind = self.instance(node.func)
            if kind == "celery.Signature":
                # chord(header)(body) and group(...)() send; task.s(...)(...) calls the task.
                return RESULT
            return None
        given = GIVES.get(name) or self.project.index.given_by(name)
        joined = self.joined(node)
        if joined is not None:
            return self.element(joined)
        if given is None and name == "builtins.super":
            return self._above(node)
        return given

    def joined(self, node: ast.Call) -> ast.expr | None:
        """The items that `functools.reduce(operator.or_, items)` joins with `|`, or None."""
        if len(node.args) < 2 or self.name(node.func) != "functools.reduce":
            return None
        how = node.args[0]
        if isinstance(how, ast.Lambda):
            body = how.body
            pipes = isinstance(body, ast.BinOp) and isinstance(body.op, ast.BitOr)
        else:
            pipes = self.name(how) in _OR
        return node.args[1] if pipes else None

    def _above(self, node: ast.AST) -> str | None:
        """The class that `super()` starts from; "celery.Task" in a task."""
        function = self.function(node)
        while function is not None and function.owner is None:
            function = function.outer
        if function is None or function.owner is None:
            return TASK if self.task_around(node) is not None else None
        own = f"{self.project.index.name_of(self.facts)}.{function.owner}"
        above = [*self.project.index.ancestors(own)][1:]
        return TASK if TASK in above else self.project.index.above(own)

    def _instance_of_variable(self, node: ast.Name) -> str | None:
        bound = reaching(self, node.id, node)
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

    def appended(self, name: str, at: ast.AST, method: str = "append") -> Iterator[ast.expr]:
        """What `name.append(...)` adds to the list that `at` sees under this name."""
        starts = {id(b) for b in reaching(self, name, at)}
        for call in self._appends.get((method, name), ()):
            if self.function(call) is not self.function(at):
                continue
            receiver = call.func.value if isinstance(call.func, ast.Attribute) else call
            if starts & {id(b) for b in reaching(self, name, receiver)} and _may_precede(
                self, call, at
            ):
                yield call.args[-1]

    @cached_property
    def _appends(self) -> dict[tuple[str, str], list[ast.Call]]:
        found: dict[tuple[str, str], list[ast.Call]] = {}
        for call in self.walk(ast.Call):
            func = call.func
            if (
                isinstance(func, ast.Attribute)
                and isinstance(func.value, ast.Name)
                and func.attr in _ADDS
                and len(call.args) == _ADDS[func.attr]
            ):
                method = "extend" if func.attr == "extend" else "append"
                found.setdefault((method, func.value.id), []).append(call)
        return found

    def task(self, node: ast.expr) -> Task | None:
        """The project's task that an expression stands for, or None.

        A name that holds one, `app.tasks["shop.mail"]`, `app.register_task(Mail())`, `Mail()`.
        """
        if isinstance(node, ast.Name | ast.Attribute):
            name = self.name(node)
            found = self.project.tasks_by_qualname.get(name) if name is not None else None
            if found is not None or not isinstance(node, ast.Name):
                return found
            options = self.possible(node)
            return self.task(options[0]) if len(options) == 1 and options[0] is not node else None
        if isinstance(node, ast.Subscript) and self.instance(node.value) == REGISTRY:
            return self._keyed(node.slice)
        if isinstance(node, ast.Call):
            called = self.name(node.func)
            if called == f"{REGISTRY}.get" and node.args:
                return self._keyed(node.args[0])
            if called == f"{APP}.register_task" and node.args:
                given = node.args[0]
                return self.task(given) or self.project.tasks_by_qualname.get(
                    self.name(given) or ""
                )
            found = self.project.tasks_by_qualname.get(called or "")
            return found if found is not None and found.kind == "class" else None
        return None

    def tasks_of(self, node: ast.expr, depth: int = 4) -> list[Task]:
        """The tasks that an expression may stand for: `a if p else b`, `TASKS[kind]`, or what a
        function of the project chooses: `pick(kind)`. Empty when one of them cannot be told."""
        found: dict[str, Task] = {}
        for option in self.possible(node) if depth else ():
            task = self.task(option)
            some = [task] if task is not None else self._chosen(option, depth)
            if not some:
                return []
            found |= {t.qualname: t for t in some}
        return [*found.values()]

    def _chosen(self, node: ast.expr, depth: int) -> list[Task]:
        if isinstance(node, ast.Subscript):
            shown = [e for e in self.possible(node.value) if isinstance(e, ast.Dict)]
            values = [v for d in shown for v in d.values]
            every = [self.tasks_of(v, depth - 1) for v in values]
            return [t for some in every for t in some] if all(every) else []
        found = self.callee(node) if isinstance(node, ast.Call) else None
        if found is None or found[1].task is not None:
            return []
        there, function = found
        returns = [r.value for r in there.inside(function.node, ast.Return) if r.value is not None]
        every = [there.tasks_of(r, depth - 1) for r in returns]
        return [t for some in every for t in some] if every and all(every) else []

    def _keyed(self, key: ast.expr) -> Task | None:
        """The task under a key of the registry: its name, or `Print.name`."""
        said = self.literal(key)
        if isinstance(said, str):
            return self.project.tasks_by_name.get(said)
        if isinstance(key, ast.Attribute) and key.attr == "name":
            return self.task(key.value)
        return None

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


def _may_precede(tree: Tree, added: ast.AST, used: ast.AST) -> bool:
    """Whether what adds to a list may run before the use: it is written before, or loops back."""
    if (getattr(added, "lineno", 0), getattr(added, "col_offset", 0)) < (
        getattr(used, "lineno", 0),
        getattr(used, "col_offset", 0),
    ):
        return True
    loops = [n for n in tree.around(used) if isinstance(n, ast.For | ast.AsyncFor | ast.While)]
    return any(n in loops for n in tree.around(added))


def _same(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


_BUILTINS: Final = frozenset(dir(builtins))
