"""Generators that Celery reads later than the line that they stand in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from offcanvas.audit.module import Module
    from offcanvas.audit.tree import Function

_LAZY: Final = frozenset({"celery.group", "celery.chord"})


def late_generators(module: Module, function: Function) -> Iterator[int]:
    """Lines of generators in a loop that use what the loop binds anew in each round.

    ``group(generator)`` keeps the generator (``celery.utils.functional.regen``). Its first iterable
    is evaluated at once; all else when it is read.
    """
    for loop in ast.walk(function.node):
        if not isinstance(loop, ast.For | ast.While):
            continue
        bound = {
            n.id for n in ast.walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        for call in (n for s in loop.body for n in ast.walk(s)):
            if not isinstance(call, ast.Call) or not module.names(call.func) & _LAZY:
                continue
            for given in call.args[:1]:
                if isinstance(given, ast.GeneratorExp) and _late(given) & bound:
                    yield given.lineno


def _late(generator: ast.GeneratorExp) -> set[str]:
    """The names that a generator looks up when it is read."""
    first, *others = generator.generators
    parts = [generator.elt, *first.ifs]
    parts += [part for one in others for part in (one.iter, *one.ifs)]
    own = {n.id for one in generator.generators for n in ast.walk(one.target) if _is_name(n)}  # type: ignore[attr-defined]  # names only
    used = {n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name)}
    return used - own


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)
