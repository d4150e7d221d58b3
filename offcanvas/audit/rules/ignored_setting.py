"""Setting that Celery does not know, so that it does nothing.

Bad:
    # file: shop/celery.py
    from celery import Celery

    app = Celery("shop")
    app.config_from_object("django.conf:settings", namespace="CELERY")
    # file: shop/settings.py
    CELERY_IGNORE_RESULTS = True
Good:
    # file: shop/celery.py
    from celery import Celery

    app = Celery("shop")
    app.config_from_object("django.conf:settings", namespace="CELERY")
    # file: shop/settings.py
    CELERY_TASK_IGNORE_RESULT = True
Why: Celery ignores names that it does not know without a word. A misspelled acks_late or time
    limit is believed to be in force and is not. A misspelled option of @app.task becomes an
    attribute of the task that nothing reads. The names of Celery 3 (CELERY_ACKS_LATE,
    CELERYD_PREFETCH_MULTIPLIER) are still mapped and are fine.
Prefect: Settings are typed and an unknown one is refused or warned about.
Temporal: Options are typed parameters, so that an unknown one is an error.
Source: https://docs.celeryq.dev/en/stable/userguide/configuration.html#new-lowercase-settings
"""

import difflib
import re
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.celery_options import (
    OLD_NAMES,
    READ_BY_BACKENDS,
    SETTINGS,
    TASK_OPTIONS,
)
from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.project import Project
from offcanvas.audit.rules import project_rule
from offcanvas.audit.settings import Setting

_OTHERS: Final = re.compile(
    r"(?i)(django_)?celery_?(beat_|beatx|email_|once|redbeat|singleton_?|progress|results_"
    r"|broker_transport|batches|exporter|prometheus|flower|app$|mongodb_scheduler)"
)
"""Names that packages around Celery read: django-celery-email, celery-redbeat and so on."""
_OPTIONS: Final = frozenset(TASK_OPTIONS) | {
    *("bind", "name", "base", "max_retries", "default_retry_delay", "trail", "send_events"),
    *("throws", "expires", "queue", "exchange", "routing_key", "typing", "resultrepr_maxsize"),
    *("autoretry_for", "dont_autoretry_for", "retry_backoff", "retry_backoff_max"),
    *("retry_jitter", "retry_kwargs", "pydantic", "pydantic_strict", "pydantic_context"),
    *("pydantic_dump_kwargs", "compression", "backend", "app", "shared", "lazy", "filter"),
    *("run_every", "acks_on_failure", "acks_on_timeout", "options", "abstract", "Strategy"),
    *("Request", "request_stack", "shadow_name", "track", "retry_on_worker_lost"),
}
"""What `@app.task(...)` and `Task` take."""
_CLOSE: Final = 0.86


@project_rule("CEL105", Severity.HIGH)
def check(project: Project) -> Iterator[Remark]:
    """Names under Celery's prefix that no version maps, unless the project reads them itself."""
    unknown = [s for s in project.settings.written if s.key is None]
    unknown = [s for s in unknown if not _OTHERS.match(s.written) and not _of_backend(project, s)]
    ours = _files_of_celery(project)
    unknown = [s for s in unknown if s.path in ours]
    used = _used(project, {s.written for s in unknown})
    for setting in unknown:
        if setting.written in used:
            continue
        meant = _meant(project, setting.written)
        if not meant and not setting.written.upper().startswith(_prefixes(project)):
            continue  # an attribute of a settings class that Celery gives to the application
        yield Remark(
            setting.path,
            setting.line,
            1,
            f"Celery does not know {setting.written} and ignores it"
            + (f"; {meant} is known" if meant else ""),
            doubt="" if meant else "another package may read it",
        )
    yield from _deduplication(project)
    yield from _task_options(project)


def _of_backend(project: Project, setting: Setting) -> bool:
    bare = setting.written
    for space in (*project.settings.namespaces, "CELERY"):
        bare = bare.removeprefix(f"{space}_")
    return bare.lower() in READ_BY_BACKENDS


def _files_of_celery(project: Project) -> set[str]:
    """Files whose settings reach Celery: those it is given, and under a namespace the settings.

    A constant with Celery's prefix in any other file is the program's own.
    """
    settings, index = project.settings, project.index
    given = {index.follow(name) for name in settings.objects}
    found = {f.path for name in given if (f := index.module(name)) is not None}
    found |= {place[0].path for name in given if (place := index.class_(name)) is not None}
    for setting in settings.written:
        if setting.key is not None or not setting.written.isupper():
            found.add(setting.path)  # its neighbours are read, or it is written to app.conf
    if settings.namespaces or not settings.objects:
        found |= {p for p in project.files if "settings" in p.lower() or "config" in p.lower()}
    return found


def _prefixes(project: Project) -> tuple[str, ...]:
    return tuple(f"{space}_" for space in (*project.settings.namespaces, "CELERY"))


def _task_options(project: Project) -> Iterator[Remark]:
    """`@app.task(ignore_results=True)` makes an attribute that nothing reads."""
    for task in project.tasks:
        base = project.index.class_(task.base) if task.base is not None else None
        for option in task.options:
            if option in _OPTIONS or (base is not None and option in base[1].attributes):
                continue
            near = difflib.get_close_matches(option, _OPTIONS, 1, _CLOSE)
            if near:
                yield Remark(
                    task.path,
                    task.line,
                    task.column + 1,
                    f"Celery does not know the option {option} of {task.name} and ignores it; "
                    f"{near[0]} is known",
                    end_line=task.line,
                )


def _deduplication(project: Project) -> Iterator[Remark]:
    backend = project.settings.literal("result_backend")
    place = project.settings.get("worker_deduplicate_successful_tasks")
    if place is None or not project.settings.is_on(place.key or ""):
        return
    if isinstance(backend, str) and backend.startswith(("rpc", "amqp")):
        yield Remark(
            place.path,
            place.line,
            1,
            "worker_deduplicate_successful_tasks does nothing with the rpc:// backend, which "
            "cannot look a result up; use a persistent result backend",
        )


def _meant(project: Project, written: str) -> str:
    """The known setting that a name is nearly: one or two letters off, or a lost prefix."""
    spaces = [*project.settings.namespaces, "CELERY"]
    bare = written
    for space in spaces:
        bare = bare.removeprefix(f"{space}_")
    near = difflib.get_close_matches(bare.lower(), SETTINGS, 1, _CLOSE)
    old = {name.removeprefix("CELERY_").lower(): new for name, new in OLD_NAMES.items()}
    if not near:
        close = difflib.get_close_matches(bare.lower(), old, 1, _CLOSE)
        near = [old[close[0]]] if close else []
    if not near:
        return ""
    upper = written.isupper()
    return f"{spaces[0]}_{near[0].upper()}" if upper else near[0]


def _used(project: Project, names: set[str]) -> set[str]:
    """The names that some file of the project reads, as a word, beside where it is assigned."""
    if not names:
        return set()
    words = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    # An assignment is no use, nor is the name of an environment variable: `env("CELERY_X")`.
    pattern = re.compile(
        rf"""(?<![\w"'])({words})\b(?!\s*(?::[^=\n]*)?=[^=])|getattr\([^()]*["']({words})["']"""
    )
    used: set[str] = set()
    for path in project.files:
        text = project.text(path)
        used.update(m.group(1) or m.group(2) for m in pattern.finditer(text))
    return used
