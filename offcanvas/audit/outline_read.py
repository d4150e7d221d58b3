"""Read an expression as the canvas that it builds."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from offcanvas.audit.flow import reaching
from offcanvas.audit.names import APP, BUILDERS, PRIMITIVES, SIGNATURE, TASK
from offcanvas.audit.outline import Kind, Outline
from offcanvas.audit.outline_syntax import (
    called,
    flat,
    given_arguments,
    grows,
    is_conditional,
    is_empty,
    option_names,
    says_immutable,
)
from offcanvas.audit.resolved import ResolvedTree
from offcanvas.audit.tasks import Task

_DEPTH: Final = 12
_SINGLE: Final = frozenset({f"{TASK}.s", f"{TASK}.si", f"{TASK}.signature", f"{TASK}.subtask"})
SPREAD: Final = frozenset({f"{TASK}.map", f"{TASK}.starmap", f"{TASK}.chunks"})
SAME: Final = frozenset({f"{SIGNATURE}.{m}" for m in ("set", "clone", "on_error", "s", "skew")})
_SEVERAL: Final = "one of several, chosen when it runs"
_COPIES: Final = frozenset(
    {"builtins.list", "builtins.tuple", "builtins.reversed", "builtins.sorted", "builtins.set"}
)


def outline_of(tree: ResolvedTree, node: ast.expr, depth: int = _DEPTH) -> Outline | None:
    """The outline of what an expression builds, or None when it builds no signature."""
    if depth == 0:
        return _unknown(node, "nested too deeply to follow")
    if isinstance(node, ast.Name):
        return _of_variable(tree, node, depth)
    if isinstance(node, ast.IfExp | ast.BoolOp | ast.NamedExpr):
        return _either(tree, node, tree.possible(node), depth)
    if isinstance(node, ast.Subscript | ast.Call) and (options := tree.looked_up(node)):
        return _either(tree, node, options, depth)
    if isinstance(node, ast.BinOp):
        return _of_operator(tree, node, depth)
    if isinstance(node, ast.Call):
        return _of_call(tree, node, depth)
    return None


def _unknown(node: ast.expr, why: str) -> Outline:
    return Outline("unknown", node, node.lineno, why=why)


def _either(
    tree: ResolvedTree, node: ast.expr, options: list[ast.expr], depth: int
) -> Outline | None:
    outlines = [o for e in options if (o := outline_of(tree, e, depth - 1)) is not None]
    if not outlines:
        return None
    if len(outlines) == 1:
        return outlines[0]
    return Outline("choice", node, node.lineno, tuple(outlines), args=None, why=_SEVERAL)


def _of_variable(tree: ResolvedTree, node: ast.Name, depth: int) -> Outline | None:
    bound = reaching(tree, node.id, node)
    if any(b.value is None for b in bound):
        if tree.instance(node) == SIGNATURE:
            return _unknown(node, f"{node.id!r} is handed in")
        return None
    starts = [b for b in bound if b.how == "is" and not grows(b.value, node.id)]
    grown = [b for b in bound if b.how == "grows by" or grows(b.value, node.id)]
    others = [b for b in bound if b not in starts and b not in grown]
    if others or not starts:
        return (
            _unknown(node, f"{node.id!r} comes from a loop or a block")
            if tree.instance(node) == SIGNATURE
            else None
        )
    options = [b.value for b in starts if b.value is not None]
    first = _either(tree, node, options, depth)
    if first is None or not grown:
        return first
    parts = [*flat(first)]
    for binding in grown:
        value = binding.value
        if isinstance(value, ast.BinOp) and binding.how == "is":
            value = value.right
        if value is not None:
            added = outline_of(tree, value, depth - 1) or _unknown(value, _why(tree, value))
            optional = is_conditional(tree, binding.node, node)
            parts += [replace(p, optional=p.optional or optional) for p in flat(added)]
    return Outline("chain", node, first.line, tuple(parts), pipe=True)


def _of_operator(tree: ResolvedTree, node: ast.BinOp, depth: int) -> Outline | None:
    if not isinstance(node.op, ast.BitOr) or tree.instance(node) != SIGNATURE:
        return None
    sides: list[Outline] = []
    for side in (node.left, node.right):
        outline = outline_of(tree, side, depth - 1)
        sides += flat(outline) if outline is not None else [_unknown(side, _why(tree, side))]
    return Outline("chain", node, node.lineno, tuple(sides), pipe=True)


def _of_call(tree: ResolvedTree, node: ast.Call, depth: int) -> Outline | None:
    names = tree.names(node.func)
    primitives = names & PRIMITIVES
    if len(primitives) > 1:
        one_of = " or ".join(sorted(n.rpartition(".")[2] for n in primitives))
        parts = tuple(_members(tree, node.args, depth))
        why = f"{one_of}, chosen when it runs"
        return Outline("choice", node, node.lineno, parts, args=None, why=why)
    if primitives:
        return _primitive(tree, node, min(primitives), depth)
    name = tree.name(node.func)
    if name in _SINGLE or name in SPREAD or name in BUILDERS or name == f"{APP}.signature":
        return _signature(tree, node, name)
    if isinstance(node.func, ast.Attribute) and name in SAME:
        inner = outline_of(tree, node.func.value, depth - 1)
        if inner is None:
            return None
        fails = name == f"{SIGNATURE}.on_error" or any(k.arg == "link_error" for k in node.keywords)
        named = option_names(node) if name == f"{SIGNATURE}.set" else ()
        return replace(
            inner,
            errbacks=inner.errbacks or fails,
            options=tuple(dict.fromkeys((*inner.options, *named))),
            node=node,
        )
    joined = tree.joined(node)
    if joined is not None and tree.element(joined) == SIGNATURE:
        first = [_member(tree, node.args[2], depth)] if len(node.args) > 2 else []
        parts = (*first, *_items(tree, joined, depth - 1))
        return Outline("chain", node, node.lineno, parts, args=None, pipe=True)
    if name is None:
        inner = outline_of(tree, node.func, depth - 1)
        if inner is not None and inner.kind == "chord" and inner.body is None and node.args:
            return replace(
                inner,
                body=_member(tree, node.args[0], depth),
                node=node,
                line=node.lineno,
                merged=(*inner.merged, inner.node),
            )
        return None
    if tree.instance(node) == SIGNATURE:
        return _built_elsewhere(tree, node, name, depth)
    return None


def _built_elsewhere(tree: ResolvedTree, node: ast.Call, name: str, depth: int) -> Outline:
    """A function of the project that gives back a signature: looked into one call deep."""
    found = tree.callee(node)
    if found is not None:
        there, function = found
        returns = [r.value for r in there.inside(function.node, ast.Return) if r.value is not None]
        built = [o for r in returns if (o := outline_of(there, r, min(depth - 1, 4))) is not None]
        if len(built) == 1:
            return replace(_moved(tree, there, built[0], node), node=node, line=node.lineno)
        if built:
            options = tuple(_moved(tree, there, o, node) for o in built)
            return Outline("choice", node, node.lineno, options, args=None, why=_SEVERAL)
    return _unknown(node, f"built by {name.rpartition('.')[2]}()")


def _primitive(tree: ResolvedTree, node: ast.Call, name: str, depth: int) -> Outline:
    kind: Kind = "chain" if name == "celery.chain" else "group"
    if name != "celery.chord":
        parts = tuple(_members(tree, node.args, depth))
        return Outline(kind, node, node.lineno, parts, args=None)
    given = {k.arg: k.value for k in node.keywords if k.arg}
    header = node.args[0] if node.args else given.get("header")
    body = node.args[1] if len(node.args) > 1 else given.get("body")
    return Outline(
        "chord",
        node,
        node.lineno,
        tuple(_members(tree, [header], depth)) if header is not None else (),
        merged=tuple(_groups(tree, header, depth)) if header is not None else (),
        body=_member(tree, body, depth) if body is not None else None,
        args=None,
    )


def _groups(tree: ResolvedTree, header: ast.expr, depth: int) -> Iterator[ast.expr]:
    outline = outline_of(tree, header, depth - 1)
    if outline is not None and outline.kind == "group":
        yield outline.node
        yield from called(outline.node)


def _members(tree: ResolvedTree, nodes: list[ast.expr], depth: int) -> Iterator[Outline]:
    """The members of a primitive: its arguments, or the items of its one iterable."""
    for node in nodes:
        if isinstance(node, ast.Starred):
            yield from _items(tree, node.value, depth - 1)
        elif len(nodes) == 1:
            outline = outline_of(tree, node, depth - 1)
            if outline is None:
                yield from _items(tree, node, depth - 1)
            elif outline.kind == "group":
                yield from outline.parts  # chord(group(...)) has the group's members as header
            else:
                yield outline
        else:
            yield _member(tree, node, depth)


def _member(tree: ResolvedTree, node: ast.expr, depth: int) -> Outline:
    outline = outline_of(tree, node, depth - 1)
    return outline or _unknown(node, _why(tree, node))


def _why(tree: ResolvedTree, node: ast.expr) -> str:
    """Why an expression is not a signature, as far as that can be told."""
    for inner in (node, *called(node)):
        if isinstance(inner, ast.Attribute) and inner.attr in {"s", "si", "signature"}:
            name = tree.name(inner.value)
            if name is not None and tree.project.index.function(name) is not None:
                return f"{name} is a function, not a task"
    return f"{tree.text(node)!r} is not resolved"


def _items(tree: ResolvedTree, node: ast.expr, depth: int) -> Iterator[Outline]:
    """The items of an iterable of signatures."""
    if depth <= 0:
        yield _unknown(node, "nested too deeply to follow")
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        for element in node.elts:
            if isinstance(element, ast.Starred):
                yield from _items(tree, element.value, depth - 1)
            else:
                yield _member(tree, element, depth)
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        yield replace(_member(tree, node.elt, depth), repeated=True)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _items(tree, node.left, depth - 1)
        yield from _items(tree, node.right, depth - 1)
    elif isinstance(node, ast.IfExp | ast.BoolOp):
        for option in tree.possible(node):
            if not is_empty(option):
                yield from (replace(o, optional=True) for o in _items(tree, option, depth - 1))
    elif isinstance(node, ast.Call) and tree.name(node.func) in _COPIES and node.args:
        yield from _items(tree, node.args[0], depth - 1)
    elif isinstance(node, ast.Call) and tree.name(node.func) == "builtins.map" and node.args:
        yield from _mapped(tree, node, depth)
    elif isinstance(node, ast.Call):
        yield from _items_from_helper(tree, node, depth)
    elif isinstance(node, ast.Name):
        yield from _items_of_variable(tree, node, depth)
    elif isinstance(node, ast.Attribute):
        yield from _items_of_attribute(tree, node, depth)
    else:
        yield _unknown(node, f"members come from {tree.text(node)!r}")


def _mapped(tree: ResolvedTree, node: ast.Call, depth: int) -> Iterator[Outline]:
    """`map(task.s, items)`, `map(lambda i: task.s(i), items)`: one member for each item."""
    given = node.args[0]
    if isinstance(given, ast.Lambda):
        yield replace(_member(tree, given.body, depth), repeated=True)
    elif isinstance(given, ast.Attribute) and tree.name(given) in _SINGLE:
        task = tree.task(given.value)
        yield Outline(
            "task",
            node,
            node.lineno,
            task=task,
            name=task.name if task is not None else tree.text(given.value),
            immutable=given.attr == "si",
            args=None,
            repeated=True,
        )
    else:
        yield _unknown(node, f"members come from {tree.text(node)!r}")


def _items_from_helper(tree: ResolvedTree, node: ast.Call, depth: int) -> Iterator[Outline]:
    """The members that a function of the project puts into the list it returns, or yields."""
    found = tree.callee(node) if depth > 1 else None
    items: list[Outline] = []
    if found is not None:
        there, function = found
        returns = [r.value for r in there.inside(function.node, ast.Return) if r.value is not None]
        full = [r for r in returns if not is_empty(r)]
        for returned in full:
            members = _items(there, returned, min(depth - 1, 6))
            items += [replace(m, optional=m.optional or len(full) > 1) for m in members]
        for one in there.inside(function.node, ast.Yield):
            if one.value is not None:
                repeated = there.loop_around(one) is not None
                optional = is_conditional(there, one, function.node)
                member = _member(there, one.value, min(depth - 1, 6))
                items.append(replace(member, repeated=repeated, optional=optional))
        for rest in there.inside(function.node, ast.YieldFrom):
            items += _items(there, rest.value, min(depth - 1, 6))
        items = [_moved(tree, there, item, node) for item in items]
    if items and not all(item.kind == "unknown" for item in items):
        yield from items
    else:
        yield _unknown(node, f"members come from {tree.text(node)!r}")


def _moved(tree: ResolvedTree, there: ResolvedTree, outline: Outline, node: ast.expr) -> Outline:
    """An outline read in a helper: in another file its places become that of the helper's call."""
    if there.path == tree.path:
        return outline
    return replace(
        outline,
        node=node,
        line=node.lineno,
        parts=tuple(_moved(tree, there, p, node) for p in outline.parts),
        body=_moved(tree, there, outline.body, node) if outline.body is not None else None,
        merged=(),
    )


