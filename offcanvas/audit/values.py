"""What an expression says, kept small: enough of it to resolve names and read options later.

A syntax tree of half a million lines does not fit in memory comfortably; the few expressions that
matter across files (decorators, base classes, settings, returns) are kept as these values.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Const:
    """A literal, or arithmetic on literals: `60 * 60`."""

    value: object


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name as written: `app.conf`, `shared_task`."""

    dotted: str


@dataclass(frozen=True, slots=True)
class Member:
    """An attribute of something that is not a name: `make_app().task`."""

    base: "Value"
    attr: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call; a keyword named None is a `**mapping`."""

    func: "Value"
    args: tuple["Value", ...]
    keywords: tuple[tuple[str | None, "Value"], ...]
    line: int

    def keyword(self, name: str) -> "Value | None":
        """The keyword argument `name`, or None when it is not given."""
        return next((value for key, value in self.keywords if key == name), None)


@dataclass(frozen=True, slots=True)
class Seq:
    """A list, tuple or set display."""

    items: tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Dict:
    """A dictionary display; a key of None is a `**mapping`."""

    items: tuple[tuple["Value | None", "Value", int], ...]

    def get(self, key: str) -> "Value | None":
        """The value under a literal string key, the last one given."""
        found = None
        for name, value, _line in self.items:
            if name == Const(key):
                found = value
        return found

    def entries(self) -> Iterator[tuple[str, "Value", int]]:
        """(key, value, line) for the literal string keys."""
        for name, value, line in self.items:
            if isinstance(name, Const) and isinstance(name.value, str):
                yield name.value, value, line


@dataclass(frozen=True, slots=True)
class Either:
    """One of several: `a if p else b`, `a or b`."""

    options: tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Item:
    """What stands under a key: `registry["celery"]`, `app.tasks[Print.name]`."""

    base: "Value"
    key: "Value"


@dataclass(frozen=True, slots=True)
class Lambda:
    """A lambda, by what it gives back."""

    body: "Value"


@dataclass(frozen=True, slots=True)
class Worked:
    """Arithmetic that is not on literals alone: `60 * int(MINUTES)`; `FIRST | SECOND`."""

    work: str
    """The operator: "+", "-", "*", "/", "//" or "|"."""
    left: "Value"
    right: "Value"


@dataclass(frozen=True, slots=True)
class Opaque:
    """Anything else: a comprehension, a slice. `start` begins an f-string."""

    kind: str
    start: str = ""


Value: TypeAlias = (
    Const | Name | Member | Call | Seq | Dict | Either | Item | Lambda | Worked | Opaque
)

ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
}
_SIGNS: Final[Mapping[type[ast.operator], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.BitOr: "|",
}
# Tuples, because `A | B` is built anew each time, and millions of expressions come by here.
_DISPLAYS: Final = (ast.List, ast.Tuple, ast.Set)
_OPERATIONS: Final = (ast.UnaryOp, ast.BinOp)


def value_of(node: ast.expr, depth: int = 8) -> Value:
    """The value that an expression spells; deeper than `depth` it is opaque."""
    if isinstance(node, ast.Constant):
        return Const(node.value)
    dotted = dotted_name(node)
    if dotted is not None:
        return Name(dotted)
    if depth == 0:
        return Opaque("deep")
    if isinstance(node, ast.Call):
        return Call(
            value_of(node.func, depth - 1),
            tuple(value_of(a, depth - 1) for a in node.args),
            tuple((k.arg, value_of(k.value, depth - 1)) for k in node.keywords),
            node.lineno,
        )
    if isinstance(node, ast.Attribute):
        return Member(value_of(node.value, depth - 1), node.attr)
    if isinstance(node, _DISPLAYS):
        return Seq(tuple(value_of(e, depth - 1) for e in node.elts))
    if isinstance(node, ast.Dict):
        return Dict(
            tuple(
                (None if k is None else value_of(k, depth - 1), value_of(v, depth - 1), v.lineno)
                for k, v in zip(node.keys, node.values, strict=True)
            )
        )
    if isinstance(node, ast.IfExp):
        return Either((value_of(node.body, depth - 1), value_of(node.orelse, depth - 1)))
    if isinstance(node, ast.BoolOp):
        return Either(tuple(value_of(v, depth - 1) for v in node.values))
    if isinstance(node, _OPERATIONS):
        return _arithmetic(node, depth)
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice | ast.Tuple):
        return Item(value_of(node.value, depth - 1), value_of(node.slice, depth - 1))
    if isinstance(node, ast.Lambda):
        return Lambda(value_of(node.body, depth - 1))
    if isinstance(node, ast.NamedExpr):
        return value_of(node.value, depth - 1)
    if isinstance(node, ast.JoinedStr) and node.values:
        first = node.values[0]
        start = first.value if isinstance(first, ast.Constant) else ""
        return Opaque("JoinedStr", str(start))
    return Opaque(type(node).__name__)


def _arithmetic(node: ast.UnaryOp | ast.BinOp, depth: int) -> Value:
    if isinstance(node, ast.UnaryOp):
        operand = value_of(node.operand, depth - 1)
        if isinstance(operand, Const) and isinstance(operand.value, int | float):
            if isinstance(node.op, ast.USub):
                return Const(-operand.value)
            if isinstance(node.op, ast.Not):
                return Const(not operand.value)
        return Opaque("UnaryOp")
    left, right = value_of(node.left, depth - 1), value_of(node.right, depth - 1)
    sign = _SIGNS.get(type(node.op))
    if sign is None:
        return Opaque("BinOp")
    if sign == "+" and isinstance(left, Seq) and isinstance(right, Seq):
        return Seq(left.items + right.items)
    return worked(sign, left, right)


def worked(sign: str, left: Value, right: Value) -> Value:
    """The result of arithmetic on two values: a literal when both are numbers."""
    if not (isinstance(left, Const) and isinstance(right, Const)):
        # Only what may become known later is kept: `60 * MINUTES`.
        unknown = isinstance(left, Opaque) or isinstance(right, Opaque)
        return Opaque("BinOp") if unknown else Worked(sign, left, right)
    a, b, work = left.value, right.value, ARITHMETIC.get(sign)
    if work is None or not (isinstance(a, int | float) and isinstance(b, int | float)):
        return Opaque("BinOp")
    try:
        return Const(work(a, b))
    except (OverflowError, ZeroDivisionError):  # 300 digits times a float, or 1 / 0
        return Opaque("BinOp")


def calls_in(value: Value) -> Iterator[Call]:
    """Every call in a value, outermost first."""
    inner: tuple[Value | None, ...] = ()
    if isinstance(value, Call):
        yield value
        inner = (value.func, *value.args, *(v for _, v in value.keywords))
    elif isinstance(value, Member):
        inner = (value.base,)
    elif isinstance(value, Seq):
        inner = value.items
    elif isinstance(value, Dict):
        inner = tuple(v for _, v, _ in value.items)
    elif isinstance(value, Either):
        inner = value.options
    elif isinstance(value, Item):
        inner = (value.base, value.key)
    elif isinstance(value, Lambda):
        inner = (value.body,)
    elif isinstance(value, Worked):
        inner = (value.left, value.right)
    for one in inner:
        if one is not None:
            yield from calls_in(one)


def dotted_name(node: ast.expr) -> str | None:
    """`a.b.c` for names and attributes of names, else None."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    parts.append(node.id)
    return ".".join(reversed(parts))
