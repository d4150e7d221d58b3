"""Chord whose header tasks keep no results, so that its body may never run.

Bad:
    from celery import Celery, chord

    app = Celery("shop", broker="amqp://localhost", backend="db+sqlite:///results.db")

    @app.task(ignore_result=True)
    def part(i):
        ...

    @app.task
    def end(results):
        ...

    def run():
        chord([part.s(i) for i in range(3)])(end.s())
Good:
    from celery import Celery, chord

    app = Celery("shop", broker="amqp://localhost", backend="db+sqlite:///results.db")

    @app.task(ignore_result=False)
    def part(i):
        ...

    @app.task
    def end(results):
        ...

    def run():
        chord([part.s(i) for i in range(3)])(end.s())
Why: Most backends start the body by looking at the results of the header, so a header that keeps
    none waits for ever. Redis counts the parts as they end and is not stopped by it, until the
    backend is changed; but where a part of the header ends in a group, it reads what is stored, and
    gives the body None for a result that is ignored. Without any backend a chord cannot be sent.
Prefect: Results of tasks are kept as long as the flow run needs them.
Temporal: Results of activities are part of the history.
Source: https://docs.celeryq.dev/en/stable/userguide/canvas.html#important-notes
"""

from collections.abc import Iterator

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.outline import Outline
from offcanvas.audit.resolution import literal
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._chords import chords
from offcanvas.audit.settings import Settings


@module_rule("CEL403", Severity.HIGH)
def check(module: Module) -> Iterator[Remark]:
    """The tasks in the header of each chord, and the backend of the project."""
    settings = module.project.settings
    for chord in chords(module):
        if _no_backend(settings):
            yield module.remark(
                chord.node,
                "a chord needs a result backend, and none is set: set result_backend",
                doubt="it may be set where the audit does not look",
            )
            continue
        doubt = _backend_doubt(settings)
        told = set()
        for part in chord.header:
            for outline in _counted(part):
                task = outline.task
                if task is None or task.name in told:
                    continue
                if literal(settings.of_task(task, "ignore_result")) is True:
                    told.add(task.name)
                    own = "ignore_result" in task.options
                    yield module.remark(
                        outline.node,
                        f"{task.name} ignores its result, which the chord in line "
                        f"{chord.node.lineno} waits for: its body may never run; set "
                        "ignore_result=False",
                        doubt=doubt or ("" if own else settings.doubt("task_ignore_result")),
                        related=((task.path, task.line, "defined here"),),
                    )


def _counted(part: Outline) -> Iterator[Outline]:
    """The tasks of a header whose end is counted: of a chain its last one."""
    if part.kind == "chain" and part.parts:
        yield from _counted(part.parts[-1])
    elif part.kind == "group":
        for inner in part.parts:
            yield from _counted(inner)
    elif part.kind == "chord" and part.body is not None:
        yield from _counted(part.body)
    elif part.kind == "task":
        yield part


def _no_backend(settings: Settings) -> bool:
    """The broker is written and a backend is not: the settings are in sight."""
    return settings.broker is not None and settings.get("result_backend") is None


def _backend_doubt(settings: Settings) -> str:
    for setting in settings.all("result_backend"):
        address = literal(
            settings.index.constant(settings.index.files[setting.path], setting.value)
        )
        if isinstance(address, str):
            if address.startswith(("redis", "sentinel")):
                return "the Redis backend counts the parts without their results"
            return ""
    return "the Redis backend would count the parts without their results"
