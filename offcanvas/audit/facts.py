"""What one file says, in a few kilobytes: imports, functions, classes, assignments, loose calls.

Facts are extracted file by file in worker processes, cached by content and joined by the index.
They hold no syntax tree and no conclusion that depends on another file.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from offcanvas.audit.values import Call, Name, Value, dotted_name, value_of

VERSION: Final = 5
"""Part of the cache key: raise it whenever the facts or how they are read change."""

_CONFIGURING: Final = frozenset(
    {"add_defaults", "add_periodic_task", "config_from_object", "register", "register_task"}
    | {"setdefault", "update"}
)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_IMPORTS: Final = (ast.Import, ast.ImportFrom)
_BLOCKS: Final = (
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar),
    ast.Match,
)
_CELERY_WORDS: Final = re.compile(
    rb"celery|\.delay|apply_async|send_task|add_periodic_task|\.si?\(|\bsignature|subtask|on_commit"
)


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter: kind is "positional", "keyword", "args" (`*args`) or "kwargs" (`**kwargs`)."""

    name: str
    kind: str
    default: bool


@dataclass(frozen=True, slots=True)
class Params:
    """The parameters of a function, in order."""

    items: tuple[Param, ...]

    def without_first(self) -> "Params":
        """The same without the parameter that takes `self`."""
        if self.items and self.items[0].kind == "positional":
            return Params(self.items[1:])
        return self

    @property
    def positional(self) -> tuple[Param, ...]:
        """The parameters that a positional argument can fill, without `*args`."""
        return tuple(p for p in self.items if p.kind == "positional")

    @property
    def names(self) -> frozenset[str]:
        """The names that a keyword argument can fill."""
        return frozenset(p.name for p in self.items if p.kind in {"positional", "keyword"})

    @property
    def most(self) -> int | None:
        """How many positional arguments fit; None for any number."""
        return None if any(p.kind == "args" for p in self.items) else len(self.positional)

    @property
    def least(self) -> int:
        """How many positional arguments must come when no keyword is given."""
        return sum(1 for p in self.positional if not p.default)

    @property
    def any_keyword(self) -> bool:
        """Whether `**kwargs` takes every keyword."""
        return any(p.kind == "kwargs" for p in self.items)

    def misfit(self, positional: int, keywords: Iterable[str]) -> str | None:
        """Why a call with so many positional arguments and these keywords fails, or None."""
        given = set(keywords)
        if self.most is not None and positional > self.most:
            return f"takes {self.most} positional arguments, {positional} given"
        unknown = sorted(given - self.names)
        if unknown and not self.any_keyword:
            return f"has no parameter {unknown[0]!r}"
        filled = {p.name for p in self.positional[:positional]}
        if twice := sorted(filled & given):
            return f"gets {twice[0]!r} twice"
        missing = [
            p.name
            for p in self.items
            if p.kind in {"positional", "keyword"}
            and not p.default
            and p.name not in filled | given
        ]
        return f"misses the argument {missing[0]!r}" if missing else None


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """A function or method. `qualname` is dotted within the module; owner is its class's."""

    name: str
    qualname: str
    owner: str | None
    line: int
    column: int
    end: int
    params: Params
    decorators: tuple[Value, ...]
    returns: tuple[Value, ...]
    is_async: bool
    doc: str


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """A class with the attributes its body assigns."""

    name: str
    qualname: str
    line: int
    bases: tuple[Value, ...]
    decorators: tuple[Value, ...]
    attributes: Mapping[str, Value]
    methods: tuple[str, ...]
    attribute_lines: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Store:
    """An assignment whose target is no plain name: `app.conf.x = 1`, `SCHEDULE["a"] = {...}`."""

    target: str
    key: str | None
    value: Value
    line: int
    scope: str


@dataclass(frozen=True, slots=True)
class Loose:
    """A configuring call, standing alone or assigned; scope is the function around it or ""."""

    call: Call
    scope: str


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """Everything the index knows about one file. `path` is relative to the audited folder."""

    path: str
    lines: int
    speaks_celery: bool
    imports: Mapping[str, str]
    local_imports: Mapping[str, Mapping[str, str]]
    stars: tuple[str, ...]
    functions: Mapping[str, FunctionFacts]
    classes: Mapping[str, ClassFacts]
    assigns: Mapping[str, Value]
    assign_lines: Mapping[str, int]
    stores: tuple[Store, ...]
    loose: tuple[Loose, ...]
    calls_assigned: Mapping[str, tuple[Call, ...]]
    """"function.name" -> the calls assigned to that local name, in files that speak Celery."""
    names_assigned: Mapping[str, tuple[Name, ...]]
    """The same for names: `config = Production`."""
    annotations: Mapping[str, Value]
    """Module-level name -> what it is annotated with, in files that speak Celery."""


