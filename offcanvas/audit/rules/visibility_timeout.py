"""Message that Redis or SQS hands out a second time while the first is still waiting or running.

Bad:
    from celery import Celery

    app = Celery("shop", broker="redis://localhost/0")

    @app.task
    def remind(user_id):
        ...

    def tomorrow(user_id):
        remind.apply_async((user_id,), countdown=24 * 60 * 60)
Good:
    from celery import Celery

    app = Celery("shop", broker="redis://localhost/0")
    app.conf.broker_transport_options = {"visibility_timeout": 2 * 60 * 60}

    @app.task
    def remind(user_id):
        ...

    def soon(user_id):
        remind.apply_async((user_id,), countdown=60 * 60)
Why: Redis and SQS deliver a message again that is not acknowledged within visibility_timeout
    (one hour on Redis, half an hour on SQS). A task with a longer countdown, or one that
    acknowledges late and runs longer, is executed again and again. A timeout of many hours cures
    that and makes the task of a dead worker wait as long.
Prefect: Has no such timeout; delays are kept in the server's database.
Temporal: Each activity has its own start-to-close and heartbeat timeouts; timers are durable.
Source: https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html#visibility-timeout
"""

from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Finding, Severity
from offcanvas.audit.index import literal
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._broker import TRANSPORT_OPTIONS, broker_of, transport_option
from offcanvas.audit.rules._seconds import distance, seconds, spoken

_DEFAULTS: Final = {"redis": 3600.0, "sentinel": 3600.0, "sqs": 1800.0}
_MANY: Final = 6 * 3600


@module_rule("CEL103", Severity.HIGH)
def check(module: Module) -> Iterator[Finding]:
    """Delays, late tasks with long limits, and a timeout of many hours."""
    project = module.project
    broker = broker_of(project, _DEFAULTS)
    if broker is None:
        return
    value, known = transport_option(project, "visibility_timeout")
    if not known or not isinstance(value, int | float | None):
        return
    timeout = float(value) if value is not None else _DEFAULTS[broker.scheme]
    yield from _delays(module, timeout, broker.doubt)
    yield from _limits(module, timeout, broker.doubt)
    for setting in project.settings.all(TRANSPORT_OPTIONS):
        late = project.settings.is_on("task_acks_late")
        if setting.path == module.path and value is not None and timeout > _MANY:
            yield project.finding(
                setting.path,
                setting.line,
                1,
                f"visibility_timeout is {spoken(timeout)}: that long the unacknowledged messages "
                "of a dead worker wait until they are delivered again",
                doubt=broker.doubt or ("" if late else "few wait without task_acks_late"),
            )


def _delays(module: Module, timeout: float, doubt: str) -> Iterator[Finding]:
    for send in module.sends:
        for option in ("countdown", "eta"):
            node = send.options.get(option)
            if node is None:
                continue
            delay = seconds(module, node) if option == "countdown" else distance(module, node)
            if delay is not None and delay > timeout:
                yield module.finding(
                    send.node,
                    f"{option} of {spoken(delay)} is longer than the visibility timeout of "
                    f"{spoken(timeout)}: the message is delivered again meanwhile and the task "
                    "runs several times",
                    doubt=doubt,
                )


def _limits(module: Module, timeout: float, doubt: str) -> Iterator[Finding]:
    project = module.project
    for function in module.tasks:
        task = function.task
        if task is None or literal(project.settings.of_task(task, "acks_late")) is not True:
            continue
        limit = literal(project.settings.of_task(task, "time_limit"))
        if isinstance(limit, int | float) and limit > timeout:
            yield module.finding(
                function.node,
                f"{task.name} acknowledges late and may run {spoken(limit)}, longer than the "
                f"visibility timeout of {spoken(timeout)}: it is then delivered to a second worker",
                doubt=doubt,
            )
