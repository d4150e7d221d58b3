"""A chord over a list that may be empty, with nothing that looks whether it is.

Bad:
    from celery import chord, shared_task

    @shared_task
    def score(item):
        ...

    @shared_task
    def best(scores):
        return max(scores)

    def run(items):
        chord([score.s(i) for i in items if i.active])(best.s())
Good:
    from celery import chord, shared_task

    @shared_task
    def score(item):
        ...

    @shared_task
    def best(scores):
        return max(scores)

    def run(items):
        tasks = [score.s(i) for i in items if i.active]
        if tasks:
            chord(tasks)(best.s())
Why: The body of an empty chord is sent at once with an empty list, which a body that takes the
    first or the largest of its results does not survive.
Prefect: Waiting for no futures gives an empty list.
Temporal: asyncio.gather of nothing gives an empty list.
Source: https://docs.celeryq.dev/en/stable/userguide/canvas.html#chords
"""

import ast
from collections.abc import Iterator

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.outline import Outline
from offcanvas.audit.rules import module_rule

_FILTERS = frozenset({"filter", "exclude", "filter_by", "where"})
_TESTS = (ast.If, ast.IfExp, ast.While, ast.Assert)
_LITERALS = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Constant)


@module_rule("CEL404", Severity.LOW)
def check(module: Module) -> Iterator[Remark]:
    """Headers that hold nothing but the items of a loop; a plain list is likely never empty."""
    for canvas in module.canvases:
        for chord in _headers(canvas):
            if not chord.parts or chord.optional:
                continue
            sources = [_source(module, part, chord.node) for part in chord.parts]
            loops = [s for s in sources if s is not None]
            if len(loops) != len(sources) or any(_is_full(module, s) for s in loops):
                continue
            if any(_is_guarded(module, chord.node, s) for s in loops):
                continue
            named = module.text(loops[0].iter)
            yield module.remark(
                chord.node,
                f"the header is empty when {named!r} is: the body then runs at once with []; "
                "look before, or let the body take an empty list",
                doubt="" if any(_filters(module, s) for s in loops) else "it may never be empty",
            )


def _headers(canvas: Outline) -> Iterator[Outline]:
    """Chords, and groups with something after them in a chain, which Celery makes chords of."""
    for outline in canvas.walk():
        if outline.kind == "chord":
            yield outline
        elif outline.kind == "chain":
            yield from (part for part in outline.parts[:-1] if part.kind == "group")


def _source(
    module: Module, part: Outline, chord: ast.expr
) -> ast.comprehension | ast.For | ast.AsyncFor | None:
    """The loop that a member is repeated by; None for one that is always there."""
    if not part.repeated:
        return None
    loop = module.loop_around(part.node)
    if isinstance(loop, ast.For | ast.AsyncFor):
        # Seen from a chord in the same turn of the loop, it has been added.
        return None if loop in module.around(chord) else loop
    if isinstance(loop, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        return loop.generators[0]
    return None


def _is_full(module: Module, source: ast.comprehension | ast.For | ast.AsyncFor) -> bool:
    """Whether the loop is over something written out: a list, a range of a number."""
    if isinstance(source, ast.comprehension) and source.ifs:
        return False
    options = module.possible(source.iter)
    if any(isinstance(o, _LITERALS) for o in options):
        return True
    call = options[0]
    return (
        isinstance(call, ast.Call)
        and module.name(call.func) == "builtins.range"
        and bool(call.args)
        and isinstance(module.literal(call.args[0]), int)
    )


def _filters(module: Module, source: ast.comprehension | ast.For | ast.AsyncFor) -> bool:
    """Whether items are left out on the way: by a condition, or by a query."""
    if isinstance(source, ast.comprehension) and source.ifs:
        return True
    return any(_asks(module, option) for option in module.possible(source.iter))


def _asks(module: Module, node: ast.expr, depth: int = 4) -> bool:
    """Whether a query that may find nothing is in an expression, or behind a name in it."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and inner.attr in _FILTERS:
            return True
        if depth and isinstance(inner, ast.Name) and inner is not node:
            behind = [e for e in module.possible(inner) if e is not inner]
            if any(_asks(module, e, depth - 1) for e in behind):
                return True
    return False


def _is_guarded(
    module: Module, chord: ast.expr, source: ast.comprehension | ast.For | ast.AsyncFor
) -> bool:
    """Whether a condition of the function asks about a name that the header is made from."""
    function = module.function(chord)
    around: ast.AST = function.node if function is not None else module.tree
    names = {n.id for n in ast.walk(source.iter) if isinstance(n, ast.Name)}
    names |= {n.id for n in ast.walk(chord) if isinstance(n, ast.Name)}
    tests = [t.test for t in module.inside(around, ast.AST) if isinstance(t, _TESTS)]
    tests += [t.subject for t in module.inside(around, ast.Match)]
    return any(isinstance(n, ast.Name) and n.id in names for t in tests for n in ast.walk(t))
