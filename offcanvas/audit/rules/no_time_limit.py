"""Task that may run for ever.

Bad:
    from celery import Celery

    app = Celery("shop")

    @app.task
    def sync():
        ...
Good:
    from celery import Celery

    app = Celery("shop")

    @app.task(soft_time_limit=50, time_limit=60)
    def sync():
        ...
Why: A task that hangs (a socket without timeout, a lock) holds its worker process until somebody
    restarts it. When all processes hang, the queue stands still. Soft limits work in the prefork
    pool alone; gevent, eventlet, threads and solo ignore them.
Prefect: `timeout_seconds` of a flow or task.
Temporal: An activity cannot be started without start_to_close or schedule_to_close timeout.
Source: https://docs.celeryq.dev/en/stable/userguide/workers.html#time-limits
"""

from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.project import Project
from offcanvas.audit.rules import project_rule
from offcanvas.audit.tasks import Task
from offcanvas.audit.values import Const

_LIMITS: Final = ("time_limit", "soft_time_limit")
_NO_SOFT: Final = frozenset({"gevent", "eventlet", "threads", "solo"})
_NONE: Final = Const(None)
_SHOWN: Final = 5


@project_rule("CEL104", Severity.MEDIUM)
def check(project: Project) -> Iterator[Remark]:
    """One finding for the whole project, at its first task without a limit, naming others."""
    settings = project.settings
    pool = settings.literal("worker_pool")
    soft = settings.get("task_soft_time_limit")
    if pool in _NO_SOFT and soft is not None and settings.get("task_time_limit") is None:
        yield Remark(
            soft.path,
            soft.line,
            1,
            f"task_soft_time_limit does nothing in the pool {pool!r}; use task_time_limit where "
            "the pool has it, or timeouts in the tasks",
        )
    if any(settings.get(f"task_{limit}") is not None for limit in _LIMITS):
        return
    without = [t for t in project.tasks if not limited(project, t)]
    if not without:
        return
    first, *others = without
    more = f"{len(others)} other task{'' if len(others) == 1 else 's'}"
    many = f"{first.name} and {more} have" if others else f"{first.name} has"
    yield Remark(
        first.path,
        first.line,
        first.column + 1,
        f"{many} no time limit and can hang for ever: set task_time_limit and "
        "task_soft_time_limit for all, or give each its own",
        end_line=first.line,
        related=tuple((t.path, t.line, f"{t.name} has none either") for t in others[:_SHOWN]),
    )


def limited(project: Project, task: Task) -> bool:
    """Whether a task has a time limit of its own, or may get one out of sight.

    A limit that cannot be read is a limit, and a base class of another package may set one;
    `time_limit=None` is none.
    """
    if any(task.options.get(limit, _NONE) != _NONE for limit in _LIMITS):
        return True
    if task.base is None:
        return False
    index = project.index
    bases = [a for a in index.ancestors(task.base) if index.class_(a) is None]
    return any(not a.startswith(("celery.", "builtins.", "abc.", "typing.")) for a in bases)
