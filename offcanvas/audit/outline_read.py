"""Read an expression as the canvas that it builds."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from offcanvas.audit.module import Module
from offcanvas.audit.names import APP, BUILDERS, PRIMITIVES, SIGNATURE, TASK
from offcanvas.audit.outline import Kind, Outline

_DEPTH: Final = 12
_SINGLE: Final = frozenset({f"{TASK}.s", f"{TASK}.si", f"{TASK}.signature", f"{TASK}.subtask"})
SPREAD: Final = frozenset({f"{TASK}.map", f"{TASK}.starmap", f"{TASK}.chunks"})
SAME: Final = frozenset({f"{SIGNATURE}.{m}" for m in ("set", "clone", "on_error", "s", "skew")})
_NO_OPTIONS: Final = frozenset(
    {"args", "kwargs", "options", "immutable", "app", "type", "subtask_type", "task", "varargs"}
)
_COPIES: Final = frozenset(
    {"builtins.list", "builtins.tuple", "builtins.reversed", "builtins.sorted", "builtins.set"}
)


def outline_of(module: Module, node: ast.expr, depth: int = _DEPTH) -> Outline | None:
    """The outline of what an expression builds, or None when it builds no signature."""
    if depth == 0:
        return _unknown(node, "nested too deeply to follow")
    if isinstance(node, ast.Name):
        return _of_variable(module, node, depth)
    if isinstance(node, ast.IfExp | ast.BoolOp | ast.NamedExpr):
        return _either(module, node, module.possible(node), depth)
    if isinstance(node, ast.BinOp):
        return _of_operator(module, node, depth)
    if isinstance(node, ast.Call):
        return _of_call(module, node, depth)
    return None


def _unknown(node: ast.expr, why: str) -> Outline:
    return Outline("unknown", node, node.lineno, why=why)


def _either(module: Module, node: ast.expr, options: list[ast.expr], depth: int) -> Outline | None:
    outlines = [o for e in options if (o := outline_of(module, e, depth - 1)) is not None]
    if not outlines:
        return None
    if len(outlines) == 1:
        return outlines[0]
    return _unknown(node, "one of several, chosen when it runs")


def _of_variable(module: Module, node: ast.Name, depth: int) -> Outline | None:
    bound = module.bindings(node.id, node) or []
    if any(b.value is None for b in bound):
        if module.instance(node) == SIGNATURE:
            return _unknown(node, f"{node.id!r} is handed in")
        return None
    starts = [b for b in bound if b.how == "is" and not _grows(b.value, node.id)]
    grown = [b for b in bound if b.how == "grows by" or _grows(b.value, node.id)]
    others = [b for b in bound if b not in starts and b not in grown]
    if others or not starts:
        return (
            _unknown(node, f"{node.id!r} comes from a loop or a block")
            if module.instance(node) == SIGNATURE
            else None
        )
    options = [b.value for b in starts if b.value is not None]
    first = _either(module, node, options, depth)
    if first is None or not grown:
        return first
    parts = [*_flat(first)]
    for binding in grown:
        value = binding.value
        if isinstance(value, ast.BinOp) and binding.how == "is":
            value = value.right
        if value is not None:
            added = outline_of(module, value, depth - 1) or _unknown(value, _why(module, value))
            optional = _conditional(module, binding.node, node)
            parts += [replace(p, optional=p.optional or optional) for p in _flat(added)]
    return Outline("chain", node, first.line, tuple(parts), pipe=True)


def _grows(value: ast.expr | None, name: str) -> bool:
    """`c = c | task.s()`."""
    return (
        isinstance(value, ast.BinOp)
        and isinstance(value.op, ast.BitOr)
        and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(value.left))
    )


def _flat(outline: Outline) -> tuple[Outline, ...]:
    return outline.parts if outline.kind == "chain" else (outline,)


def _of_operator(module: Module, node: ast.BinOp, depth: int) -> Outline | None:
    if not isinstance(node.op, ast.BitOr) or module.instance(node) != SIGNATURE:
        return None
    sides: list[Outline] = []
    for side in (node.left, node.right):
        outline = outline_of(module, side, depth - 1)
        sides += _flat(outline) if outline is not None else [_unknown(side, _why(module, side))]
    return Outline("chain", node, node.lineno, tuple(sides), pipe=True)


def _of_call(module: Module, node: ast.Call, depth: int) -> Outline | None:
    names = module.names(node.func)
    primitives = names & PRIMITIVES
    if len(primitives) > 1:
        one_of = " or ".join(sorted(n.rpartition(".")[2] for n in primitives))
        return _unknown(node, f"{one_of}, chosen when it runs")
    if primitives:
        return _primitive(module, node, min(primitives), depth)
    name = module.name(node.func)
    if name in _SINGLE or name in SPREAD or name in BUILDERS or name == f"{APP}.signature":
        return _signature(module, node, name)
    if isinstance(node.func, ast.Attribute) and name in SAME:
        inner = outline_of(module, node.func.value, depth - 1)
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
    if name is None:
        inner = outline_of(module, node.func, depth - 1)
        if inner is not None and inner.kind == "chord" and inner.body is None and node.args:
            return replace(
                inner,
                body=_member(module, node.args[0], depth),
                node=node,
                line=node.lineno,
                merged=(*inner.merged, inner.node),
            )
        return None
    if module.instance(node) == SIGNATURE:
        return _built_elsewhere(module, node, name, depth)
    return None


def _built_elsewhere(module: Module, node: ast.Call, name: str, depth: int) -> Outline:
    """A function of the project that gives back a signature: looked into one call deep."""
    found = module.callee(node)
    if found is not None:
        there, function = found
        returns = [r for r in there.inside(function.node, ast.Return) if r.value is not None]
        if len(returns) == 1 and returns[0].value is not None:
            outline = outline_of(there, returns[0].value, min(depth - 1, 4))
            if outline is not None:
                return replace(outline, node=node, line=node.lineno)
    return _unknown(node, f"built by {name.rpartition('.')[2]}()")


def _primitive(module: Module, node: ast.Call, name: str, depth: int) -> Outline:
    kind: Kind = "chain" if name == "celery.chain" else "group"
    if name != "celery.chord":
        parts = tuple(_members(module, node.args, depth))
        return Outline(kind, node, node.lineno, parts, args=None)
    given = {k.arg: k.value for k in node.keywords if k.arg}
    header = node.args[0] if node.args else given.get("header")
    body = node.args[1] if len(node.args) > 1 else given.get("body")
    return Outline(
        "chord",
        node,
        node.lineno,
        tuple(_members(module, [header], depth)) if header is not None else (),
        merged=tuple(_groups(module, header, depth)) if header is not None else (),
        body=_member(module, body, depth) if body is not None else None,
        args=None,
    )


def _groups(module: Module, header: ast.expr, depth: int) -> Iterator[ast.expr]:
    outline = outline_of(module, header, depth - 1)
    if outline is not None and outline.kind == "group":
        yield outline.node
        yield from called(outline.node)


def _members(module: Module, nodes: list[ast.expr], depth: int) -> Iterator[Outline]:
    """The members of a primitive: its arguments, or the items of its one iterable."""
    for node in nodes:
        if isinstance(node, ast.Starred):
            yield from _items(module, node.value, depth - 1)
        elif len(nodes) == 1:
            outline = outline_of(module, node, depth - 1)
            if outline is None:
                yield from _items(module, node, depth - 1)
            elif outline.kind == "group":
                yield from outline.parts  # chord(group(...)) has the group's members as header
            else:
                yield outline
        else:
            yield _member(module, node, depth)


def _member(module: Module, node: ast.expr, depth: int) -> Outline:
    outline = outline_of(module, node, depth - 1)
    return outline or _unknown(node, _why(module, node))


def _why(module: Module, node: ast.expr) -> str:
    """Why an expression is no signature, as far as that can be told."""
    for inner in (node, *called(node)):
        if isinstance(inner, ast.Attribute) and inner.attr in {"s", "si", "signature"}:
            name = module.name(inner.value)
            if name is not None and module.project.index.function(name) is not None:
                return f"{name} is a function, not a task"
    return f"{module.text(node)!r} is not resolved"


def _items(module: Module, node: ast.expr, depth: int) -> Iterator[Outline]:
    """The items of an iterable of signatures."""
    if depth <= 0:
        yield _unknown(node, "nested too deeply to follow")
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        for element in node.elts:
            if isinstance(element, ast.Starred):
                yield from _items(module, element.value, depth - 1)
            else:
                yield _member(module, element, depth)
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        yield replace(_member(module, node.elt, depth), repeated=True)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _items(module, node.left, depth - 1)
        yield from _items(module, node.right, depth - 1)
    elif isinstance(node, ast.Call) and module.name(node.func) in _COPIES and node.args:
        yield from _items(module, node.args[0], depth - 1)
    elif isinstance(node, ast.Name):
        yield from _items_of_variable(module, node, depth)
    else:
        yield _unknown(node, f"members come from {module.text(node)!r}")


def _items_of_variable(module: Module, node: ast.Name, depth: int) -> Iterator[Outline]:
    bound = module.bindings(node.id, node) or []
    # `members = None` at the beginning says that there may be none.
    bound = [b for b in bound if not (isinstance(b.value, ast.Constant) and b.value.value is None)]
    known = [b for b in bound if b.value is not None and b.how in {"is", "grows by"}]
    appended = [*module.appended(node.id, node)]
    if not bound or len(known) != len(bound):
        yield _unknown(node, f"members come from {node.id!r}, which is handed in")
        return
    for binding in known:
        if binding.value is not None:
            yield from _items(module, binding.value, depth - 1)
    for added in appended:
        member = _member(module, added, depth)
        yield replace(
            member,
            repeated=module.loop_around(added) is not None,
            optional=_conditional(module, added, node),
        )


def _conditional(module: Module, added: ast.AST, used: ast.AST) -> bool:
    """Whether something is added in a branch that its use does not stand in."""
    around = {id(n) for n in module.around(used)}
    return any(
        isinstance(n, ast.If | ast.Try | ast.For | ast.While | ast.Match) and id(n) not in around
        for n in module.around(added)
    )


def _signature(module: Module, node: ast.Call, name: str) -> Outline:
    if name in _SINGLE | SPREAD and isinstance(node.func, ast.Attribute):
        task = module.task(node.func.value)
        written = task.name if task is not None else module.text(node.func.value)
        method = node.func.attr
        kind: Kind = "task"
        if method in {"map", "starmap", "chunks"}:
            kind = method  # type: ignore[assignment]  # one of the three, tested in the line above
            return Outline(kind, node, node.lineno, task=task, name=written, args=None)
        packed = method in {"signature", "subtask"}
        args, kwargs = _given(node, packed)
        immutable = method == "si" or _says_immutable(node)
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
    said = module.literal(node.args[0]) if node.args else None
    if not isinstance(said, str):
        return _unknown(node, "the task's name is not written here")
    args, kwargs = _given(node, True, skip=1)
    return Outline(
        "task",
        node,
        node.lineno,
        task=module.project.tasks_by_name.get(said),
        name=said,
        immutable=_says_immutable(node),
        args=args,
        kwargs=kwargs,
        options=option_names(node),
    )


def option_names(node: ast.Call) -> tuple[str, ...]:
    """Execution options named by `.set(...)`, `.signature(...)` or `.apply_async(...)`."""
    given = [k.arg for k in node.keywords if k.arg and k.arg not in _NO_OPTIONS]
    for keyword in node.keywords:
        if keyword.arg == "options" and isinstance(keyword.value, ast.Dict):
            keys = [k.value for k in keyword.value.keys if isinstance(k, ast.Constant)]
            given += [k for k in keys if isinstance(k, str)]
    return tuple(given)


def _says_immutable(node: ast.Call) -> bool:
    return any(
        k.arg == "immutable" and isinstance(k.value, ast.Constant) and k.value.value is True
        for k in node.keywords
    )


def _given(
    node: ast.Call, packed: bool, skip: int = 0
) -> tuple[tuple[ast.expr, ...] | None, dict[str, ast.expr] | None]:
    """The task's own arguments: of `.s(1, a=2)`, or packed as in `.signature((1,), {"a": 2})`."""
    if packed:
        from offcanvas.audit.sends import packed_arguments

        return packed_arguments(node, skip)
    args = None if any(isinstance(a, ast.Starred) for a in node.args) else tuple(node.args)
    if any(k.arg is None for k in node.keywords):
        return args, None
    return args, {k.arg: k.value for k in node.keywords if k.arg is not None}


def called(node: ast.expr) -> Iterator[ast.expr]:
    """The expressions that a chain of calls hangs on: `chord(h)` in `chord(h)(b).on_error(e)`."""
    while True:
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            node = node.value
        else:
            return
        yield node
