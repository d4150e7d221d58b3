"""Call sites: every place that sends a task, makes a signature of one, or asks for a retry."""

import ast
from dataclasses import dataclass
from typing import Final

from offcanvas.audit.module import Module
from offcanvas.audit.names import APP, SIGNATURE, TASK
from offcanvas.audit.tasks import Task
from offcanvas.audit.tree import Function

_OF_TASK: Final = {
    f"{TASK}.{how}": how
    for how in (
        *("delay", "apply_async", "apply", "s", "si", "signature", "subtask"),
        *("map", "starmap", "chunks", "retry", "replace", "add_to_chord"),
        *("delay_on_commit", "apply_async_on_commit"),
    )
}
_OF_SIGNATURE: Final = {f"{SIGNATURE}.{how}": how for how in ("delay", "apply_async", "apply")}
PACKED: Final = frozenset(
    {"apply_async", "apply_async_on_commit", "apply", "send_task", "signature", "subtask", "retry"}
)
"""Ways that take the task's arguments packed: `(args, kwargs, **options)`."""
_PUBLISHING: Final = frozenset(
    {"delay", "apply_async", "send_task", "delay_on_commit", "apply_async_on_commit", "call"}
)


@dataclass(frozen=True, eq=False)
class Send:
    """One call site.

    how: "delay", "apply_async", "send_task", "apply", "s", "si", "signature", "subtask", "map",
    "starmap", "chunks", "retry", "replace", "add_to_chord", "delay_on_commit",
    "apply_async_on_commit", or "call" for a canvas that is sent by calling it.
    task: the project's task, None when it is not the project's or cannot be told.
    name: its registered name, or None. canvas: whether a signature or canvas is sent, not a task.
    args, kwargs: the task's own arguments; None when they cannot be told (`*args`, a variable).
    options: execution options (countdown, queue, link_error, ...) of the forms that take them.
    deferred: handed over uncalled, as in `partial(add.delay, 1)`.
    """

    how: str
    node: ast.Call
    task: Task | None
    name: str | None
    canvas: bool
    args: tuple[ast.expr, ...] | None
    kwargs: dict[str, ast.expr] | None
    options: dict[str, ast.expr]
    function: Function | None
    deferred: bool = False

    @property
    def publishes(self) -> bool:
        """Whether a message goes to the broker (a signature only prepares one)."""
        return self.how in _PUBLISHING

    @property
    def positional(self) -> int | None:
        """How many positional arguments the task gets, None when it cannot be told."""
        return None if self.args is None else len(self.args)


def find_sends(module: Module) -> list[Send]:
    """Every call site of a file, by line."""
    found = []
    for call in module.walk(ast.Call):
        send = _send(module, call)
        if send is not None:
            found.append(send)
    return sorted(found, key=lambda s: (s.node.lineno, s.node.col_offset))


def _send(module: Module, call: ast.Call) -> Send | None:
    name = module.name(call.func)
    deferred = False
    func, node = call.func, call
    if name == "functools.partial" and call.args:
        func = call.args[0]
        name, deferred = module.name(func), True
        node = ast.Call(func, call.args[1:], call.keywords)
        ast.copy_location(node, call)
    if name in _OF_TASK and isinstance(func, ast.Attribute):
        how = _OF_TASK[name]
        task = module.task(func.value)
        if task is None and how not in {"retry", "replace", "add_to_chord"}:
            task = _own_task(module, func.value)
        return _made(module, call, node, how, task, _name(task), False, deferred)
    if name == f"{APP}.send_task":
        given = node.args[0] if node.args else _keyword(node, "name")
        said = module.literal(given) if given is not None else None
        task = module.project.tasks_by_name.get(said) if isinstance(said, str) else None
        written = said if isinstance(said, str) else None
        return _made(module, call, node, "send_task", task, written, False, deferred, skip=1)
    if name in _OF_SIGNATURE and isinstance(func, ast.Attribute):
        how = _OF_SIGNATURE[name]
        outline = module.outline(func.value)
        task = outline.task if outline is not None else None
        return _made(module, call, node, how, task, _name(task), True, deferred)
    if name is None and module.instance(call.func) == SIGNATURE:
        return _made(module, call, node, "call", None, None, True, deferred)
    return None


def _own_task(module: Module, node: ast.expr) -> Task | None:
    """`self.apply_async()` in a task's own body."""
    function = module.function(node)
    if isinstance(node, ast.Name) and function is not None and function.task is not None:
        items = function.params.items
        if function.task.bound and items and items[0].name == node.id:
            return function.task
    return None


def _name(task: Task | None) -> str | None:
    return task.name if task is not None else None


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None)


def _made(
    module: Module,
    call: ast.Call,
    node: ast.Call,
    how: str,
    task: Task | None,
    name: str | None,
    canvas: bool,
    deferred: bool,
    skip: int = 0,
) -> Send:
    options: dict[str, ast.expr] = {}
    args: tuple[ast.expr, ...] | None
    kwargs: dict[str, ast.expr] | None
    if how in PACKED:
        args, kwargs = packed_arguments(node, skip)
        reserved = {"args", "kwargs", "name"}
        options = {k.arg: k.value for k in node.keywords if k.arg and k.arg not in reserved}
    else:
        starred = any(isinstance(a, ast.Starred) for a in node.args)
        args = None if starred else tuple(node.args)
        spread = any(k.arg is None for k in node.keywords)
        kwargs = None if spread else {k.arg: k.value for k in node.keywords if k.arg}
    return Send(
        how=how,
        node=call,
        task=task,
        name=name,
        canvas=canvas,
        args=args,
        kwargs=kwargs,
        options=options,
        function=module.function(call),
        deferred=deferred,
    )


def packed_arguments(
    node: ast.Call, skip: int
) -> tuple[tuple[ast.expr, ...] | None, dict[str, ast.expr] | None]:
    """The task's arguments of `apply_async((1, 2), {"a": 3})`: from literals only, else None."""
    spread = any(k.arg is None for k in node.keywords)
    rest = node.args[skip:]
    packed = rest[0] if rest else _keyword(node, "args")
    named = rest[1] if len(rest) > 1 else _keyword(node, "kwargs")
    args: tuple[ast.expr, ...] | None = None
    kwargs: dict[str, ast.expr] | None = None
    if packed is None or (isinstance(packed, ast.Constant) and packed.value is None):
        args = None if spread else ()
    elif isinstance(packed, ast.List | ast.Tuple):
        starred = any(isinstance(e, ast.Starred) for e in packed.elts)
        args = None if starred else tuple(packed.elts)
    if named is None or (isinstance(named, ast.Constant) and named.value is None):
        kwargs = None if spread else {}
    elif isinstance(named, ast.Dict):
        keys = [k.value if isinstance(k, ast.Constant) else None for k in named.keys]
        if all(isinstance(k, str) for k in keys):
            kwargs = {str(k): v for k, v in zip(keys, named.values, strict=True)}
    return args, kwargs