def _items_of_variable(tree: ResolvedTree, node: ast.Name, depth: int) -> Iterator[Outline]:
    bound = reaching(tree, node.id, node)
    # `members = None` at the beginning says that there may be none.
    bound = [b for b in bound if not (isinstance(b.value, ast.Constant) and b.value.value is None)]
    known = [b for b in bound if b.value is not None and b.how in {"is", "grows by"}]
    appended = [*tree.appended(node.id, node)]
    extended = [*tree.appended(node.id, node, "extend")]
    if not bound or len(known) != len(bound):
        yield _unknown(node, f"members come from {node.id!r}, which is handed in")
        return
    # (place, members): in the order in which they are put in.
    found: list[tuple[tuple[int, int], list[Outline]]] = []
    for binding in known:
        if binding.value is not None:
            place = _place(binding.value) if binding.how == "grows by" else (0, 0)
            found.append((place, [*_items(tree, binding.value, depth - 1)]))
    for added in extended:
        repeated = tree.loop_around(added) is not None
        optional = is_conditional(tree, added, node)
        members = [
            replace(m, repeated=m.repeated or repeated, optional=m.optional or optional)
            for m in _items(tree, added, depth - 1)
        ]
        found.append((_place(added), members))
    for added in appended:
        member = replace(
            _member(tree, added, depth),
            repeated=tree.loop_around(added) is not None,
            optional=is_conditional(tree, added, node),
        )
        call = tree.parents.get(added)
        first = isinstance(call, ast.Call) and call.args[0] is not added and _is_zero(call.args[0])
        found.append(((-1, 0) if first else _place(added), [member]))
    for outline in _put_in_elsewhere(tree, node, depth):
        found.append((_place(outline.node), [outline]))
    for _, members in sorted(found, key=lambda one: one[0]):
        yield from members


