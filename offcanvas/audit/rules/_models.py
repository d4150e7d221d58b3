"""Which expressions are model instances, querysets or rows of the Django ORM."""

import ast
from dataclasses import dataclass
from typing import Final

from offcanvas.audit.module import Module
from offcanvas.audit.rules._transactions import is_view, receiver_of
from offcanvas.audit.tree import Function

_ONE: Final = frozenset({"get", "create", "first", "last", "latest", "earliest", "aget", "acreate"})
_PAIR: Final = frozenset({"get_or_create", "update_or_create"})
_MANY: Final = frozenset(
    {"all", "filter", "exclude", "order_by", "select_related", "prefetch_related", "annotate"}
    | {"distinct", "using", "only", "defer", "reverse", "select_for_update"}
)
_ROWS: Final = frozenset({"values", "values_list", "dates", "datetimes"})
_MODEL_BASES: Final = ("django.db.models.", "django.contrib.auth.models.", "django.contrib.gis.db.")
_REQUESTS: Final = ("django.http.", "rest_framework.request.", "flask.", "starlette.", "fastapi.")
_DEPTH: Final = 4


@dataclass(frozen=True, slots=True)
class Query:
    """`Order.objects.filter(...)[:10]`: the model's name and the methods after the manager."""

    model: str
    methods: tuple[str, ...]
    bounded: bool

    @property
    def kind(self) -> str:
        """ "instance", "pair" (get_or_create), "queryset", "rows" (values) or ""."""
        if not self.methods:
            return ""
        last = self.methods[-1]
        if last in _ONE:
            return "instance"
        if last in _PAIR:
            return "pair"
        if any(m in _ROWS for m in self.methods):
            return "rows" if last in _ROWS | _MANY else ""
        return "queryset" if last in _MANY else ""


def query(module: Module, node: ast.expr, depth: int = _DEPTH) -> Query | None:
    """The query that an expression writes, through local variables; None when it is none."""
    methods: list[str] = []
    bounded = False
    while depth:
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            bounded = bounded or node.slice.upper is not None
            node = node.value
        elif isinstance(node, ast.Attribute):
            if node.attr == "objects" or node.attr.endswith("_manager"):
                name = module.name(node.value)
                # Models are written in capitals: `self.objects` is somebody's own attribute.
                if name is None or not name.rpartition(".")[2][:1].isupper():
                    return None
                if _is_no_model(module, name, node.attr):
                    return None
                return Query(name, tuple(reversed(methods)), bounded)
            methods.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Name):
            found = [query(module, e, depth - 1) for e in module.possible(node) if e is not node]
            if len(found) != 1 or found[0] is None:
                return None
            inner = found[0]
            every = (*inner.methods, *reversed(methods))
            return Query(inner.model, every, bounded or inner.bounded)
        else:
            return None
    return None


def _is_no_model(module: Module, name: str, attribute: str) -> bool:
    """Whether a class of the project is known to be none: its `objects` is its own attribute."""
    index = module.project.index
    found = index.class_(name)
    if found is None:
        return False
    if attribute in found[1].methods:
        return True  # a property or a method
    ancestors = [*index.ancestors(name)]
    outside = [a for a in ancestors if index.class_(a) is None]
    return all(a.startswith(("builtins.", "typing.", "abc.", "enum.")) for a in outside)


def is_model(module: Module, name: str | None) -> bool:
    """Whether a class of the project is a Django model, as far as its bases can be followed."""
    index = module.project.index
    if name is None or index.class_(name) is None:
        return False
    return any(a.startswith(_MODEL_BASES) for a in index.ancestors(name))


def kind_of(module: Module, node: ast.expr) -> str:
    """ "instance", "queryset", "request", "self" or "": what an expression is for certain."""
    if isinstance(node, ast.Call):
        if module.name(node.func) in {
            "django.shortcuts.get_object_or_404",
            "rest_framework.generics.get_object_or_404",
        }:
            return "instance"
        if is_model(module, module.instance(node)):
            return "instance"
    if isinstance(node, ast.Name):
        return _of_variable(module, node)
    if isinstance(node, ast.Attribute) and node.attr == "request":
        return "request" if _is_views_self(module, node.value) else ""
    found = query(module, node)
    return found.kind if found is not None and found.kind in {"instance", "queryset"} else ""


def _of_variable(module: Module, node: ast.Name) -> str:
    if module.name(node) == "flask.request":
        return "request"
    kinds = set()
    for binding in module.bindings(node.id, node) or ():
        value = binding.value
        if binding.how == "parameter" and isinstance(binding.node, ast.arg):
            kinds.add(_of_parameter(module, node, binding.node))
        elif value is None or (isinstance(value, ast.Name) and value.id == node.id):
            kinds.add("")
        elif binding.how == "is":
            kinds.add(kind_of(module, value))
        elif binding.how == "item of":
            found = query(module, value)
            kinds.add("instance" if found is not None and found.kind == "queryset" else "")
        elif binding.how == "unknown" and isinstance(binding.node, ast.Assign):
            found = query(module, value)
            target = binding.node.targets[0]
            first = target.elts[0] if isinstance(target, ast.Tuple) and target.elts else None
            is_first = isinstance(first, ast.Name) and first.id == node.id
            pair = found is not None and found.kind == "pair" and is_first
            kinds.add("instance" if pair else "")
        else:
            kinds.add("")
    return kinds.pop() if len(kinds) == 1 else ""


def _of_parameter(module: Module, node: ast.Name, argument: ast.arg) -> str:
    function = module.function(node)
    while function is not None and argument.arg not in function.bindings:
        function = function.outer
    if function is None:
        return ""
    first = next(iter(function.params.items), None)
    if first is not None and first.name == argument.arg and argument.arg == "self":
        return _of_self(module, function)
    if argument.annotation is not None:
        name = module.name(argument.annotation) or ""
        if is_model(module, name):
            return "instance"
        return "request" if name.startswith(_REQUESTS) and name.endswith("Request") else ""
    if argument.arg == "instance" and receiver_of(module, function) is not None:
        return "instance"
    if argument.arg == "request" and is_view(module, function):
        uses = (n for n in module.inside(function.node, ast.Attribute) if _is(n.value, "request"))
        return "request" if any(n.attr in _OF_REQUESTS for n in uses) else ""
    return ""


_OF_REQUESTS: Final = frozenset({"user", "GET", "POST", "META", "FILES", "session", "method"})


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _of_self(module: Module, function: Function) -> str:
    if function.owner is None:
        return "self" if function.task is not None and function.task.bound else ""
    owner = f"{module.project.index.name_of(module.facts)}.{function.owner}"
    return "instance" if is_model(module, owner) else "self"


def _is_views_self(module: Module, node: ast.expr) -> bool:
    function = module.function(node)
    return (
        _is(node, "self")
        and function is not None
        and function.owner is not None
        and function.task is None
        and is_view(module, function)
    )
