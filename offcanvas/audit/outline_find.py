"""Find the canvases of a file: the outermost expressions that build one."""

import ast
from collections.abc import Iterator
from dataclasses import replace

from offcanvas.audit.names import PRIMITIVES, SIGNATURE
from offcanvas.audit.outline import Outline
from offcanvas.audit.outline_read import SAME, SPREAD, outline_of
from offcanvas.audit.outline_syntax import called, option_names
from offcanvas.audit.resolved import ResolvedTree


def find_canvases(tree: ResolvedTree) -> list[Outline]:
    """The canvases of a file that are no part of another one of the same file."""
    found: list[Outline] = []
    for node in _candidates(tree):
        outline = outline_of(tree, node)
        if outline is not None and outline.is_canvas:
            found.append(outline)
    inner = {id(part.node) for o in found for part in o.walk() if part is not o}
    inner |= {id(n) for o in found for part in o.walk() for n in part.merged}
    inner |= {id(n) for o in found for n in ast.walk(o.node) if n is not o.node}
    inner |= {id(n) for o in found for part in o.walk() for n in called(part.node)}
    outermost = [o for o in found if id(o.node) not in inner]
    sent = [replace(o, options=(*o.options, *_sent_with(tree, o.node))) for o in outermost]
    return sorted(sent, key=lambda o: (o.line, o.node.col_offset))


def _sent_with(tree: ResolvedTree, node: ast.expr) -> tuple[str, ...]:
    """The options of the `.apply_async(...)` that follows a canvas."""
    method = tree.parents.get(node)
    call = tree.parents.get(method) if isinstance(method, ast.Attribute) else None
    if (
        isinstance(method, ast.Attribute)
        and isinstance(call, ast.Call)
        and method.attr == "apply_async"
    ):
        return option_names(call)
    return ()


def _candidates(tree: ResolvedTree) -> Iterator[ast.expr]:
    for node in tree.walk(ast.Call):
        names = tree.names(node.func)
        if names & PRIMITIVES or names & SPREAD:
            yield _whole(tree, node)
        elif (
            isinstance(node.func, ast.Name)
            and node.args
            and not names
            and tree.instance(node.func) == SIGNATURE
        ):
            yield node  # header = chord(...); header(body)
        elif tree.joined(node) is not None:
            yield node
    for pipe in tree.walk(ast.BinOp):
        if isinstance(pipe.op, ast.BitOr) and tree.instance(pipe) == SIGNATURE:
            yield pipe


def _whole(tree: ResolvedTree, node: ast.Call) -> ast.Call:
    """`chord(h)` with the body and the methods that follow: `chord(h)(b).on_error(e)`."""
    while True:
        parent = tree.parents.get(node)
        if isinstance(parent, ast.Call) and parent.func is node:
            if not parent.args or not tree.names(node.func) & {"celery.chord"}:
                return node
            node = parent
        elif isinstance(parent, ast.Attribute) and tree.name(parent) in SAME:
            call = tree.parents.get(parent)
            if not (isinstance(call, ast.Call) and call.func is parent):
                return node
            node = call
        else:
            return node
