"""A task in a chain or chord body that has no place for its predecessor's result, or misses it.

Bad:
    from celery import shared_task

    @shared_task
    def fetch(url):
        return url

    @shared_task
    def notify(user_id):
        ...

    def run(url, user_id):
        (fetch.s(url) | notify.s(user_id)).delay()
Good:
    from celery import shared_task

    @shared_task
    def fetch(url):
        return url

    @shared_task
    def notify(user_id):
        ...

    def run(url, user_id):
        (fetch.s(url) | notify.si(user_id)).delay()
Why: `.s()` gets the result of the task before it as first argument, `.si()` does not. One argument
    too many or too few fails only when the chain has come that far.
Prefect: Results are passed as explicit values.
Temporal: Results are passed as explicit values.
Source: https://docs.celeryq.dev/en/stable/userguide/canvas.html#immutability
"""

from collections.abc import Iterator

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.outline import Outline
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._parameters import hands_over_others, may_change


@module_rule("CEL406", Severity.HIGH)
def check(module: Module) -> Iterator[Remark]:
    """Every signature of every canvas, with what precedes it."""
    for canvas in module.canvases:
        yield from _inside(module, canvas, follows=False)


def _inside(module: Module, outline: Outline, follows: bool) -> Iterator[Remark]:
    if outline.kind == "task":
        message, task = _misfit(outline, follows), outline.task
        if message is not None and task is not None and not hands_over_others(module, task):
            yield module.remark(
                outline.node,
                message,
                doubt=may_change(module, task),
                related=((task.path, task.line, "defined here"),),
            )
    elif outline.kind == "chain":
        for part in outline.parts:
            # What an unknown part gives to the next one is unknown only in value: it gives one.
            yield from _inside(module, part, follows)
            follows = follows or not part.optional
    elif outline.kind in {"group", "chord"}:
        for part in outline.parts:
            yield from _inside(module, part, follows)
        if outline.body is not None:
            yield from _inside(module, outline.body, True)


def _misfit(outline: Outline, follows: bool) -> str | None:
    params = outline.task.params if outline.task is not None else None
    if params is None or outline.args is None or outline.kwargs is None or not follows:
        return None  # the first task of a canvas may be given arguments when it is sent
    positional = len(outline.args)
    given = positional + (0 if outline.immutable else 1)
    why = params.misfit(given, outline.kwargs)
    if why is None:
        return None
    name = outline.name
    if outline.immutable:
        cure = " (.si() drops the previous result; .s() would pass it)"
        return f"{name} {why}{cure if params.misfit(given + 1, outline.kwargs) is None else ''}"
    cure = "; use .si()" if params.misfit(positional, outline.kwargs) is None else ""
    return f"{name} {why} when the previous result comes first{cure}"
