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
from functools import lru_cache
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module, modules
from offcanvas.audit.project import Project
from offcanvas.audit.resolution import literal
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._broker import broker_of, transport_option
from offcanvas.audit.rules._seconds import distance, seconds, spoken
from offcanvas.audit.rules.no_time_limit import limited
from offcanvas.audit.sends import Send
from offcanvas.audit.settings import Setting
from offcanvas.audit.tasks import Task

_DEFAULTS: Final = {"redis": 3600.0, "sentinel": 3600.0, "sqs": 1800.0}
_MANY: Final = 6 * 3600
_HOUR: Final = 3600
_SPARE: Final = 2
"""So many times its longest delay a timeout may be: somebody has thought of the delay."""


@module_rule("CEL103", Severity.HIGH)
def check(module: Module) -> Iterator[Remark]:
    """Delays, late tasks with long limits or none, and a timeout of many hours."""
    project = module.project
    broker = broker_of(project, _DEFAULTS)
    if broker is None:
        return
    option = transport_option(project, "visibility_timeout")
    if not option.known or not isinstance(option.value, int | float | None):
        return
    value = option.value
    timeout = float(value) if value is not None else _DEFAULTS[broker.scheme]
    doubt = broker.doubt or option.doubt
    yield from _delays(module, timeout, doubt)
    yield from _limits(module, timeout, doubt)
    yield from _no_limit(module, timeout, value is not None)
    if option.setting is not None and option.setting.path == module.path and timeout > _MANY:
        yield from _many_hours(project, option.setting, timeout, doubt)


def _many_hours(project: Project, setting: Setting, timeout: float, doubt: str) -> Iterator[Remark]:
    longest = longest_delay(project)
    if longest is not None and timeout <= longest * _SPARE:
        return  # a shorter one would deliver what waits so long twice
    late = project.settings.is_on("task_acks_late")
    yield Remark(
        setting.path,
        setting.line,
        1,
        f"visibility_timeout is {spoken(timeout)}: that long the unacknowledged messages "
        "of a dead worker wait until they are delivered again",
        doubt=doubt or ("" if late else "few wait without task_acks_late"),
        severity=None if late else Severity.MEDIUM,
    )


@lru_cache(maxsize=2)
def longest_delay(project: Project) -> float | None:
    """Seconds of the longest countdown or ETA that the project writes, or None."""
    known = [
        delay
        for module in modules(project)
        for send in module.sends
        for option in ("countdown", "eta")
        if (delay := _delay(module, send, option)) is not None
    ]
    return max(known, default=None)


def _delay(module: Module, send: Send, option: str) -> float | None:
    node = send.options.get(option)
    if node is None:
        return None
    return seconds(module, node) if option == "countdown" else distance(module, node)


def _delays(module: Module, timeout: float, doubt: str) -> Iterator[Remark]:
    for send in module.sends:
        for option in ("countdown", "eta"):
            delay = _delay(module, send, option)
            if delay is not None and delay > timeout:
                yield module.remark(
                    send.node,
                    f"{option} of {spoken(delay)} is longer than the visibility timeout of "
                    f"{spoken(timeout)}: the message is delivered again meanwhile and the task "
                    "runs several times",
                    doubt=doubt,
                )


def _limits(module: Module, timeout: float, doubt: str) -> Iterator[Remark]:
    project = module.project
    for function in module.tasks:
        task = function.task
        if task is None or literal(project.settings.of_task(task, "acks_late")) is not True:
            continue
        limit = literal(project.settings.of_task(task, "time_limit"))
        if isinstance(limit, int | float) and limit > timeout:
            yield module.remark(
                function.node,
                f"{task.name} acknowledges late and may run {spoken(limit)}, longer than the "
                f"visibility timeout of {spoken(timeout)}: it is then delivered to a second worker",
                doubt=doubt
                or next(
                    (d for o in ("acks_late", "time_limit") if (d := _unsure(project, task, o))), ""
                ),
            )


def _unsure(project: Project, task: Task, option: str) -> str:
    """Why an option may differ when the program runs, when a setting gives it."""
    return "" if option in task.options else project.settings.doubt(f"task_{option}")


def _no_limit(module: Module, timeout: float, written: bool) -> Iterator[Remark]:
    """Late acknowledgement for all, and nothing that ends a task before the timeout does."""
    settings = module.project.settings
    late = next((s for s in settings.all("task_acks_late") if s.path == module.path), None)
    if late is None or not settings.is_on("task_acks_late"):
        return
    if any(
        settings.get(f"task_{limit}") is not None for limit in ("time_limit", "soft_time_limit")
    ):
        return
    if not any(not limited(module.project, task) for task in module.project.tasks):
        return
    yield Remark(
        late.path,
        late.line,
        1,
        f"tasks acknowledge late and have no time limit: what runs longer than the visibility "
        f"timeout of {spoken(timeout)} is delivered to a second worker and runs twice; set "
        "task_time_limit below it",
        doubt="every task may be done by then",
        severity=None if written and timeout < _HOUR else Severity.MEDIUM,
    )
