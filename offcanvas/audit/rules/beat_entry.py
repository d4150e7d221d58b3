"""A periodic task that nobody has, that runs every minute by mistake, or that overtakes itself.

Bad:
    from celery import Celery
    from celery.schedules import crontab

    app = Celery("shop")
    app.conf.beat_schedule = {
        "report": {"task": "tasks.reprot", "schedule": crontab(hour=3)},
    }

    @app.task
    def report():
        ...
Good:
    from celery import Celery
    from celery.schedules import crontab

    app = Celery("shop")
    app.conf.beat_schedule = {
        "report": {"task": "tasks.report", "schedule": crontab(hour=3, minute=0)},
    }

    @app.task
    def report():
        ...
Why: Beat sends a name without knowing whether any worker has such a task. A field left out of
    crontab() means every: crontab(hour=3) runs sixty times from 3:00 to 3:59. Beat does not ask
    whether the last run is over, so short intervals pile up behind a slow run unless messages
    expire or a lock turns them away.
Prefect: A schedule of a deployment, with a concurrency limit of 1.
Temporal: A Schedule; its overlap policy is to skip by default.
Source: https://docs.celeryq.dev/en/stable/userguide/periodic-tasks.html#crontab-schedules
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.beat import BeatEntry
from offcanvas.audit.finding import Edit, Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.project import Project
from offcanvas.audit.resolution import literal
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._seconds import spoken
from offcanvas.audit.tasks import Task
from offcanvas.audit.values import Call, Const, Name

_CRONTAB: Final = "celery.schedules.crontab"
_FIELDS: Final = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")
_UNITS: Final = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_SHORT: Final = 60
"""Seconds; a task without a known limit may well take longer than a shorter interval."""
_GUARDS: Final = ("lock", "once", "singleton", "unique", "mutex", "semaphore", "cache.add")


@module_rule("CEL501", Severity.HIGH, fixes=True)
def check(module: Module) -> Iterator[Remark]:
    """Entries of the schedule written in this file, and every crontab."""
    for entry in module.project.beat:
        if entry.path == module.path:
            yield from _unknown(module.project, entry)
            yield from _overlap(module, entry)
            yield from _misfit(entry)
    for call in module.walk(ast.Call):
        if module.name(call.func) == _CRONTAB:
            yield from _every_minute(module, call)


def _unknown(project: Project, entry: BeatEntry) -> Iterator[Remark]:
    name = entry.task
    if name is None or entry.resolved is not None or name.startswith("celery."):
        return
    if any(t.name.endswith(f".{name}") or name.endswith(f".{t.name}") for t in project.tasks):
        return  # the same task from another import root
    head, dot, _ = name.partition(".")
    ours = {module.partition(".")[0] for module in project.index.module_names.values()}
    if not dot or head not in ours:
        return  # another package's
    owner, _, last = name.rpartition(".")
    doubt = ""
    if project.index.module(owner) is None:
        doubt = "no file of the project is that module"
    elif any("name" in t.options and t.literal("name") is None for t in project.tasks):
        doubt = "some tasks have a name that cannot be read"
    elif any(last == u.what.rpartition(".")[2] for u in project.unclear):
        doubt = "it cannot be told whether a function of that name is a task"
    near = sorted(t.name for t in project.tasks if t.name.rpartition(".")[2] == last)
    yield Remark(
        entry.path,
        entry.line,
        1,
        f"the periodic task {entry.key!r} sends {name!r}, which no worker has"
        + (f"; {near[0]!r} exists" if near else ""),
        doubt=doubt,
    )


def _misfit(entry: BeatEntry) -> Iterator[Remark]:
    """Arguments of an entry that its task cannot take: every run fails."""
    task = entry.resolved
    if task is None or task.params is None or entry.positional is None or entry.keywords is None:
        return
    if any(p.name == "self" for p in task.params.items[:1]):
        return  # bind-mismatch says it
    why = task.params.misfit(entry.positional, entry.keywords)
    if why is not None:
        yield Remark(
            entry.path,
            entry.line,
            1,
            f"the arguments of the periodic task {entry.key!r} do not fit: {task.name} {why}",
            doubt="its decorator may change its parameters" if task.kind == "wrapper" else "",
            related=((task.path, task.line, "defined here"),),
        )


def _overlap(module: Module, entry: BeatEntry) -> Iterator[Remark]:
    project, task = module.project, entry.resolved
    every = _interval(project, entry)
    if task is None or every is None or "expires" in entry.options or "expires" in task.options:
        return
    limits = [
        float(limit)
        for option in ("time_limit", "soft_time_limit")
        if isinstance(limit := literal(project.settings.of_task(task, option)), int | float)
    ]
    longest = min(limits, default=None)
    if every >= (_SHORT if longest is None else longest) or _is_guarded(project, task):
        return
    may = f"may take {spoken(longest)}" if longest is not None else "has no time limit"
    yield Remark(
        entry.path,
        entry.line,
        1,
        f"{task.name} is sent every {spoken(every)} and {may}: runs overlap and messages pile up; "
        f'set options={{"expires": {every:g}}} and take a lock in the task',
        doubt="it may always be done in time",
    )


def _interval(project: Project, entry: BeatEntry) -> float | None:
    """Seconds between two runs of an interval, or None for a crontab and what cannot be told."""
    facts = project.files[entry.path]
    value = project.index.constant(facts, entry.schedule)
    if isinstance(value, Const):
        said = value.value
        return float(said) if isinstance(said, int | float) and said else None
    if not isinstance(value, Call) or not isinstance(value.func, Name):
        return None
    name = project.index.resolve(facts, value.func.dotted)
    if name == "celery.schedules.schedule":
        inner = value.args[0] if value.args else value.keyword("run_every")
        value = project.index.constant(facts, inner)
        if isinstance(value, Const) and isinstance(value.value, int | float):
            return float(value.value)
        if not isinstance(value, Call) or not isinstance(value.func, Name):
            return None
        name = project.index.resolve(facts, value.func.dotted)
    if name != "datetime.timedelta" or value.args:
        return None
    total = 0.0
    for unit, amount in value.keywords:
        said = literal(project.index.constant(facts, amount))
        if unit not in _UNITS or not isinstance(said, int | float):
            return None
        total += said * _UNITS[unit]
    return total or None


def _is_guarded(project: Project, task: Task) -> bool:
    """Whether the task, its decorators or its base class speak of a lock."""
    there = Module.opened(project, task.path)
    function = there.function_named(task.function) if there is not None else None
    if there is None or function is None:
        return True  # nothing can be said about it
    words = [ast.unparse(d) for d in function.node.decorator_list]
    words += [ast.unparse(c.func) for c in there.inside(function.node, ast.Call)]
    words += [ast.unparse(w.context_expr) for w in there.inside(function.node, ast.withitem)]
    words.append(task.base or "")
    return any(guard in word.lower() for word in words for guard in _GUARDS)


def _every_minute(module: Module, call: ast.Call) -> Iterator[Remark]:
    if any(k.arg is None for k in call.keywords) or any(
        isinstance(a, ast.Starred) for a in call.args
    ):
        return
    given: dict[str, ast.expr] = dict(zip(_FIELDS, call.args, strict=False))
    given |= {k.arg: k.value for k in call.keywords if k.arg in _FIELDS}
    chosen = [f for f in _FIELDS[1:] if f in given and module.literal(given[f]) != "*"]
    if not chosen:
        return
    if "minute" not in given:
        missing = ["minute"] if "hour" in given else ["minute", "hour"]
        yield module.remark(
            call,
            f"{module.text(call)} runs every minute of the time it names; add "
            + ", ".join(f"{f}=0" for f in missing),
            edits=_edits(module, call, missing),
        )
    elif "hour" not in given and isinstance(module.literal(given["minute"]), int):
        yield module.remark(
            call,
            f"{module.text(call)} runs once in every hour of the days it names; add an hour",
            doubt="every hour may be what is meant",
        )


def _edits(module: Module, call: ast.Call, missing: list[str]) -> tuple[Edit, ...]:
    """`crontab(hour=3)` -> `crontab(minute=0, hour=3)`: at most once in each hour or day named."""
    named = [k for k in call.keywords if k.arg is not None]
    if call.args or not named:
        return ()
    first = named[0]
    added = "".join(f"{field}=0, " for field in missing)
    return (Edit(first.lineno, first.col_offset, first.lineno, first.col_offset, added),)