def _place(node: ast.expr) -> tuple[int, int]:
    return (node.lineno, node.col_offset)


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0


def _put_in_elsewhere(tree: ResolvedTree, node: ast.Name, depth: int) -> Iterator[Outline]:
    """The members that functions of the project append to a list that they are handed."""
    around = tree.function(node)
    if around is None or depth <= 1:
        return
    for call in tree.inside(around.node, ast.Call):
        place = next((i for i, a in enumerate(call.args) if _is(a, node.id)), None)
        found = tree.callee(call) if place is not None and call.lineno < node.lineno else None
        if found is None or place is None:
            continue
        there, function = found
        names = [p.name for p in function.params.positional]
        given = names[1:] if function.owner is not None else names
        for added in there.inside(function.node, ast.Call) if place < len(given) else ():
            func = added.func
            appends = isinstance(func, ast.Attribute) and func.attr == "append"
            if appends and len(added.args) == 1 and _is(getattr(func, "value", func), given[place]):
                member = _member(there, added.args[0], min(depth - 1, 6))
                yield replace(
                    _moved(tree, there, member, call),
                    repeated=there.loop_around(added) is not None
                    or tree.loop_around(call) is not None,
                    optional=is_conditional(there, added, function.node),
                )


def _items_of_attribute(tree: ResolvedTree, node: ast.Attribute, depth: int) -> Iterator[Outline]:
    """The members of `self.jobs`, as the methods of the class fill it."""
    written, around = ast.unparse(node), tree.function(node)
    items: list[Outline] = []
    methods = [
        f
        for f in tree.functions
        if around is not None and around.owner is not None and f.owner == around.owner
    ]
    for method in methods:
        here = method is around
        for assign in tree.inside(method.node, ast.Assign):
            mine = any(ast.unparse(t) == written for t in assign.targets)
            if not mine or is_empty(assign.value):
                continue
            used = any(ast.unparse(n) == written for n in ast.walk(assign.value))
            if not used and outline_of(tree, assign.value, depth - 1) is None:
                items += _items(tree, assign.value, depth - 1)
        for call in tree.inside(method.node, ast.Call):
            func = call.func
            if not (isinstance(func, ast.Attribute) and len(call.args) == 1):
                continue
            if func.attr == "append" and ast.unparse(func.value) == written:
                member = _member(tree, call.args[0], depth - 1)
                repeated = not here or tree.loop_around(call) is not None
                optional = not here or is_conditional(tree, call, node)
                items.append(replace(member, repeated=repeated, optional=optional))
    if items and not all(item.kind == "unknown" for item in items):
        yield from items
    else:
        yield _unknown(node, f"members come from {written!r}")