def extract(path: str, source: bytes, tree: ast.Module) -> ModuleFacts:
    """The facts of a parsed file; relative imports stay relative ("..tasks") for the index."""
    speaks_celery = _CELERY_WORDS.search(source) is not None
    reader = _Reader(speaks_celery)
    reader.body(tree.body, "", None)
    return ModuleFacts(
        path=path,
        lines=len(source.splitlines()),
        speaks_celery=speaks_celery,
        imports=reader.imports,
        local_imports=reader.local_imports,
        stars=tuple(reader.stars),
        functions=reader.functions,
        classes=reader.classes,
        assigns=reader.assigns,
        assign_lines=reader.assign_lines,
        stores=tuple(reader.stores),
        loose=tuple(reader.loose),
        calls_assigned={k: tuple(v) for k, v in reader.calls_assigned.items()},
        names_assigned={k: tuple(v) for k, v in reader.names_assigned.items()},
        annotations=reader.annotations,
    )


def imported_names(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Local name -> what it stands for; `from . import x` gives ".x", `import a.b` gives a -> a."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.split(".")[0]: alias.name
            if alias.asname
            else alias.name.split(".")[0]
            for alias in node.names
        }
    prefix = "." * node.level + (node.module or "")
    dot = "" if prefix.endswith(".") else "."
    return {
        alias.asname or alias.name: f"{prefix}{dot}{alias.name}"
        for alias in node.names
        if alias.name != "*"
    }


