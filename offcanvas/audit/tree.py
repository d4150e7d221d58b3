"""The syntax tree of one file: nodes by class, what is around them, functions and bindings."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from offcanvas.audit.facts import ModuleFacts, Params
from offcanvas.audit.facts_read import imported_names, params_of
from offcanvas.audit.tasks import Task

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_OWN_BODY: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
N = TypeVar("N", bound=ast.AST)
_BINDING: Final = frozenset(
    {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Assign, ast.AnnAssign}
    | {ast.NamedExpr, ast.AugAssign, ast.For, ast.AsyncFor, ast.comprehension, ast.withitem}
    | {ast.ExceptHandler, ast.Import, ast.ImportFrom}
)
"""Classes of nodes that bind names."""
_LEAVES: Final = frozenset({ast.Name, ast.Constant, ast.Import, ast.ImportFrom, ast.Pass})
_NO_CHILDREN: Final = frozenset(
    {"ctx", "op", "ops", "id", "attr", "arg", "kind", "name", "names", "type_comment", "rest"}
    | {"conversion", "is_async", "simple", "kwd_attrs", "str", "type_ignores", "decorator_list"}
)
"""Fields that hold no node worth visiting: names, operators, contexts."""


_FIELDS: Final[dict[type[ast.AST], tuple[str, ...]]] = {}


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    if kind not in _FIELDS:
        leaf = kind in _LEAVES or kind is ast.MatchSingleton
        _FIELDS[kind] = () if leaf else tuple(f for f in kind._fields if f not in _NO_CHILDREN)
    return _FIELDS[kind]


@dataclass(eq=False)
class Function:
    """A function of this file. `task` is set when it is one; `outer` is the function around it.

    part_of: the class task whose `run()` leads to this method.
    """

    node: FunctionNode
    qualname: str
    outer: "Function | None"
    owner: str | None
    params: Params
    task: Task | None
    part_of: Task | None = None
    bindings: dict[str, list["Binding"]] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The bare name."""
        return self.node.name


@dataclass(frozen=True)
class Binding:
    """What a local name is bound to: how is "is", "item of" (for), "with", or "unknown"."""

    how: str
    value: ast.expr | None
    node: ast.AST


