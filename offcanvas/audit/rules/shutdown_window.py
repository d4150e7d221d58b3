"""Worker that is stopped, or stops itself, in the middle of a task.

Bad:
    import sys

    from celery import Celery

    app = Celery("shop")

    @app.task
    def load(path):
        if not path:
            sys.exit(1)
Good:
    from celery import Celery

    app = Celery("shop")

    @app.task
    def load(path):
        if not path:
            raise ValueError("no path")
Why: sys.exit() and os._exit() in a task end the worker's process: the task ends as lost, others
    that the process had reserved are delivered again or are lost. With Redis or SQS a worker that
    is killed after its grace period keeps its unacknowledged messages hidden for the whole
    visibility timeout; worker_soft_shutdown_timeout gives them back. A process manager that kills
    the worker before the longest task may end (docker compose after 10 seconds by default,
    supervisor after 10, Heroku after 30, systemd after 90) makes every release lose tasks.
Prefect: SIGTERM marks a run as crashed.
Temporal: graceful_shutdown_timeout is 0 by default; the activity is tried again after its timeout.
Source: https://docs.celeryq.dev/en/stable/userguide/workers.html#soft-shutdown
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.project import Project
from offcanvas.audit.resolution import literal
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._broker import broker_of
from offcanvas.audit.rules._seconds import spoken

_EXITS: Final = frozenset({"sys.exit", "os._exit", "builtins.exit", "builtins.quit", "os.abort"})
_HIDING: Final = frozenset({"redis", "sentinel", "sqs"})


_DEVELOPMENT = "the file may be for development only"


def check_stops(project: Project) -> Iterator[Remark]:
    """Workers in compose files and the like that are killed before their longest task may end."""
    longest = _longest(project)
    soft = project.settings.literal("worker_soft_shutdown_timeout")
    for stop in project.stops:
        if longest is None or stop.grace is None or stop.grace >= longest:
            continue
        if isinstance(soft, int | float) and 0 < soft < stop.grace:
            continue
        by = "" if stop.written else " by default"
        yield Remark(
            stop.path,
            stop.line,
            1,
            f"{stop.manager} kills this worker {spoken(stop.grace)} after asking it to stop{by}, "
            f"and a task may run {spoken(longest)}: raise the grace period, or set "
            "worker_soft_shutdown_timeout below it and REMAP_SIGTERM=SIGQUIT",
            doubt=_DEVELOPMENT,
        )


def _longest(project: Project) -> float | None:
    """Seconds that the task with the highest limit may take, of those whose limit can be read."""
    limits = []
    for task in project.tasks:
        given = [
            literal(project.settings.of_task(task, o)) for o in ("soft_time_limit", "time_limit")
        ]
        known = [float(g) for g in given if isinstance(g, int | float) and not isinstance(g, bool)]
        if known:
            limits.append(min(known))
    return max(limits, default=None)


@module_rule("CEL106", Severity.MEDIUM, whole=check_stops)
def check(module: Module) -> Iterator[Remark]:
    """Exits in tasks, and late acknowledgement on Redis or SQS without a soft shutdown."""
    for call in module.walk(ast.Call):
        name = module.name(call.func)
        task = module.task_around(call) if name in _EXITS else None
        if task is not None:
            yield module.remark(
                call,
                f"{module.text(call)} ends the worker's process, not only {task.name}; "
                "raise an exception",
            )
    for raised in module.walk(ast.Raise):
        what = raised.exc.func if isinstance(raised.exc, ast.Call) else raised.exc
        task = module.task_around(raised)
        if task is not None and what is not None and module.name(what) == "builtins.SystemExit":
            yield module.remark(
                raised,
                f"SystemExit ends the worker's process, not only {task.name}; raise an exception",
            )
    yield from _no_soft_shutdown(module)


def _no_soft_shutdown(module: Module) -> Iterator[Remark]:
    settings = module.project.settings
    late = settings.get("task_acks_late")
    if late is None or late.path != module.path or not settings.is_on("task_acks_late"):
        return
    broker = broker_of(module.project, _HIDING)
    if broker is not None and settings.get("worker_soft_shutdown_timeout") is None:
        yield Remark(
            late.path,
            late.line,
            1,
            "tasks acknowledge late on "
            f"{broker.scheme} and worker_soft_shutdown_timeout is not set: the messages of a "
            "worker that is killed at its stop stay hidden until the visibility timeout",
            doubt="the process manager may wait for the longest task",
        )
