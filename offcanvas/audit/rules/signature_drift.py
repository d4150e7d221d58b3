"""A task changed so that messages sent by the last release no longer fit it.

Bad:
    # file: tasks.py @ before
    from celery import shared_task

    @shared_task
    def charge(order_id):
        ...
    # file: tasks.py
    from celery import shared_task

    @shared_task
    def charge(order_id, currency):
        ...
Good:
    # file: tasks.py @ before
    from celery import shared_task

    @shared_task
    def charge(order_id):
        ...
    # file: tasks.py
    from celery import shared_task

    @shared_task
    def charge(order_id, currency=None):
        ...
Why: While a release is rolled out, queues hold messages of the old one, and so do countdowns,
    retries and chains under way, which carry the names and arguments of all their steps. A worker
    of the new release throws away a name it does not know and fails on arguments that do not fit.
    `--against REF` compares with what was released; without it this rule is silent.
Prefect: A deployment's parameter schema is checked when a run is created.
Temporal: patched() or worker versioning; replay saved histories before each release.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#names
"""

from collections.abc import Iterator
from typing import Final

from offcanvas.audit.facts import Params
from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import modules
from offcanvas.audit.project import Project
from offcanvas.audit.rules import project_rule
from offcanvas.audit.tasks import Task

_CURE: Final = "; keep the old form until the queues are drained, or give the new one a new name"


@project_rule("CEL503", Severity.HIGH)
def check(project: Project) -> Iterator[Remark]:
    """Every task of the earlier project, against the task of the same name."""
    before = project.before
    if before is None:
        return
    for old in before.tasks:
        new = project.tasks_by_name.get(old.name)
        if new is None:
            yield _gone(project, old)
            continue
        changes = [*_drift(before, old, new)]
        if changes:
            # A parameter put in front moves all that follow; what is certain comes first.
            changes.sort(key=lambda change: bool(change[1]))
            more = f" (and {len(changes) - 1} more changes)" if len(changes) > 1 else ""
            why, doubt = changes[0]
            yield Remark(
                new.path,
                new.line,
                new.column + 1,
                f"{new.name} {why}{more}: messages of the last release do not fit it{_CURE}",
                doubt=doubt,
                end_line=new.line,
            )


def _gone(project: Project, old: Task) -> Remark:
    """A task that no worker has any more: renamed, moved or removed."""
    known = {t.qualname: t for t in project.tasks}
    last = old.function.rpartition(".")[2]
    alike = [t for t in project.tasks if t.function.rpartition(".")[2] == last]
    now = known.get(old.qualname) or (alike[0] if len(alike) == 1 else None)
    if now is not None:
        return Remark(
            now.path,
            now.line,
            now.column + 1,
            f"the task {old.name!r} is now called {now.name!r}: queued messages of the old name "
            "are thrown away; keep the old name with name=..., or register both for a release",
            end_line=now.line,
        )
    facts = project.files.get(old.path)
    return Remark(
        old.path,
        min(old.line, facts.lines) if facts is not None and facts.lines else 1,
        1,
        f"the task {old.name!r} is gone: its queued messages are thrown away; keep it until the "
        "queues are drained",
        doubt=""
        if facts is not None and not project.unclear
        else "its file is gone or a task here cannot be read",
    )


def _drift(before: Project, old: Task, new: Task) -> Iterator[tuple[str, str]]:
    """(what changed, doubt) for every change that an old message can meet."""
    if old.params is None or new.params is None:
        return
    was, now = old.params, new.params
    defaults = {p.name: p.default for p in was.items}
    for param in now.items:
        if param.kind not in {"positional", "keyword"} or param.default:
            continue
        if param.name not in defaults and not _stands_in(was, now, param.name):
            yield f"has the new parameter {param.name!r} without a default", ""
        elif defaults.get(param.name, False):
            yield f"has no default for {param.name!r} any more", ""
    old_places, new_places = was.positional, now.positional
    for place, param in enumerate(old_places):
        there = new_places[place].name if place < len(new_places) else None
        if there == param.name:
            continue
        if param.name in now.names:
            if there is not None or now.most is not None:
                yield f"takes {param.name!r} at another place", ""
        elif there is not None and there not in was.names:
            doubt = "" if _by_name(before, old, param.name) else "no message names it by keyword"
            if not now.any_keyword:
                yield f"has renamed {param.name!r} to {there!r}", doubt
        elif not (now.any_keyword and now.most is None):
            yield f"has no parameter {param.name!r} any more", ""
    for param in was.items:
        if param.kind == "keyword" and param.name not in now.names and not now.any_keyword:
            yield f"has no parameter {param.name!r} any more", ""
    if was.any_keyword and not now.any_keyword:
        yield "takes no other keywords (**kwargs) any more", "nobody may have sent any"
    if was.most is None and now.most is not None:
        yield "takes no other arguments (*args) any more", "nobody may have sent any"


def _stands_in(was: Params, now: Params, name: str) -> bool:
    """Whether a new parameter has the place of one that is gone: that is a renaming."""
    names = [p.name for p in now.positional]
    if name not in names or names.index(name) >= len(was.positional):
        return False
    replaced = was.positional[names.index(name)]
    return replaced.name not in now.names and not replaced.default


def _by_name(before: Project, task: Task, param: str) -> bool:
    """Whether the earlier release sends this parameter by its name anywhere."""
    return any(
        send.task is task and (send.kwargs is None or param in send.kwargs)
        for module in modules(before)
        for send in module.sends
    )
