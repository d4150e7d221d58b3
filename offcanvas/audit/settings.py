"""The Celery settings of a project, wherever they are written.

Read are: `app.conf.x = ...`, `app.conf.update(...)`, keywords of `Celery(...)`, and what
`config_from_object` names: a module, a class, or Django settings under a namespace. Names of
Celery 3 are mapped to the names since Celery 4.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from offcanvas.audit.celery_options import OLD_NAMES, SETTINGS, TASK_OPTIONS
from offcanvas.audit.facts import ModuleFacts
from offcanvas.audit.index import Index, literal
from offcanvas.audit.names import APP
from offcanvas.audit.tasks import Task
from offcanvas.audit.values import Call, Const, Dict, Name, Value

_CONSTRUCTOR: Final = {"broker": "broker_url", "backend": "result_backend", "include": "include"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One written setting. `key` is Celery's name for it, None when Celery knows no such name."""

    key: str | None
    written: str
    value: Value
    path: str
    line: int


class Settings:
    """All written settings; a later file does not hide an earlier one, `all` shows every place."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.namespaces: set[str] = set()
        self.objects: list[str] = []
        self._find_config_objects()
        self.written: list[Setting] = [*self._read()]
        self.by_key: dict[str, list[Setting]] = {}
        for setting in self.written:
            if setting.key is not None:
                self.by_key.setdefault(setting.key, []).append(setting)

    def all(self, key: str) -> list[Setting]:
        """Every place that writes a setting (name since Celery 4: "task_acks_late")."""
        return self.by_key.get(key, [])

    def get(self, key: str) -> Setting | None:
        """The first place that writes a setting, or None."""
        return next(iter(self.all(key)), None)

    def value(self, key: str) -> Value:
        """The value a setting has: as written (names followed to literals), else the default."""
        setting = self.get(key)
        if setting is None:
            return Const(SETTINGS.get(key))
        facts = self.index.files[setting.path]
        return self.index.constant(facts, setting.value) or setting.value

    def literal(self, key: str) -> object:
        """The literal a setting has, its default when unwritten, None when it cannot be told."""
        return literal(self.value(key))

    def is_on(self, key: str) -> bool:
        """Whether a setting is true for certain in at least one place."""
        return any(
            literal(self.index.constant(self.index.files[s.path], s.value)) is True
            for s in self.all(key)
        ) or (not self.all(key) and SETTINGS.get(key) is True)

    def of_task(self, task: Task, option: str) -> Value:
        """The value of a task option: the task's own, else the setting it falls back to."""
        own = task.options.get(option)
        if own is not None:
            facts = self.index.files[task.path]
            return self.index.constant(facts, own) or own
        return self.value(TASK_OPTIONS.get(option, f"task_{option}"))

    @property
    def broker(self) -> str | None:
        """ "amqp", "redis", "sqs", ...: the scheme of the broker's address where it is written."""
        for setting in self.all("broker_url"):
            address = literal(self.index.constant(self.index.files[setting.path], setting.value))
            if isinstance(address, str) and ":" in address:
                scheme = address.partition(":")[0].lower()
                return {"pyamqp": "amqp", "amqps": "amqp", "rediss": "redis"}.get(scheme, scheme)
        return None

    def _find_config_objects(self) -> None:
        for facts in self.index.files.values():
            for loose in facts.loose:
                func = loose.call.func
                if not (isinstance(func, Name) and func.dotted.endswith(".config_from_object")):
                    continue
                space = literal(loose.call.keyword("namespace"))
                if space is None and len(loose.call.args) > 3:
                    space = literal(loose.call.args[3])
                if isinstance(space, str) and space:
                    self.namespaces.add(space.upper())
                source = loose.call.args[0] if loose.call.args else loose.call.keyword("obj")
                if isinstance(source, Const) and isinstance(source.value, str):
                    self.objects.append(source.value.replace(":", "."))
                elif isinstance(source, Name):
                    self.objects += self._behind(facts, source, loose.scope)

    def _behind(self, facts: ModuleFacts, source: Name, scope: str) -> Iterator[str]:
        """The module or class that a name stands for: all that a local variable may be."""
        place = f"{scope}.{source.dotted}"
        made = [c.func for c in facts.calls_assigned.get(place, ()) if isinstance(c.func, Name)]
        options = [*facts.names_assigned.get(place, ()), *made]
        for option in options or [source]:
            yield self.index.resolve(facts, option.dotted, scope)

    def _read(self) -> Iterator[Setting]:
        for facts in self.index.files.values():
            if facts.speaks_celery:
                yield from self._from_app(facts)
            yield from self._from_names(facts)
        of_objects = [
            setting
            for name in dict.fromkeys(self.objects)
            for setting in self._from_object(self.index.follow(name))
        ]
        # Two classes of settings may share a base.
        yield from {(s.path, s.line, s.written): s for s in of_objects}.values()

    def _from_app(self, facts: ModuleFacts) -> Iterator[Setting]:
        for store in facts.stores:
            app, conf, key = store.target.rpartition(".conf")
            if not conf or not self._is_app(facts, app, store.scope):
                continue
            name = key.lstrip(".") or store.key
            if name and "." not in name and name != "|=":
                yield self._setting(name, store.value, facts, store.line)
        for loose in facts.loose:
            func = loose.call.func
            if not isinstance(func, Name) or not func.dotted.endswith(".conf.update"):
                continue
            if not self._is_app(facts, func.dotted.removesuffix(".conf.update"), loose.scope):
                continue
            yield from self._pairs(facts, loose.call, loose.scope)
        calls = [v for v in facts.assigns.values() if isinstance(v, Call)]
        calls += [c for cs in facts.calls_assigned.values() for c in cs]
        for call in calls:
            if self.index.called(facts, call) == APP:
                for keyword, value in call.keywords:
                    known = _CONSTRUCTOR.get(keyword or "", keyword or "")
                    if known in SETTINGS:
                        yield self._setting(known, value, facts, call.line)

    def _pairs(self, facts: ModuleFacts, call: Call, scope: str) -> Iterator[Setting]:
        for key, value in call.keywords:
            if key is not None:
                yield self._setting(key, value, facts, call.line)
            else:
                yield from self._dict(facts, value, scope)
        for argument in call.args:
            yield from self._dict(facts, argument, scope)

    def _dict(self, facts: ModuleFacts, value: Value, scope: str) -> Iterator[Setting]:
        if isinstance(value, Name):
            assigned = self.index.value(self.index.resolve(facts, value.dotted, scope))
            if assigned is None:
                return
            facts, value = assigned
        if isinstance(value, Dict):
            for key, item, line in value.entries():
                yield self._setting(key, item, facts, line)

    def _from_names(self, facts: ModuleFacts) -> Iterator[Setting]:
        """`CELERY_TASK_ACKS_LATE = True` in a module or in a settings class."""
        spaces = tuple(f"{s}_" for s in self.namespaces) or ("CELERY_", "CELERYD_", "BROKER_")
        for name, value in facts.assigns.items():
            if name.startswith(spaces):
                yield self._setting(name, value, facts, facts.assign_lines[name])
        for class_ in facts.classes.values():
            for name, value in class_.attributes.items():
                if name.startswith(spaces):
                    yield self._setting(name, value, facts, class_.attribute_lines[name])
        for store in facts.stores:
            # CELERY_BEAT_SCHEDULE["a"] = {...} and |= {...} add to what the name was assigned.
            if store.target.startswith(spaces) and "." not in store.target:
                value = (
                    store.value
                    if store.key == "|="
                    else Dict(((Const(store.key), store.value, store.line),))
                )
                yield self._setting(store.target, value, facts, store.line)

    def _from_object(self, name: str) -> Iterator[Setting]:
        module = self.index.module(name)
        if module is not None:
            for key, value in module.assigns.items():
                if _known(key) is not None:
                    yield self._setting(key, value, module, module.assign_lines[key])
            return
        seen: set[str] = set()
        for ancestor in self.index.ancestors(name):
            found = self.index.class_(ancestor)
            if found is None:
                continue
            facts, class_ = found
            for key, value in class_.attributes.items():
                if key not in seen:
                    yield self._setting(key, value, facts, class_.attribute_lines[key])
            seen.update(class_.attributes)

    def _setting(self, written: str, value: Value, facts: ModuleFacts, line: int) -> Setting:
        return Setting(_known(written, self.namespaces), written, value, facts.path, line)

    def _is_app(self, facts: ModuleFacts, dotted: str, scope: str) -> bool:
        if self.index.instance(facts, Name(dotted), scope) == APP:
            return True
        calls = facts.calls_assigned.get(f"{scope}.{dotted}", ())
        return any(self.index.called(facts, call, scope) == APP for call in calls)


def _known(written: str, namespaces: Collection[str] = ()) -> str | None:
    """Celery's name for a setting as it is written, or None when Celery knows no such name."""
    if written in SETTINGS:
        return written
    for space in (*namespaces, "CELERY"):
        bare = written.removeprefix(f"{space}_")
        if bare != written and bare.isupper() and bare.lower() in SETTINGS:
            return bare.lower()
    for space in namespaces:
        bare = written.removeprefix(f"{space}_")
        if bare in OLD_NAMES:
            return OLD_NAMES[bare]
    return OLD_NAMES.get(written)
