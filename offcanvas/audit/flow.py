"""Which assignments of a local name may reach a place in the same function.

`jobs = group(jobs)` uses the list of before, and a name that is used again between two appends is
another thing each time. This follows statements in order, branches and loops; it is no full
analysis: what it cannot rule out it keeps.
"""

import ast
from typing import Final

from offcanvas.audit.tree import Binding, Tree

_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)
_STARTS: Final = frozenset({"is", "item of", "with", "unknown", "parameter"})


def reaching(tree: Tree, name: str, at: ast.AST) -> list[Binding]:
    """The bindings of a name that its use at `at` may see, in the order of writing.

    All of them when the name belongs to a function around the one of `at`: that runs later.
    """
    bound = tree.bindings(name, at) or []
    if len(bound) < 2 or not _same_function(tree, bound, at):
        return list(bound)
    around = [at, *tree.around(at)]
    loops = [n for n in around if isinstance(n, _LOOPS)]
    before = [b for b in bound if _comes_before(b, at)]
    certain = max(
        (b for b in before if b.how in _STARTS and _dominates(tree, b, around)),
        key=_position,
        default=None,
    )
    kept = []
    for binding in bound:
        if binding in before:
            hidden = certain is not None and _position(binding) < _position(certain)
        else:
            # Only the next turn of a loop brings what is written below.
            carried = [n for n in loops if _inside(tree, binding.node, n)]
            hidden = not carried or (
                certain is not None and _inside(tree, certain.node, carried[-1])
            )
            hidden = hidden or (any(n is binding.node for n in around) and binding.how == "is")
        if not hidden:
            kept.append(binding)
    return kept


def _same_function(tree: Tree, bound: list[Binding], at: ast.AST) -> bool:
    own = tree.function(at)
    return all(
        tree.function(b.node) is own or isinstance(b.node, ast.arg | ast.comprehension)
        for b in bound
    )


def _comes_before(binding: Binding, at: ast.AST) -> bool:
    """Whether a binding has taken place when `at` is reached, without a turn of a loop."""
    if isinstance(binding.node, ast.arg):
        return True
    here = (getattr(at, "lineno", 0), getattr(at, "col_offset", 0))
    node: ast.AST = binding.node
    if isinstance(node, _LOOPS):
        node = getattr(node, "target", node)
    if isinstance(node, ast.comprehension | ast.withitem):
        target = node.target if isinstance(node, ast.comprehension) else node.optional_vars
        node = target if target is not None else node
        if isinstance(binding.node, ast.comprehension):
            return True  # its element is written before it
    return (getattr(node, "end_lineno", 0) or 0, getattr(node, "end_col_offset", 0) or 0) <= here


def _position(binding: Binding) -> tuple[int, int]:
    node: ast.AST = binding.node
    if isinstance(node, ast.comprehension):
        node = node.target
    elif isinstance(node, ast.withitem):
        node = node.context_expr
    if isinstance(node, ast.arg):
        return (0, 0)
    return (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))


def _dominates(tree: Tree, binding: Binding, around: list[ast.AST]) -> bool:
    """Whether a binding has taken place for certain: its block holds the use, or is around it."""
    node = binding.node
    if isinstance(node, ast.arg):
        return True
    if isinstance(node, ast.comprehension):
        return any(n is tree.parents.get(node) for n in around)
    if isinstance(node, _LOOPS):
        return any(n is node for n in around)
    if isinstance(node, ast.withitem):
        node = tree.parents.get(node, node)
    if isinstance(node, ast.NamedExpr):
        return any(n is tree.parents.get(node) for n in around)
    parent = tree.parents.get(node)
    while isinstance(parent, ast.With | ast.AsyncWith):  # its body runs
        node, parent = parent, tree.parents.get(parent)
    if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
        return True
    holder = next((n for n in around if n is parent), None)
    if holder is None:
        return False
    inner = around[around.index(holder) - 1] if around.index(holder) else holder
    return any(
        isinstance(block, list) and node in block and inner in block
        for block in (getattr(holder, f, None) for f in ("body", "orelse", "finalbody"))
    )


def _inside(tree: Tree, node: ast.AST, ancestor: ast.AST) -> bool:
    while node is not ancestor:
        above = tree.parents.get(node)
        if above is None:
            return False
        node = above
    return True
