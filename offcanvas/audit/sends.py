"""Call sites: every place that sends a task, makes a signature of one, or asks for a retry."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from offcanvas.audit.arguments import (
    before_star,
    keyword,
    packed_arguments,
    packed_as_written,
)
from offcanvas.audit.names import APP, SIGNATURE, TASK
from offcanvas.audit.outline_read import outline_of, own_task
from offcanvas.audit.resolved import ResolvedTree
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
    written, named: those of them that are written all the same, before a `*args` and beside a
    `**kwargs`.
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
    written: tuple[ast.expr, ...] = ()
    named: Mapping[str, ast.expr] = field(default_factory=dict)

    @property
    def publishes(self) -> bool:
        """Whether a message goes to the broker (a signature only prepares one)."""
        return self.how in _PUBLISHING

    @property
    def positional(self) -> int | None:
        """How many positional arguments the task gets, None when it cannot be told."""
        return None if self.args is None else len(self.args)


def find_sends(tree: ResolvedTree) -> list[Send]:
    """Every call site of a file, by line."""
    found = []
    for call in tree.walk(ast.Call):
        send = _send(tree, call)
        if send is not None:
            found.append(send)
    return sorted(found, key=lambda s: (s.node.lineno, s.node.col_offset))


def _send(tree: ResolvedTree, call: ast.Call) -> Send | None:
    name = tree.name(call.func)
    deferred = False
    func, node = call.func, call
    if name == "functools.partial" and call.args:
        func = call.args[0]
        name, deferred = tree.name(func), True
        node = ast.Call(func, call.args[1:], call.keywords)
        ast.copy_location(node, call)
    if name in _OF_TASK and isinstance(func, ast.Attribute):
        how = _OF_TASK[name]
        task = tree.task(func.value)
        if task is None and how not in {"retry", "replace", "add_to_chord"}:
            task = own_task(tree, func.value)
        if task is None and how not in {"retry", "replace", "add_to_chord"}:
            several = tree.tasks_of(func.value)
            task = several[0] if len(several) == 1 else None
        return _made(tree, call, node, how, task, _name(task), False, deferred)
    if name == f"{APP}.send_task":
        given = node.args[0] if node.args else keyword(node, "name")
        said = tree.literal(given) if given is not None else None
        task = tree.project.tasks_by_name.get(said) if isinstance(said, str) else None
        written = said if isinstance(said, str) else None
        return _made(tree, call, node, "send_task", task, written, False, deferred, skip=1)
    if name in _OF_SIGNATURE and isinstance(func, ast.Attribute):
        how = _OF_SIGNATURE[name]
        outline = outline_of(tree, func.value)
        task = outline.task if outline is not None else None
        return _made(tree, call, node, how, task, _name(task), True, deferred)
    if name is None and tree.instance(call.func) == SIGNATURE:
        return _made(tree, call, node, "call", None, None, True, deferred)
    return None


def _name(task: Task | None) -> str | None:
    return task.name if task is not None else None


def _made(
    tree: ResolvedTree,
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
        written, named = packed_as_written(node, skip)
        reserved = {"args", "kwargs", "name"}
        options = {k.arg: k.value for k in node.keywords if k.arg and k.arg not in reserved}
    else:
        written, named = before_star(node.args), {k.arg: k.value for k in node.keywords if k.arg}
        args = written if len(written) == len(node.args) else None
        kwargs = None if any(k.arg is None for k in node.keywords) else named
    return Send(
        how=how,
        node=call,
        task=task,
        name=name,
        canvas=canvas,
        args=args,
        kwargs=kwargs,
        options=options,
        function=tree.function(call),
        deferred=deferred,
        written=written,
        named=named,
    )
