"""Chord whose failure nobody hears of: no errback on its body.

Bad:
    from celery import chord, shared_task

    @shared_task
    def part(i):
        ...

    @shared_task
    def end(results):
        ...

    def run():
        chord([part.s(i) for i in range(3)])(end.s())
Good:
    from celery import chord, shared_task

    @shared_task
    def part(i):
        ...

    @shared_task
    def end(results):
        ...

    @shared_task
    def failed(request, error, traceback):
        ...

    def run():
        chord([part.s(i) for i in range(3)])(end.s().on_error(failed.s()))
Why: When one task of the header fails, the body does not run and whatever it was to finish stays
    as it is. Only an errback on the body (or on the chord) hears of that.
Prefect: allow_failure() or a look at the states of the futures, in the flow.
Temporal: try and except around asyncio.gather in the workflow.
Source: https://docs.celeryq.dev/en/stable/userguide/canvas.html#error-handling
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.handlers import broad_handler
from offcanvas.audit.module import Module
from offcanvas.audit.names import RESULT, TASK
from offcanvas.audit.outline import Outline
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._chords import Chord, chords

_TELLS: Final = frozenset({"on_error", "link_error"})
_WAITS: Final = frozenset({"get", "join", "join_native", "wait", "collect"})


@module_rule("CEL402", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
    """Each chord, with what is said about it in its function."""
    for chord in chords(module):
        if chord.canvas.errbacks or chord.outline.errbacks or _has_errback(chord.body):
            continue
        nodes = {id(n) for o in (chord.canvas, chord.outline, chord.body) for n in _nodes(o)}
        if _told_later(module, chord, nodes) or _ends_well(module, chord):
            continue
        yield module.remark(
            chord.node,
            "when a task of this chord's header fails, its body never runs and nothing hears of "
            "it; add an errback: body.on_error(...)",
            doubt=_doubt(module, chord),
        )


def _has_errback(body: Outline) -> bool:
    """The first task of a body is what fails with the header."""
    if body.errbacks or (body.kind == "choice" and any(map(_has_errback, body.parts))):
        return True
    return body.kind == "chain" and bool(body.parts) and _has_errback(body.parts[0])


def _is_unknown(body: Outline) -> bool:
    """Whether what fails with the header is not written here: it may have any errback."""
    if body.kind == "chain" and body.parts:
        return _is_unknown(body.parts[0])
    return body.kind == "unknown"


def _nodes(outline: Outline) -> Iterator[ast.expr]:
    yield outline.node
    yield from outline.merged


def _told_later(module: Module, chord: Chord, nodes: set[int]) -> bool:
    """`c.on_error(e)`, `c.apply_async(link_error=e)`, or a result that is waited for."""
    function = module.function(chord.node)
    scope: ast.AST = function.node if function is not None else module.tree
    given = chord.node.args[-1] if isinstance(chord.node, ast.Call) and chord.node.args else None
    body = ast.unparse(given) if isinstance(given, ast.Name) else ""
    for call in module.inside(scope, ast.Call):
        func = call.func
        if not isinstance(func, ast.Attribute):
            continue
        sets = any(k.arg in _TELLS for k in call.keywords)
        waits = func.attr in _WAITS and module.name(func) in {f"{RESULT}.{w}" for w in _WAITS}
        if not (func.attr in _TELLS or sets or waits):
            continue
        if ast.unparse(func.value) == body:
            return True  # `other.on_error(e)`, before or after it is handed over
        for option in module.possible(func.value):
            if nodes & {id(n) for n in ast.walk(option)}:
                return True
    return False


def _ends_well(module: Module, chord: Chord) -> bool:
    """Whether every task of the header catches what it raises: errors are told as data."""
    for part in chord.header:
        task = part.task
        there = module.open(task.path) if task is not None else None
        function = there.function_named(task.function) if there is not None and task else None
        if there is None or function is None:
            return False
        blocks = [s for s in function.node.body if isinstance(s, ast.Try) and s.body]
        if not any(broad_handler(there, block.body[0]) is not None for block in blocks):
            return False
    return bool(chord.header)


def _doubt(module: Module, chord: Chord) -> str:
    if _is_unknown(chord.body):
        return "its body is built elsewhere and may have one"
    index = module.project.index
    for part in chord.header:
        base = part.task.base if part.task is not None else None
        for ancestor in index.ancestors(base) if base is not None else ():
            found = index.class_(ancestor)
            if found is not None and "on_failure" in found[1].methods:
                return f"on_failure of {ancestor.rpartition('.')[2]} may do it"
    if module.project.mentions("celery.signals.task_failure"):
        return "a handler of task_failure may do it"
    function = module.function(chord.node)
    if function is not None and any(
        module.name(call.func) == f"{TASK}.replace"
        for call in module.inside(function.node, ast.Call)
    ):
        return "what replaces a task takes over its errbacks"
    return ""