def _children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below, in the order of writing, without decorators."""
    children: list[ast.AST] = []
    for name in _FIELDS.get(type(node)) or _fields(type(node)):
        value = getattr(node, name, None)
        if value.__class__ is list:
            # A missing default or key is None in these lists.
            children += value if None not in value else [v for v in value if v is not None]
        elif value is not None:
            children.append(value)
    return children


def _below(node: ast.AST, nested: bool) -> Iterator[ast.AST]:
    """The nodes below a node in the order of writing; in functions within only when `nested`."""
    stack = _children(node)[::-1]
    while stack:
        current = stack.pop()
        yield current
        if nested or not isinstance(current, _OWN_BODY):
            stack += _children(current)[::-1]


_Context: TypeAlias = tuple[Function | None, str, str | None]
"""(function, qualified name, class whose body it is) that a node stands in."""


class Tree:
    """A parsed file of a project, before any name in it is resolved.

    tasks: the project's tasks by (path, qualified name of their function). parts: the same for the
    methods that a class task leads to.
    """

    def __init__(
        self,
        facts: ModuleFacts,
        source: bytes,
        tree: ast.Module,
        tasks: Mapping[tuple[str, str], Task],
        parts: Mapping[tuple[str, str], Task],
        exact: bool = True,
    ) -> None:
        self._tasks = tasks
        self._parts = parts
        self.facts = facts
        self.source = source
        self.tree = tree
        self.path = facts.path
        self.exact = exact
        self.parents: dict[ast.AST, ast.AST] = {}
        self.functions: list[Function] = []
        self._function_of: dict[ast.AST, Function | None] = {}
        self._function_at: dict[ast.AST, Function] = {}
        self._nodes: defaultdict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        self._top: dict[str, list[Binding]] = {}
        self._inside: dict[ast.AST, list[ast.AST]] = {}
        self._read()

    def _read(self) -> None:
        """One pass over the tree: parents, nodes by class, functions, bindings.

        Every file that speaks Celery goes through this loop node by node, so it is written for
        speed: contexts are shared tuples, and only classes in `_BINDING` are looked at closer.
        """
        parents, nodes = self.parents, self._nodes
        stack: list[tuple[ast.AST, _Context]] = [(self.tree, (None, "", None))]
        while stack:
            node, context = stack.pop()
            kind = type(node)
            nodes[kind].append(node)
            inner = context
            if kind in _BINDING:
                inner = self._enter(node, context)
            for child in reversed(_children(node)):
                # Pushed backwards, so that nodes are visited in the order of writing.
                parents[child] = node
                stack.append((child, inner))
            for decorator in getattr(node, "decorator_list", ()):
                parents[decorator] = node
                stack.append((decorator, context))

    def _enter(self, node: ast.AST, context: "_Context") -> "_Context":
        function, scope, owner = context
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            qualname = f"{scope}.{node.name}" if scope else node.name
            task = self._tasks.get((self.path, qualname))
            part = self._parts.get((self.path, qualname))
            inner = Function(node, qualname, function, owner, params_of(node.args), task, part)
            self.functions.append(inner)
            self._function_at[node] = inner
            self._bind(function, node.name, Binding("unknown", None, node))
            self._bind_parameters(inner, node.args)
            return inner, qualname, None
        if isinstance(node, ast.ClassDef):
            self._bind(function, node.name, Binding("unknown", None, node))
            qualname = f"{scope}.{node.name}" if scope else node.name
            return function, qualname, qualname
        self._bind_statement(node, function, owner)
        return context

    def _bind_parameters(self, function: Function | None, arguments: ast.arguments) -> None:
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
        for argument in every:
            self._bind(function, argument.arg, Binding("parameter", None, argument))

    def _bind(self, function: Function | None, name: str, binding: Binding) -> None:
        bindings = self._top if function is None else function.bindings
        bindings.setdefault(name, []).append(binding)

    def _bind_statement(self, node: ast.AST, function: Function | None, owner: str | None) -> None:
        if owner is not None and function is None:
            return
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind_target(function, target, "is", node.value, node)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            self._bind_target(function, node.target, "is", node.value, node)
        elif isinstance(node, ast.AugAssign):
            self._bind_target(function, node.target, "grows by", node.value, node)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            self._bind_target(function, node.target, "item of", node.iter, node)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._bind_target(function, node.optional_vars, "with", node.context_expr, node)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            self._bind(function, node.name, Binding("unknown", None, node))
        elif isinstance(node, ast.Import | ast.ImportFrom) and function is not None:
            function.imports.update(imported_names(node))
        elif isinstance(node, ast.Lambda):
            self._bind_parameters(function, node.args)

    def _bind_target(
        self, function: Function | None, target: ast.expr, how: str, value: ast.expr, node: ast.AST
    ) -> None:
        if isinstance(target, ast.Name):
            self._bind(function, target.id, Binding(how, value, node))
        elif isinstance(target, ast.Tuple | ast.List):
            pairs = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
            for position, element in enumerate(target.elts):
                if pairs and how == "is" and isinstance(value, ast.Tuple | ast.List):
                    self._bind_target(function, element, how, value.elts[position], node)
                else:
                    self._bind_target(function, element, "unknown", value, node)
        elif isinstance(target, ast.Starred):
            self._bind_target(function, target.value, "unknown", value, node)

    def walk(self, *kinds: type[N]) -> Iterator[N]:
        """Every node of these classes in this file, in the order of writing for one class."""
        for kind in kinds:
            yield from self._nodes.get(kind, ())  # type: ignore[misc]  # filed under their class

    def inside(self, node: ast.AST, *kinds: type[N], nested: bool = False) -> Iterator[N]:
        """Nodes of these classes below `node`; functions defined within only when `nested`."""
        if nested or not (node in self._function_at or node is self.tree):
            return (n for n in _below(node, nested) if isinstance(n, kinds))
        # Rules ask about the same functions again and again.
        if node not in self._inside:
            self._inside[node] = [*_below(node, False)]
        return (n for n in self._inside[node] if isinstance(n, kinds))

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, innermost first, up to the file."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node within its own function, innermost first."""
        for ancestor in self.ancestors(node):
            if isinstance(ancestor, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                return
            yield ancestor

    def function(self, node: ast.AST) -> Function | None:
        """The function that a node is in; for a `def`, the function around it."""
        if node in self._function_of:
            return self._function_of[node]
        found = None
        below, above = node, self.parents.get(node)
        while above is not None:
            around = self._function_at.get(above)
            if around is not None and below not in around.node.decorator_list:
                found = around
                break
            below, above = above, self.parents.get(above)
        self._function_of[node] = found
        return found

    def function_named(self, qualname: str) -> Function | None:
        """The function with a qualified name ("Class.method") in this file."""
        return next((f for f in self.functions if f.qualname == qualname), None)

    def task_around(self, node: ast.AST) -> Task | None:
        """The task whose body a node runs in, nested functions included."""
        function = self.function(node)
        while function is not None:
            if function.task is not None or function.part_of is not None:
                return function.task or function.part_of
            function = function.outer
        return None

    def loop_around(self, node: ast.AST) -> ast.AST | None:
        """The innermost loop or comprehension that repeats a node within its function."""
        for ancestor in self.around(node):
            if isinstance(ancestor, _LOOPS + _COMPREHENSIONS):
                return ancestor
        return None

    def text(self, node: ast.AST) -> str:
        """The source of a node on one line, shortened to 60 characters."""
        text = " ".join(ast.unparse(node).split())
        return text if len(text) <= 60 else text[:57] + "..."

    def bindings(self, name: str, at: ast.AST) -> list[Binding] | None:
        """What a bare name is bound to where `at` stands; None when it is not a variable there."""
        function = self.function(at)
        while function is not None:
            if name in function.bindings:
                return function.bindings[name]
            function = function.outer
        return self._top.get(name)

    def _scope(self, at: ast.AST) -> str:
        function = self.function(at)
        return function.qualname if function is not None else ""

    def segment(self, node: ast.AST) -> str:
        """The source of a node exactly as it is written."""
        return ast.get_source_segment(self.source.decode("utf-8", "replace"), node) or ""
