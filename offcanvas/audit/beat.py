"""The beat schedule of a project: settings, `add_periodic_task` and updates of either."""

from collections.abc import Iterator
from dataclasses import dataclass

from offcanvas.audit.index import Index, literal
from offcanvas.audit.settings import Settings
from offcanvas.audit.tasks import Task
from offcanvas.audit.values import Call, Dict, Name, Value


@dataclass(frozen=True, slots=True)
class BeatEntry:
    """One entry. task: the name it sends, None when it cannot be told. schedule: as written.

    resolved: the project's task of that name, or None. options: the keywords of the entry's
    "options" dictionary.
    """

    key: str
    task: str | None
    resolved: Task | None
    schedule: Value | None
    options: dict[str, Value]
    path: str
    line: int


def find_beat_entries(index: Index, settings: Settings, tasks: dict[str, Task]) -> list[BeatEntry]:
    """Every entry of every schedule, by file and line. `tasks` is by registered name."""
    by_place = {task.qualname: task for task in tasks.values()}
    entries = [*_from_settings(index, settings, tasks, by_place)]
    entries += _from_calls(index, by_place)
    return sorted(entries, key=lambda e: (e.path, e.line))


def _from_settings(
    index: Index, settings: Settings, tasks: dict[str, Task], by_place: dict[str, Task]
) -> Iterator[BeatEntry]:
    for setting in settings.all("beat_schedule"):
        facts = index.files[setting.path]
        schedule = setting.value
        if isinstance(schedule, Name):
            assigned = index.value(index.resolve(facts, schedule.dotted))
            if assigned is not None:
                facts, schedule = assigned
        if not isinstance(schedule, Dict):
            continue
        for key, entry, line in schedule.entries():
            if not isinstance(entry, Dict):
                continue
            said = entry.get("task")
            name = literal(index.constant(facts, said))
            task = tasks.get(name) if isinstance(name, str) else None
            if isinstance(said, Name) and said.dotted.endswith(".name"):
                task = by_place.get(index.resolve(facts, said.dotted.removesuffix(".name")))
                name = task.name if task is not None else None
            options = entry.get("options")
            yield BeatEntry(
                key=key,
                task=name if isinstance(name, str) else None,
                resolved=task,
                schedule=entry.get("schedule"),
                options={k: v for k, v, _ in options.entries()}
                if isinstance(options, Dict)
                else {},
                path=facts.path,
                line=line,
            )


def _from_calls(index: Index, by_place: dict[str, Task]) -> Iterator[BeatEntry]:
    """`sender.add_periodic_task(crontab(...), task.s(), name="x")`."""
    for facts in index.files.values():
        for loose in facts.loose:
            func = loose.call.func
            if not (isinstance(func, Name) and func.dotted.endswith(".add_periodic_task")):
                continue
            args = loose.call.args
            signature = args[1] if len(args) > 1 else loose.call.keyword("sig")
            task = None
            if isinstance(signature, Call) and isinstance(signature.func, Name):
                place = index.resolve(facts, signature.func.dotted.rpartition(".")[0], loose.scope)
                task = by_place.get(place)
            given = literal(loose.call.keyword("name"))
            yield BeatEntry(
                key=given if isinstance(given, str) else (task.name if task else "?"),
                task=task.name if task else None,
                resolved=task,
                schedule=args[0] if args else loose.call.keyword("schedule"),
                options={
                    k: v
                    for k, v in loose.call.keywords
                    if k and k not in {"name", "args", "kwargs", "sig", "schedule"}
                },
                path=facts.path,
                line=loose.call.line,
            )