def params_of(arguments: ast.arguments) -> Params:
    """The parameters of a function's argument list."""
    positional = [*arguments.posonlyargs, *arguments.args]
    first_default = len(positional) - len(arguments.defaults)
    items = [Param(a.arg, "positional", i >= first_default) for i, a in enumerate(positional)]
    if arguments.vararg:
        items.append(Param(arguments.vararg.arg, "args", True))
    items += [
        Param(a.arg, "keyword", default is not None)
        for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        items.append(Param(arguments.kwarg.arg, "kwargs", True))
    return Params(tuple(items))


class _Reader:
    """Walks statements, never into expressions that no fact is about: that keeps it fast."""

    def __init__(self, speaks_celery: bool) -> None:
        # A file without a word of Celery's only has to answer what its names stand for.
        self.depth = 8 if speaks_celery else 2
        self.speaks_celery = speaks_celery
        self.imports: dict[str, str] = {}
        self.local_imports: dict[str, dict[str, str]] = {}
        self.stars: list[str] = []
        self.functions: dict[str, FunctionFacts] = {}
        self.classes: dict[str, ClassFacts] = {}
        self.assigns: dict[str, Value] = {}
        self.assign_lines: dict[str, int] = {}
        self.stores: list[Store] = []
        self.loose: list[Loose] = []
        self.calls_assigned: dict[str, list[Call]] = {}
        self.names_assigned: dict[str, list[Name]] = {}
        self.annotations: dict[str, Value] = {}
        self.returns: dict[str, list[Value]] = {}

    def body(self, statements: list[ast.stmt], scope: str, owner: ast.ClassDef | None) -> None:
        for statement in statements:
            self.statement(statement, scope, owner)

    def statement(self, node: ast.stmt, scope: str, owner: ast.ClassDef | None) -> None:
        # The most frequent ones first; tuples, because every file's every statement comes by here
        # and `A | B` is built anew each time.
        if isinstance(node, ast.Expr):
            if isinstance(node.value, ast.Call):
                self.call(node.value, scope)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self.assign(target, node.value, scope, owner)
        elif isinstance(node, ast.Return):
            if node.value is not None and scope in self.returns:
                self.returns[scope].append(value_of(node.value, 4))
        elif isinstance(node, _FUNCTIONS):
            self.function(node, scope, owner)
        elif isinstance(node, _IMPORTS):
            self.import_(node, scope)
        elif isinstance(node, ast.ClassDef):
            self.class_(node, scope)
        elif isinstance(node, ast.AnnAssign):
            if not scope and self.speaks_celery and isinstance(node.target, ast.Name):
                self.annotations[node.target.id] = value_of(node.annotation, 2)
            if node.value is not None:
                self.assign(node.target, node.value, scope, owner)
        elif isinstance(node, ast.AugAssign):
            self.augment(node, scope, owner)
        elif isinstance(node, _BLOCKS):
            self.compound(node, scope, owner)

    def compound(self, node: ast.stmt, scope: str, owner: ast.ClassDef | None) -> None:
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(node, name, None)
            if inner:
                self.body(inner, scope, owner)
        for handler in getattr(node, "handlers", ()):
            self.body(handler.body, scope, owner)
        for case in getattr(node, "cases", ()):
            self.body(case.body, scope, owner)

    def import_(self, node: ast.Import | ast.ImportFrom, scope: str) -> None:
        names = imported_names(node)
        if scope:
            self.local_imports.setdefault(scope, {}).update(names)
            return
        self.imports.update(names)
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            self.stars.append("." * node.level + (node.module or ""))

    def function(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        scope: str,
        owner: ast.ClassDef | None,
    ) -> None:
        qualname = f"{scope}.{node.name}" if scope else node.name
        self.returns[qualname] = []
        self.body(node.body, qualname, None)
        self.functions[qualname] = FunctionFacts(
            name=node.name,
            qualname=qualname,
            owner=scope if owner is not None else None,
            line=node.lineno,
            column=node.col_offset,
            end=node.end_lineno or node.lineno,
            params=params_of(node.args),
            decorators=tuple(value_of(d) for d in node.decorator_list),
            returns=tuple(self.returns.pop(qualname)[:4]),
            is_async=isinstance(node, ast.AsyncFunctionDef),
            doc=(ast.get_docstring(node) or "").partition("\n")[0][:120],
        )

    def class_(self, node: ast.ClassDef, scope: str) -> None:
        qualname = f"{scope}.{node.name}" if scope else node.name
        attributes: dict[str, Value] = {}
        lines: dict[str, int] = {}
        for item in node.body:
            target = item.targets[0] if isinstance(item, ast.Assign) else None
            if isinstance(item, ast.AnnAssign):
                target = item.target
            value = item.value if isinstance(item, ast.Assign | ast.AnnAssign) else None
            if isinstance(target, ast.Name) and value is not None:
                attributes[target.id] = value_of(value, self.depth)
                lines[target.id] = item.lineno
        self.classes[qualname] = ClassFacts(
            name=node.name,
            qualname=qualname,
            line=node.lineno,
            bases=tuple(value_of(b) for b in node.bases),
            decorators=tuple(value_of(d) for d in node.decorator_list),
            attributes=attributes,
            methods=tuple(
                i.name for i in node.body if isinstance(i, ast.FunctionDef | ast.AsyncFunctionDef)
            ),
            attribute_lines=lines,
        )
        self.body(node.body, qualname, node)

    def assign(
        self, target: ast.expr, value: ast.expr, scope: str, owner: ast.ClassDef | None
    ) -> None:
        if isinstance(value, ast.Call):
            self.call(value, scope)
        if isinstance(target, ast.Name):
            if scope and self.speaks_celery:
                self.assign_local(f"{scope}.{target.id}", value)
            if not scope and owner is None:
                self.assigns[target.id] = value_of(value, self.depth)
                self.assign_lines[target.id] = value.lineno
            return
        if isinstance(target, ast.Attribute):
            dotted = dotted_name(target)
            if dotted is not None and ".conf" in dotted:
                self.stores.append(Store(dotted, None, value_of(value), value.lineno, scope))
        elif isinstance(target, ast.Subscript):
            key = target.slice
            inner = target.value
            per_database = isinstance(key, ast.Constant) and key.value == "ATOMIC_REQUESTS"
            if per_database and isinstance(inner, ast.Subscript):
                inner = inner.value  # DATABASES["default"]["ATOMIC_REQUESTS"] = True
            dotted = dotted_name(inner)
            if (
                dotted is not None
                and (self.speaks_celery or per_database)
                and isinstance(key, ast.Constant)
                and isinstance(key.value, str)
            ):
                self.stores.append(Store(dotted, key.value, value_of(value), value.lineno, scope))

    def assign_local(self, place: str, value: ast.expr) -> None:
        if not isinstance(value, ast.Call | ast.Name | ast.Attribute):
            return
        said = value_of(value, 4)
        if isinstance(said, Call):
            self.calls_assigned.setdefault(place, []).append(said)
        elif isinstance(said, Name):
            self.names_assigned.setdefault(place, []).append(said)

    def augment(self, node: ast.AugAssign, scope: str, owner: ast.ClassDef | None) -> None:
        # `SCHEDULE |= {...}` and `IMPORTS += (...)`: kept as a store without forgetting the first.
        dotted = dotted_name(node.target)
        if dotted is not None and owner is None and self.speaks_celery:
            self.stores.append(Store(dotted, "|=", value_of(node.value), node.lineno, scope))

    def call(self, node: ast.Call, scope: str) -> None:
        tail = node.func.attr if isinstance(node.func, ast.Attribute) else None
        if tail not in _CONFIGURING or not self.speaks_celery:
            return
        called = value_of(node)
        if isinstance(called, Call):
            self.loose.append(Loose(called, scope))
