"""A canvas or task that the source does not spell out.

Bad:
    from celery import chain, shared_task

    @shared_task
    def step(x): ...

    def run(signatures):
        chain(*signatures).delay()
Good:
    from celery import chain, shared_task

    @shared_task
    def step(x): ...

    def run(numbers):
        chain(*[step.si(n) for n in numbers]).delay()
Why: Members that come from a parameter, a file or a database are decided when the program runs.
    The audit says nothing about them rather than guess, and a port has to read them by eye.
Prefect: Plain Python in a flow can build the same work from data.
Temporal: Workflow code may build work from data that activities have returned.
Source: https://docs.celeryq.dev/en/stable/userguide/canvas.html
"""

from collections.abc import Iterator

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule


@module_rule("CEL000", Severity.PORTING)
def check(module: Module) -> Iterator[Remark]:
    """One finding for each canvas, at its first unknown member, and each unclear task."""
    for canvas in module.canvases:
        unknown = [part for part in canvas.walk() if part.kind == "unknown"]
        if unknown:
            more = f" (and {len(unknown) - 1} more members)" if len(unknown) > 1 else ""
            yield module.remark(
                canvas.node,
                f"cannot tell what this {canvas.kind} holds: {unknown[0].why}{more}",
            )
    for unclear in module.project.unclear:
        if unclear.path == module.path:
            yield Remark(
                unclear.path,
                unclear.line,
                unclear.column + 1,
                f"cannot tell whether {unclear.what} is a task: {unclear.why}",
            )
