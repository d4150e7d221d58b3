"""What is a Celery app by what is done with it, wherever its class comes from.

An app made by a library, by `import_string(...)` or by a factory out of sight is recognised by
what only an app has: `config_from_object()`, `autodiscover_tasks()`, Celery's settings on its
`conf`, `register_task()` of a task class, or `.task` used as Celery's decorator is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from offcanvas.audit.celery_options import SETTINGS
from offcanvas.audit.facts import ModuleFacts
from offcanvas.audit.index import Index
from offcanvas.audit.names import TASK
from offcanvas.audit.values import Call, Dict, Item, Member, Name, Value

_ONLY_OF_APPS: Final = frozenset({"config_from_object", "autodiscover_tasks"})
_ONLY_OF_CELERY: Final = frozenset(
    {"bind", "acks_late", "ignore_result", "autoretry_for", "dont_autoretry_for", "retry_backoff"}
    | {"reject_on_worker_lost", "soft_time_limit", "track_started", "default_retry_delay"}
    | {"store_errors_even_if_ignored", "acks_on_failure_or_timeout", "max_retries", "rate_limit"}
)
"""Options of `.task(...)` that decorators of other libraries do not have."""
_OTHERS: Final = (
    *("prefect", "invoke", "fabric", "airflow", "luigi", "dramatiq", "locust", "huey", "taskiq"),
    *("procrastinate", "rocketry", "arq", "rq", "django_q", "django.tasks"),
)
"""Libraries whose decorators are also called task."""


def is_of_another_library(name: str) -> bool:
    """Whether a canonical name belongs to a library that has tasks of its own."""
    return any(name == other or name.startswith(f"{other}.") for other in _OTHERS)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Something that acts as an app where it is named by `owner`."""

    facts: ModuleFacts
    owner: Value
    scope: str


def find_apps(index: Index) -> None:
    """Find what acts as an app and tell the index; twice, because apps lead to others."""
    for _ in range(2):
        places: set[str] = set()
        classes: set[str] = set()
        for facts in index.files.values():
            if not facts.speaks_celery:
                continue
            for seen in _acting(index, facts):
                kind = index.instance(facts, seen.owner, seen.scope)
                if index.is_app(kind) or kind in {TASK, "celery.Signature"}:
                    continue
                if kind is not None:
                    classes.add(_foreign(index, kind))
                    continue
                made_by = _class_of(index, facts, seen)
                if made_by is not None:
                    classes.add(made_by)
                place = index.place(facts, seen.owner, seen.scope)
                if place is not None and not is_of_another_library(place):
                    places.add(place)
        if not places and not classes:
            return
        index.know_apps(places, classes)


def _acting(index: Index, facts: ModuleFacts) -> Iterator[_Seen]:
    for loose in facts.loose:
        owner, method = split(loose.call.func)
        if owner is None:
            continue
        if method in _ONLY_OF_APPS or (
            method == "register_task" and _of_task_class(index, facts, loose.call, loose.scope)
        ):
            yield _Seen(facts, owner, loose.scope)
        elif method == "update":
            app, conf = split(owner)
            if app is not None and conf == "conf" and _keys(loose.call) & SETTINGS.keys():
                yield _Seen(facts, app, loose.scope)
    for store in facts.stores:
        owner, key = split(store.owner)
        app, conf = split(owner) if owner is not None else (None, "")
        if app is not None and conf == "conf" and key in SETTINGS:
            yield _Seen(facts, app, store.scope)
    for function in facts.functions.values():
        for decorator in function.decorators:
            scope = function.qualname.rpartition(".")[0]
            owner = _decorates(index, facts, decorator, scope)
            if owner is not None:
                yield _Seen(facts, owner, scope)


def _keys(call: Call) -> set[str | None]:
    """The keys that `conf.update(a=1)` and `conf.update({"a": 1})` name."""
    keys = {k for k, _ in call.keywords}
    for argument in call.args:
        if isinstance(argument, Dict):
            keys |= {k for k, _, _ in argument.entries()}
    return keys


def split(value: Value) -> tuple[Value | None, str]:
    """`app.conf` as (app, "conf"), whatever app is; (None, "") for what is not an attribute."""
    if isinstance(value, Name):
        owner, dot, attribute = value.dotted.rpartition(".")
        return (Name(owner), attribute) if dot else (None, "")
    return (value.base, value.attr) if isinstance(value, Member) else (None, "")


def _of_task_class(index: Index, facts: ModuleFacts, call: Call, scope: str) -> bool:
    given = call.args[0] if call.args else None
    name = given.func if isinstance(given, Call) else given
    return isinstance(name, Name) and TASK in index.ancestors(
        index.resolve(facts, name.dotted, scope)
    )


def _decorates(index: Index, facts: ModuleFacts, decorator: Value, scope: str) -> Value | None:
    """The owner of `@owner.task(...)` where options or its name say that it is Celery's."""
    func = decorator.func if isinstance(decorator, Call) else decorator
    owner, method = split(func)
    if owner is None or method not in {"task", "periodic_task"}:
        return None
    options = {k for k, _ in decorator.keywords} if isinstance(decorator, Call) else set()
    place = index.place(facts, owner, scope) or ""
    if is_of_another_library(place) or _is_settled(index, place):
        return None
    if options & _ONLY_OF_CELERY or speaks_of_celery(owner):
        return owner
    return owner if "celery" in place.lower().rpartition(":")[2] else None


def speaks_of_celery(owner: Value) -> bool:
    """Whether an object is called after Celery: `celery_app`, `registry["celery"]`."""
    if isinstance(owner, Name):
        return "celery" in owner.dotted.lower()
    if isinstance(owner, Member):
        return "celery" in owner.attr.lower() or speaks_of_celery(owner.base)
    if isinstance(owner, Item):
        return speaks_of_celery(owner.base) or "celery" in str(getattr(owner.key, "value", ""))
    return False


def _is_settled(index: Index, place: str) -> bool:
    """Whether a name of the project is a module, a function or a class: no app."""
    return (
        index.module(place) is not None
        or index.function(place) is not None
        or index.class_(place) is not None
    )


def _class_of(index: Index, facts: ModuleFacts, seen: _Seen) -> str | None:
    """The class outside of the project that the acting object is made by, if that is in sight."""
    place = index.place(facts, seen.owner, seen.scope) or ""
    assigned = index.value(place)
    if assigned is None and isinstance(seen.owner, Name):
        values = facts.local(seen.scope, seen.owner.dotted)
        assigned = (facts, values[0]) if len(values) == 1 else None
    if assigned is None or not isinstance(assigned[1], Call):
        return None
    name = index.called(assigned[0], assigned[1], seen.scope)
    if name is None or name.startswith("?.") or index.find(name) is not None:
        return None
    # A class is written in capitals; a function gives one app, not a class of them.
    return name if name.rpartition(".")[2][:1].isupper() else None


def _foreign(index: Index, kind: str) -> str:
    """The class outside of the project that a class of the project is derived from."""
    return [*index.ancestors(kind)][-1]
