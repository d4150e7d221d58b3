"""Late acknowledgement that still loses the task of a worker that dies.

Bad:
    from celery import Celery

    app = Celery("shop", broker="amqp://localhost")
    app.conf.task_acks_late = True
Good:
    from celery import Celery

    app = Celery("shop", broker="amqp://localhost")
    app.conf.task_acks_late = True
    app.conf.task_reject_on_worker_lost = True
    app.conf.task_default_queue_type = "quorum"
Why: With acks_late a task is acknowledged after it ran, yet when the worker process is killed
    (out of memory, SIGKILL) Celery acknowledges the message anyway unless
    task_reject_on_worker_lost is set. With it, a task that kills its worker is delivered for ever
    unless the queue counts deliveries, which quorum queues do.
Prefect: Has no redelivery: a run whose process is killed stays Running until an automation on
    missing heartbeats marks it.
Temporal: Activities are at-least-once by default, with a retry policy that can be bounded.
Source: https://docs.celeryq.dev/en/stable/userguide/configuration.html#task-reject-on-worker-lost
"""

from collections.abc import Iterator

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.project import Project
from offcanvas.audit.resolution import literal
from offcanvas.audit.rules import project_rule
from offcanvas.audit.settings import Setting
from offcanvas.audit.tasks import Task


@project_rule("CEL101", Severity.HIGH)
def check(project: Project) -> Iterator[Remark]:
    """Judge the setting where it is written, and tasks that choose for themselves."""
    settings = project.settings
    late = next((s for s in settings.all("task_acks_late") if settings.turns_on(s)), None)
    lost = settings.literal("task_reject_on_worker_lost")
    if late is not None and not lost and not _all_choose(project):
        yield _about_setting(project, late)
    elif lost is True and not _deliveries_are_counted(project):
        place = settings.get("task_reject_on_worker_lost")
        if place is not None:
            yield Remark(
                place.path,
                place.line,
                1,
                "task_reject_on_worker_lost without a delivery limit: a task that kills its worker "
                f"comes back for ever; {_limit_for(project)}",
                doubt="the limit may be a policy of the broker",
                severity=Severity.MEDIUM,
            )
    yield from _about_tasks(project)


def _all_choose(project: Project) -> bool:
    """Whether every task says for itself what happens when its worker is killed."""
    return bool(project.tasks) and all(_rejects(project, task) for task in project.tasks)


def _limit_for(project: Project) -> str:
    """What counts deliveries on the broker of the project."""
    broker = project.settings.broker
    if broker == "sqs":
        return "give the queue a redrive policy (maxReceiveCount)"
    if broker not in {"amqp", None}:
        return f"{broker} counts none, so end a task that is redelivered (request.delivery_info)"
    return "use quorum queues (task_default_queue_type), or a delivery limit by policy"


def _about_tasks(project: Project) -> Iterator[Remark]:
    """One finding for each file: tasks written alike are cured alike."""
    by_file: dict[str, list[Task]] = {}
    for task in project.tasks:
        if literal(task.options.get("acks_late")) is True and not _rejects(project, task):
            by_file.setdefault(task.path, []).append(task)
    for path, (first, *others) in by_file.items():
        more = f"{len(others)} more task{'' if len(others) == 1 else 's'}"
        some = f" and {more} of this file" if others else ""
        yield Remark(
            path,
            first.line,
            first.column + 1,
            f"{first.name}{some} acknowledge{'' if others else 's'} late but not when the worker "
            "is killed: add reject_on_worker_lost=True, or task_reject_on_worker_lost for all",
            end_line=first.line,
            related=tuple((t.path, t.line, f"{t.name} as well") for t in others),
        )


def _about_setting(project: Project, late: Setting) -> Remark:
    unclear = project.settings.get("task_reject_on_worker_lost") is not None and (
        project.settings.literal("task_reject_on_worker_lost") is None
    )
    return Remark(
        late.path,
        late.line,
        1,
        "task_acks_late without task_reject_on_worker_lost: the message of a killed worker is "
        "acknowledged and its task lost; set both",
        doubt="task_reject_on_worker_lost is set to something that cannot be read"
        if unclear
        else project.settings.doubt("task_acks_late"),
    )


def _rejects(project: Project, task: Task) -> bool:
    # What cannot be read is not held against the task.
    value = project.settings.of_task(task, "reject_on_worker_lost")
    return literal(value) not in {False, None} or "reject_on_worker_lost" in task.options


def _deliveries_are_counted(project: Project) -> bool:
    if project.settings.broker not in {"amqp", None}:
        return False
    return project.settings.literal("task_default_queue_type") == "quorum" or bool(
        project.settings.all("task_queues")
    )
