"""The beat schedule of a project: settings, `add_periodic_task` and updates of either."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from offcanvas.audit.apps import split
from offcanvas.audit.facts import ModuleFacts
from offcanvas.audit.index import Index
from offcanvas.audit.resolution import literal
from offcanvas.audit.settings import Settings
from offcanvas.audit.tables import Entry, entries
from offcanvas.audit.tables import field as field_of
from offcanvas.audit.tasks import Task
from offcanvas.audit.values import Call, Const, Dict, Name, Seq, Value


@dataclass(frozen=True, slots=True)
class BeatEntry:
    """One entry. task: the name it sends, None when it cannot be told. schedule: as written.

    resolved: the project's task of that name, or None. options: the keywords of the entry's
    "options" dictionary. positional, keywords: how many arguments it sends and the names of the
    others; None when they cannot be told. scope: the function that it is written in.
    """

    key: str
    task: str | None
    resolved: Task | None
    schedule: Value | None
    options: Mapping[str, Value]
    path: str
    line: int
    positional: int | None = 0
    keywords: tuple[str, ...] | None = field(default=())
    scope: str = ""


def find_beat_entries(
    index: Index, settings: Settings, tasks: Mapping[str, Task], by_place: Mapping[str, Task]
) -> list[BeatEntry]:
    """Every entry of every schedule, by file and line; tasks are given by name and by place."""
    found = [*_from_settings(index, settings, tasks, by_place)]
    found += _from_calls(index, by_place)
    unique = {(e.path, e.line, e.key): e for e in found}
    return sorted(unique.values(), key=lambda e: (e.path, e.line))


def _from_settings(
    index: Index, settings: Settings, tasks: Mapping[str, Task], by_place: Mapping[str, Task]
) -> Iterator[BeatEntry]:
    for setting in settings.all("beat_schedule"):
        facts = index.files[setting.path]
        for one in entries(index, facts, setting.value, setting.scope, setting.line):
            fields = [*entries(index, one.facts, one.value, one.scope, one.line)]
            if field_of(fields, "task") is not None or field_of(fields, "schedule") is not None:
                yield _entry(index, one, fields, tasks, by_place)


def _entry(
    index: Index,
    one: Entry,
    fields: list[Entry],
    tasks: Mapping[str, Task],
    by_place: Mapping[str, Task],
) -> BeatEntry:
    given = {f.key: f.value for f in fields}
    said = given.get("task")
    name = literal(index.constant(one.facts, said, one.scope))
    task = tasks.get(name) if isinstance(name, str) else None
    if isinstance(said, Name) and said.dotted.endswith(".name"):
        place = index.resolve(one.facts, said.dotted.removesuffix(".name"), one.scope)
        task = by_place.get(place)
        name = task.name if task is not None else None
    options = given.get("options")
    return BeatEntry(
        key=one.key,
        task=name if isinstance(name, str) else None,
        resolved=task,
        schedule=given.get("schedule"),
        options={e.key: e.value for e in entries(index, one.facts, options, one.scope)}
        if options is not None
        else {},
        path=one.facts.path,
        line=one.line,
        positional=_count(index, one.facts, given.get("args"), one.scope),
        keywords=_names(index, one.facts, given.get("kwargs"), one.scope),
        scope=one.scope,
    )


def _count(index: Index, facts: ModuleFacts, value: Value | None, scope: str) -> int | None:
    if value is None or value == Const(None):
        return 0
    known = index.constant(facts, value, scope)
    return len(known.items) if isinstance(known, Seq) else None


def _names(
    index: Index, facts: ModuleFacts, value: Value | None, scope: str
) -> tuple[str, ...] | None:
    if value is None or value == Const(None):
        return ()
    known = index.constant(facts, value, scope)
    if not isinstance(known, Dict):
        return None
    names = [k for k, _, _ in known.entries()]
    return tuple(names) if len(names) == len(known.items) else None


def _from_calls(index: Index, by_place: Mapping[str, Task]) -> Iterator[BeatEntry]:
    """`sender.add_periodic_task(crontab(...), task.s(), name="x")`."""
    for facts in index.files.values():
        for loose in facts.loose:
            if split(loose.call.func)[1] != "add_periodic_task":
                continue
            args = loose.call.args
            signature = args[1] if len(args) > 1 else loose.call.keyword("sig")
            task, how = None, ""
            if isinstance(signature, Call):
                owner, how = split(signature.func)
                if isinstance(owner, Name):
                    task = by_place.get(index.resolve(facts, owner.dotted, loose.scope))
            plain = isinstance(signature, Call) and how in {"s", "si"}
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
                positional=len(signature.args) if plain and isinstance(signature, Call) else None,
                keywords=_plain_keywords(signature) if plain else None,
                scope=loose.scope,
            )


def _plain_keywords(signature: Value | None) -> tuple[str, ...] | None:
    if not isinstance(signature, Call) or any(k is None for k, _ in signature.keywords):
        return None
    return tuple(k for k, _ in signature.keywords if k is not None)