def own_task(tree: ResolvedTree, node: ast.expr) -> Task | None:
    """`self.s(...)` in a bound task's own body."""
    function = tree.function(node)
    if not isinstance(node, ast.Name) or function is None or function.task is None:
        return None
    items = function.params.items
    own = function.task.bound and bool(items) and items[0].name == node.id
    return function.task if own else None


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _signature(tree: ResolvedTree, node: ast.Call, name: str) -> Outline:
    if name in _SINGLE | SPREAD and isinstance(node.func, ast.Attribute):
        task = tree.task(node.func.value) or own_task(tree, node.func.value)
        method = node.func.attr
        several = tree.tasks_of(node.func.value) if task is None else []
        if len(several) > 1 and method not in {"map", "starmap", "chunks"}:
            options = (Outline("task", node, node.lineno, task=t, name=t.name) for t in several)
            return Outline("choice", node, node.lineno, tuple(options), args=None, why=_SEVERAL)
        task = several[0] if several else task
        written = task.name if task is not None else tree.text(node.func.value)
        kind: Kind = "task"
        if method in {"map", "starmap", "chunks"}:
            kind = method  # type: ignore[assignment]  # one of the three, tested in the line above
            return Outline(kind, node, node.lineno, task=task, name=written, args=None)
        packed = method in {"signature", "subtask"}
        args, kwargs = given_arguments(node, packed)
        immutable = method == "si" or says_immutable(node)
        return Outline(
            "task",
            node,
            node.lineno,
            task=task,
            name=written,
            immutable=immutable,
            args=args,
            kwargs=kwargs,
            options=option_names(node) if packed else (),
        )
    said = tree.literal(node.args[0]) if node.args else None
    if not isinstance(said, str):
        return _unknown(node, "the task's name is not written here")
    args, kwargs = given_arguments(node, True, skip=1)
    return Outline(
        "task",
        node,
        node.lineno,
        task=tree.project.tasks_by_name.get(said),
        name=said,
        immutable=says_immutable(node),
        args=args,
        kwargs=kwargs,
        options=option_names(node),
    )
