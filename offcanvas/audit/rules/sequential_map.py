"""map or starmap where parallel work is meant: it is one task that loops.

Bad:
    from celery import group, shared_task

    @shared_task
    def resize(image_id, width):
        ...

    def run(pairs):
        group(resize.starmap(pairs)).delay()
Good:
    from celery import group, shared_task

    @shared_task
    def resize(image_id, width):
        ...

    def run(pairs):
        group(resize.s(*pair) for pair in pairs).delay()
Why: `task.map(items)` and `task.starmap(items)` send one message, and one process works on the
    items one after the other. Neither a group nor a chord around it makes it parallel, an error
    of one item loses the results of all, and a time limit counts for the whole loop.
    `task.chunks(items, 50).group()` makes several such tasks.
Prefect: `task.map(items)` is parallel: one task run for each item.
Temporal: asyncio.gather over activities is parallel.
Source: https://docs.celeryq.dev/en/stable/userguide/canvas.html#map-starmap
"""

from collections.abc import Iterator

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.outline import Outline
from offcanvas.audit.rules import module_rule


@module_rule("CEL405", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
    """Alone in a group or chord it cannot be meant; alone in a message it may be."""
    for canvas in module.canvases:
        if canvas.kind in {"map", "starmap"}:
            yield module.remark(
                canvas.node,
                f"{_message(canvas)}; use group(task.s(...) for ...) for parallel work",
                doubt="one task for all items may be what is meant",
            )
            continue
        for outline in canvas.walk():
            for inner in _alone(outline):
                yield module.remark(
                    inner.node,
                    f"{_message(inner)}, and the {outline.kind} around it has nothing else to run "
                    "beside it; use task.s(...) for each item, or task.chunks(...).group()",
                )


def _alone(outline: Outline) -> Iterator[Outline]:
    """The only member of a group, or of a chord's header, when it is a map."""
    if outline.kind in {"group", "chord"} and len(outline.parts) == 1:
        only = outline.parts[0]
        if only.kind in {"map", "starmap"} and not only.repeated:
            yield only


def _message(outline: Outline) -> str:
    return f"{outline.name}.{outline.kind}() works on its items one after the other in one task"
