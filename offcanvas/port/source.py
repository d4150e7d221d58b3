"""Expressions as source text: their free names, and the text with other names in their place."""

from __future__ import annotations

import ast
import builtins
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUILTINS: Final = frozenset(dir(builtins))
#: A fan-out of more members than this is put in slices where a history has an end.
WIDE: Final = 1_000


@lru_cache(maxsize=4096)
def expression(text: str) -> ast.expr:
    """The syntax tree of an expression. It is shared: copy it before you change it."""
    return ast.parse(text.strip(), mode="eval").body


def fresh(text: str) -> ast.expr:
    """A syntax tree of one's own."""
    return ast.parse(text.strip(), mode="eval").body


def targets(var: str) -> tuple[str, ...]:
    """The names that a loop variable binds: ``"a, (b, c)"`` binds three."""
    return tuple(n.id for n in ast.walk(expression(var)) if isinstance(n, ast.Name))


def bound_inside(tree: ast.AST) -> frozenset[str]:
    """Names that comprehensions, lambdas and ``:=`` inside an expression bind."""
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.comprehension):
            bound.update(n.id for n in ast.walk(node.target) if isinstance(n, ast.Name))
        elif isinstance(node, ast.Lambda):
            bound.update(a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg))
        elif isinstance(node, ast.NamedExpr) and isinstance(node.target, ast.Name):
            bound.add(node.target.id)
    return frozenset(bound)


@lru_cache(maxsize=4096)
def free_names(text: str) -> tuple[str, ...]:
    """The names that an expression needs from around it, in the order of writing."""
    tree = expression(text)
    bound = bound_inside(tree)
    found = (n for n in ast.walk(tree) if isinstance(n, ast.Name))
    ordered = sorted(found, key=lambda n: (n.lineno, n.col_offset))
    return tuple(dict.fromkeys(n.id for n in ordered if n.id not in bound))


class _Renaming(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str], bound: frozenset[str]) -> None:
        self._names = names
        self._bound = bound

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self._names and node.id not in self._bound:
            return fresh(self._names[node.id])
        return node


def renamed(text: str, names: Mapping[str, str]) -> str:
    """The expression with other expressions in place of free names."""
    if not names or not any(name in names for name in free_names(text)):
        return text
    tree = fresh(text)
    return ast.unparse(_Renaming(names, bound_inside(tree)).visit(tree))


def renamed_code(text: str, names: Mapping[str, str]) -> str:
    """The same for statements: every name, whatever it is bound to inside."""
    tree = _Renaming(names, frozenset()).visit(ast.parse(text))
    return ast.unparse(ast.fix_missing_locations(tree))


class _Replacing(ast.NodeTransformer):
    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.expr) and not isinstance(getattr(node, "ctx", None), ast.Store):
            found = self._texts.get(ast.unparse(node))
            if found is not None:
                return fresh(found)
        visited: ast.AST = super().visit(node)
        return visited


def replaced(text: str, texts: Mapping[str, str]) -> str:
    """The expression with whole subexpressions (as ``ast.unparse`` writes them) replaced."""
    if not texts:
        return text
    return ast.unparse(_Replacing(texts).visit(fresh(text)))


def attribute_chains(text: str, name: str) -> Iterator[ast.expr]:
    """The longest expressions that start at ``name``: ``order``, ``order.carrier.code``."""
    tree = expression(text)
    inner: set[int] = set()
    for node in ast.walk(tree):  # outermost first
        if id(node) in inner or not isinstance(node, ast.Attribute | ast.Name):
            continue
        base: ast.expr = node
        below = []
        while isinstance(base, ast.Attribute):
            below.append(base)
            base = base.value
        if isinstance(base, ast.Name) and base.id == name:
            inner.update(id(one) for one in (*below, base))
            yield node


def canonical(text: str) -> str:
    """The one spelling of an expression, by which equal ones are known."""
    return ast.unparse(expression(text))


def width(text: str) -> int | None:
    """How many items an iterable has that is written out, or a range of numbers; else None."""
    tree = expression(text)
    try:
        match tree:
            case ast.Call(func=ast.Name(id="range"), args=args, keywords=[]) if args:
                return len(range(*(ast.literal_eval(one) for one in args)))
            case _:
                return len(ast.literal_eval(tree))
    except (ValueError, TypeError):
        return None


def is_literal(text: str) -> bool:
    """Whether an expression is a literal that a dataclass may have as its default."""
    try:
        value = ast.literal_eval(text)
    except ValueError:
        return False
    return isinstance(value, str | int | float | bool | bytes | type(None) | tuple)
