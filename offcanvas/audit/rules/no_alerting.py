"""Nothing in the code tells anybody that a task failed.

Bad:
    from celery import Celery

    app = Celery("shop")

    @app.task
    def charge(order_id):
        ...
Good:
    from celery import Celery
    from celery.signals import task_failure

    app = Celery("shop")

    @task_failure.connect
    def tell(sender, task_id, exception, **kwargs):
        print("page somebody", sender.name, task_id, exception)

    @app.task
    def charge(order_id):
        ...
Why: A task fails in a process that nobody looks at. Without a handler, an error tracker or events
    that are watched, the failure is a line in a log; and a queue that only grows fails nothing at
    all, so its length needs a probe of its own.
Prefect: Automations act on states of runs.
Temporal: Metrics of failures and of the time from schedule to start, per task queue.
Source: https://docs.celeryq.dev/en/stable/userguide/signals.html#task-failure
"""

from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.names import TASK
from offcanvas.audit.project import Project
from offcanvas.audit.rules import project_rule
from offcanvas.audit.values import Call

_HANDLES: Final = (
    *("celery.signals.task_failure", "celery.signals.task_postrun", "celery.signals.task_retry"),
    *("celery.events", "celery.app.events", "celery_exporter", "celery_prometheus", "flower"),
    *("airbrake", "appsignal", "bugsnag", "datadog", "ddtrace", "elasticapm", "honeybadger"),
    *("logfire", "newrelic", "opentelemetry", "prometheus_client", "django_prometheus", "raven"),
    *("rollbar", "scout_apm", "sentry_sdk", "statsd", "django_statsd", "django_datadog"),
)
"""What a project imports when it watches its tasks, or measures them."""
_WORDS: Final = ("task_failure", "task_postrun", "sentry_sdk", "send_task_error_emails")
_HOOKS: Final = frozenset({"on_failure", "after_return"})


@project_rule("CEL504", Severity.LOW)
def check(project: Project) -> Iterator[Remark]:
    """One finding at the app of a project that has tasks; events that are sent are a doubt."""
    app = _app(project)
    if app is None or not project.tasks or project.mentions(*_HANDLES) or _has_hook(project):
        return
    # `signals.task_failure.connect(...)` and imports by name are seen in the text alone.
    if any(word in project.text(p) for p in project.celery_files for word in _WORDS):
        return
    events = any(
        project.settings.is_on(k) for k in ("worker_send_task_events", "task_send_sent_event")
    )
    path, line = app
    yield Remark(
        path,
        line,
        1,
        "nothing in this code tells of a failed task (no task_failure handler, on_failure, error "
        "tracker or metrics): connect one, and watch the length of the queues",
        doubt="events are sent, so something outside may watch them" if events else "",
    )


def _app(project: Project) -> tuple[str, int] | None:
    """Where the first app is made; a library of shared tasks has none, and its user watches."""
    for facts in project.files.values():
        if not facts.speaks_celery:
            continue
        for name, line in facts.assign_lines.items():
            own = f"{project.index.name_of(facts)}.{name}"
            # What merely holds the app of another file is found there.
            if isinstance(facts.assigns[name], Call) and project.index.is_app(
                project.index.instance_of_name(own)
            ):
                return facts.path, line
        for call, scope in facts.calls():
            if project.index.is_app(project.index.instance(facts, call, scope)):
                return facts.path, call.line
    return None


def _has_hook(project: Project) -> bool:
    return any(
        _HOOKS & {*class_.methods} and TASK in project.index.ancestors(name)
        for name, (_, class_) in project.index.all_classes.items()
    )
