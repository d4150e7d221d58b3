"""What one file says, in a few kilobytes: imports, functions, classes, assignments, loose calls.

Facts are extracted file by file in worker processes (`facts_read`), cached by content and joined by
the index. They hold no syntax tree and no conclusion that depends on another file.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from offcanvas.audit.values import Call, Value, calls_in

VERSION: Final = 6
"""Part of the cache key: raise it whenever the facts or how they are read change."""


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

    def too_much(self, positional: int, keywords: Iterable[str]) -> str | None:
        """Why a call with at least these arguments fails, whatever `*args` and `**kwargs` bring."""
        if self.most is not None and positional > self.most:
            return f"takes {self.most} positional arguments, {positional} and more given"
        unknown = sorted({*keywords} - self.names)
        return f"has no parameter {unknown[0]!r}" if unknown and not self.any_keyword else None

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
    """An assignment whose target is not a plain name: `app.conf.x = 1`, `SCHEDULE["a"] = {...}`.

    target: as written, "" when it is not a dotted name; owner: the same as a value. key: the
    literal key of an item, "|=" for a growth; None for an attribute; "?" for a key that is not a
    literal.
    """

    target: str
    owner: Value
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
    locals: Mapping[str, tuple[Value, ...]]
    """"function.name" -> what is assigned to that local name, in files that speak Celery; ".name"
    for the variable of a loop outside of functions."""
    attributes: Mapping[str, tuple[Value, ...]]
    """"Class.name" -> what methods assign to `self.name`, in files that speak Celery."""
    annotations: Mapping[str, Value]
    """Name -> what it is annotated with, in files that speak Celery: names of the module, and
    "function.parameter" or "Class.attribute" where the annotation speaks of Celery."""

    def local(self, scope: str, name: str) -> tuple[Value, ...]:
        """What is assigned to a name in a function, or else in the ones around it."""
        while True:
            found = self.locals.get(f"{scope}.{name}")
            if found is not None or not scope:
                return found or ()
            scope = scope.rpartition(".")[0]

    def calls(self) -> Iterator[tuple[Call, str]]:
        """(call, the function it is written in) of every call among the values that are kept."""
        kept: list[tuple[Value, str]] = [(v, "") for v in self.assigns.values()]
        kept += [(v, "") for c in self.classes.values() for v in c.attributes.values()]
        kept += [(v, k.rpartition(".")[0]) for k, vs in self.locals.items() for v in vs]
        kept += [(v, k) for k, f in self.functions.items() for v in f.returns]
        for name, values in self.attributes.items():
            method = f"{name.rpartition('.')[0]}.__init__"
            kept += [(v, method) for v in values]
        kept += [(s.value, s.scope) for s in self.stores]
        for value, scope in kept:
            for call in calls_in(value):
                yield call, scope
