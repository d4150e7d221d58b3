"""Task that is sent long before it is due.

Bad:
    from celery import shared_task

    @shared_task
    def remind(user_id):
        ...

    def register(user_id):
        remind.apply_async((user_id,), countdown=35 * 60)
Good:
    from celery import shared_task

    @shared_task
    def send_due_reminders():
        \"\"\"Run by beat each minute: read the rows that are due and remind.\"\"\"

    def register(user, reminders):
        reminders.create(user=user, due_in_minutes=35)
Why: A message with an ETA is fetched by a worker at once and kept in its memory, unacknowledged,
    until it is due. Many of them fill the workers, a restart sends them around again, Redis and
    SQS deliver them twice after the visibility timeout, and nobody can list or cancel them.
Prefect: A run can be scheduled for later and is kept in the server's database.
Temporal: A workflow sleeps on a durable timer for any time.
Source: https://docs.celeryq.dev/en/stable/userguide/calling.html#eta-and-countdown
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._broker import brokers
from offcanvas.audit.rules._seconds import distance, seconds, spoken
from offcanvas.audit.sends import Send

_LONG: Final = 600
_RETRIES: Final = 3
"""Celery's own default of max_retries."""
_ADVICE = "keep a due time in the database and sweep it with a periodic task"


@module_rule("CEL205", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
    """Countdowns and ETAs above ten minutes; a back-off is judged at its last retry."""
    if _broker_holds_them(module):
        return
    for send in module.sends:
        for option in ("countdown", "eta"):
            node = send.options.get(option)
            if node is not None:
                yield from _judged(module, send, option, node)


def _judged(module: Module, send: Send, option: str, node: ast.expr) -> Iterator[Remark]:
    delay = (
        seconds(module, node, _last_retry(module, send))
        if option == "countdown"
        else distance(module, node)
    )
    if delay is not None and delay > _LONG:
        reaches = "reaches" if _varies(node) else "is"
        yield module.remark(
            send.node,
            f"{option} {reaches} {spoken(delay)}: a worker keeps the message in its memory "
            f"until then; {_ADVICE}",
        )
    elif delay is None and option == "eta":
        yield module.remark(
            send.node,
            f"eta={module.text(node)} may lie far ahead, and a worker keeps the message in its "
            f"memory until then; {_ADVICE}",
            doubt="how far cannot be told",
        )


def _varies(node: ast.expr) -> bool:
    """Whether the delay grows with the retries or is drawn by chance."""
    said = ast.unparse(node)
    return "request.retries" in said or "random" in said or "uniform" in said


def _last_retry(module: Module, send: Send) -> int:
    given = send.options.get("max_retries")
    said = module.literal(given) if given is not None else None
    task = module.task_around(send.node)
    if said is None and task is not None:
        said = task.literal("max_retries")
    most = said if isinstance(said, int) and not isinstance(said, bool) else _RETRIES
    return max(most - 1, 0)


def _broker_holds_them(module: Module) -> bool:
    """RabbitMQ's quorum queues delay messages by themselves, since Celery 5.5."""
    queue_type = module.project.settings.literal("task_default_queue_type")
    return queue_type == "quorum" and any(b.scheme == "amqp" for b in brokers(module.project))
