"""The Celery settings of a project, wherever they are written.

Read are: `app.conf.x = ...`, `app.conf.update(...)`, keywords of `Celery(...)`, and what
`config_from_object` names: a module, a class, a dictionary (Flask's `app.config["CELERY"]` too),
or Django settings under a namespace. Names of Celery 3 are mapped to the names since Celery 4.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from offcanvas.audit.apps import split
from offcanvas.audit.celery_options import OLD_NAMES, SETTINGS, TASK_OPTIONS
from offcanvas.audit.facts import ModuleFacts, Store
from offcanvas.audit.index import Index
from offcanvas.audit.resolution import literal
from offcanvas.audit.tables import entries
from offcanvas.audit.tasks import Task
from offcanvas.audit.told import DEFAULT, told
from offcanvas.audit.values import Call, Const, Dict, Item, Name, Value

_CONSTRUCTOR: Final = {"broker": "broker_url", "backend": "result_backend", "include": "include"}
_MAPS: Final = frozenset({"from_mapping", "update", "setdefault"})
"""What puts entries into Flask's configuration."""
_FILLS: Final = frozenset({"update", "setdefault"})
"""What writes several settings, or one: `app.conf.update(...)`, `.setdefault("x", 1)`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One written setting. `key` is Celery's name for it, None when Celery knows no such name."""

    key: str | None
    written: str
    value: Value
    path: str
    line: int
    scope: str = ""
    """The function that it is written in, "" outside of one."""


class Settings:
    """All written settings; a later file does not hide an earlier one, `all` shows every place."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.namespaces: set[str] = set()
        self.objects: list[str] = []
        self._mappings: list[tuple[ModuleFacts, Value, str]] = []
        self._find_config_objects()
        # A settings module under a namespace that is named as a module too is read twice.
        unique = {(s.path, s.line, s.written, s.value): s for s in self._read()}
        self.written: list[Setting] = [*unique.values()]
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
        """The value a setting has: as written (names followed to literals), else the default.

        What is read from the environment has its default there; `doubt` tells.
        """
        setting = self.get(key)
        return Const(SETTINGS.get(key)) if setting is None else self._shown(setting)[0]

    def doubt(self, key: str) -> str:
        """Why a setting may have another value when the program runs; "" when it has not."""
        setting = self.get(key)
        return "" if setting is None or self._shown(setting)[1] else DEFAULT

    def _shown(self, setting: Setting) -> tuple[Value, bool]:
        """(the value that a place writes, whether it is certain)."""
        facts = self.index.files[setting.path]
        value = self.index.constant(facts, setting.value) or setting.value
        known = told(self.index, facts, value, setting.scope)
        return (value, True) if known is None else (Const(known[0]), known[1])

    def literal(self, key: str) -> object:
        """The literal a setting has, its default when unwritten, None when it cannot be told."""
        return literal(self.value(key))

    def is_on(self, key: str) -> bool:
        """Whether a setting is true in at least one place, perhaps only by default (`doubt`)."""
        return any(self.turns_on(s) for s in self.all(key)) or (
            not self.all(key) and SETTINGS.get(key) is True
        )

    def turns_on(self, setting: Setting) -> bool:
        """Whether a place writes True, perhaps only as the default of what is read elsewhere."""
        return literal(self._shown(setting)[0]) is True

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
                if split(loose.call.func)[1] != "config_from_object":
                    continue
                space = loose.call.keyword("namespace")
                if space is None and len(loose.call.args) > 3:
                    space = loose.call.args[3]
                self._know_space(facts, space, loose.scope)
                source = loose.call.args[0] if loose.call.args else loose.call.keyword("obj")
                self._know_object(facts, source, loose.scope)
            if facts.speaks_celery:
                for call, scope in facts.calls():
                    if call.keywords and self.index.is_app(self.index.instance(facts, call, scope)):
                        self._know_space(facts, call.keyword("namespace"), scope)
                        self._know_object(facts, call.keyword("config_source"), scope)

    def _know_space(self, facts: ModuleFacts, value: Value | None, scope: str) -> None:
        space = literal(self.index.constant(facts, value, scope))
        if isinstance(space, str) and space:
            self.namespaces.add(
                space.upper().removesuffix("_")
            )  # Celery adds one unless it is there

    def _know_object(self, facts: ModuleFacts, source: Value | None, scope: str) -> None:
        if isinstance(source, Const) and isinstance(source.value, str):
            self.objects.append(source.value.replace(":", "."))
            return
        if source is None:
            return
        kept = self._looked_up(source)
        if kept is not None:
            self._know_item(*kept)
        elif any(entries(self.index, facts, source, scope)):
            self._mappings.append((facts, source, scope))
        elif isinstance(source, Name):
            self.objects += self._behind(facts, source, scope)
        elif isinstance(source, Call) and isinstance(source.func, Name):
            self.objects.append(self.index.resolve(facts, source.func.dotted, scope))

    def _looked_up(self, source: Value) -> tuple[Value, Value] | None:
        """(mapping, key) of `flask_app.config["CELERY"]` and `flask_app.config.get("CELERY")`."""
        if isinstance(source, Item):
            return source.base, source.key
        if isinstance(source, Call) and source.args:
            base, method = split(source.func)
            if method == "get" and base is not None:
                return base, source.args[0]
        return None

    def _know_item(self, base: Value, key: Value) -> None:
        """The dictionaries that `flask_app.config["CELERY"]` may be, wherever they are put in."""
        name = literal(key)
        if not isinstance(name, str) or _last(base) != "config":
            return
        for facts in self.index.files.values():
            for loose in facts.loose:
                owner, method = split(loose.call.func)
                if method in _MAPS and owner is not None and _last(owner) == "config":
                    given = [loose.call.keyword(name)]
                    given += [a.get(name) for a in loose.call.args if isinstance(a, Dict)]
                    self._mappings += [(facts, v, loose.scope) for v in given if v is not None]
            for store in facts.stores:
                if store.key == name and store.target.rpartition(".")[2] == "config":
                    self._mappings.append((facts, store.value, store.scope))
            # app.config.from_object("settings"): a module or a class with such a name.
            if name in facts.assigns:
                self._mappings.append((facts, facts.assigns[name], ""))
            for class_ in facts.classes.values():
                if name in class_.attributes:
                    self._mappings.append((facts, class_.attributes[name], ""))

    def _behind(self, facts: ModuleFacts, source: Name, scope: str) -> Iterator[str]:
        """The module or class that a name stands for: all that a local variable may be."""
        values = facts.local(scope, source.dotted) if scope else ()
        made = [v.func if isinstance(v, Call) else v for v in values]
        for option in [v for v in made if isinstance(v, Name)] or [source]:
            name = self.index.resolve(facts, option.dotted, scope)
            assigned = self.index.value(name)
            # settings = Settings(): the object of a class has what its class has.
            kind = self.index.instance(*assigned) if assigned is not None else None
            yield kind if kind is not None and self.index.class_(kind) is not None else name

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
        for facts, value, scope in self._mappings:
            yield from self._dict(facts, value, scope)
        # Two classes of settings may share a base.
        yield from {(s.path, s.line, s.written): s for s in of_objects}.values()

    def _from_app(self, facts: ModuleFacts) -> Iterator[Setting]:
        for store in facts.stores:
            yield from self._stored(facts, store)
        for loose in facts.loose:
            conf, method = split(loose.call.func)
            if conf is None:
                continue
            app, name = split(conf)
            if method == "add_defaults" or (method in _FILLS and name == "conf"):
                owner = conf if method == "add_defaults" else app
                if owner is not None and self._is_app(facts, owner, loose.scope):
                    yield from self._pairs(facts, loose.call, loose.scope)
            elif method == "update" and app is not None and name in SETTINGS:
                # app.conf.beat_schedule.update({...}) adds to what is written elsewhere.
                owner, attribute = split(app)
                of_app = attribute == "conf" and owner is not None
                if of_app and owner is not None and self._is_app(facts, owner, loose.scope):
                    for given in (*loose.call.args, *_spread(loose.call)):
                        yield self._setting(name, given, facts, loose.call.line, loose.scope)
        seen = set()
        for call, scope in facts.calls():
            if not call.keywords or (call.line, call.keywords) in seen:
                continue
            if self.index.is_app(self.index.instance(facts, call, scope)) and self._makes(
                facts, call, scope
            ):
                seen.add((call.line, call.keywords))
                for keyword, value in call.keywords:
                    known = _CONSTRUCTOR.get(keyword or "", keyword or "")
                    if known in SETTINGS:
                        yield self._setting(known, value, facts, call.line, scope)
                yield from self._dict(facts, call.keyword("changes") or Const(None), scope)

    def _makes(self, facts: ModuleFacts, call: Call, scope: str) -> bool:
        """Whether a call is that of an app's class, and not of a function that gives one back."""
        name = self.index.called(facts, call, scope)
        return self.index.is_app(name)

    def _stored(self, facts: ModuleFacts, store: Store) -> Iterator[Setting]:
        """`app.conf.x = 1`, `app.conf["x"] = 1`, `app.conf.beat_schedule["x"] = {...}`."""
        inner, name = split(store.owner)
        if inner is None:
            return
        app, conf = (inner, name) if name == "conf" else split(inner)
        if app is None or conf != "conf" or not self._is_app(facts, app, store.scope):
            return
        if name == "conf":
            if store.key not in {None, "|=", "?"}:
                yield self._setting(str(store.key), store.value, facts, store.line, store.scope)
        elif store.key in {None, "|="}:
            yield self._setting(name, store.value, facts, store.line, store.scope)
        else:
            entry = Dict(((Const(store.key), store.value, store.line),))
            yield self._setting(name, entry, facts, store.line, store.scope)

    def _pairs(self, facts: ModuleFacts, call: Call, scope: str) -> Iterator[Setting]:
        if split(call.func)[1] == "setdefault":
            key = literal(call.args[0]) if len(call.args) == 2 else None
            if isinstance(key, str):
                yield self._setting(key, call.args[1], facts, call.line, scope)
            return
        for key, value in call.keywords:
            if key is not None:
                yield self._setting(key, value, facts, call.line, scope)
            else:
                yield from self._dict(facts, value, scope)
        for argument in call.args:
            yield from self._dict(facts, argument, scope)

    def _dict(self, facts: ModuleFacts, value: Value, scope: str) -> Iterator[Setting]:
        for entry in entries(self.index, facts, value, scope):
            if entry.key.isidentifier():
                yield self._setting(entry.key, entry.value, entry.facts, entry.line, entry.scope)

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
                entry = Dict(((Const(store.key), store.value, store.line),))
                value = store.value if store.key == "|=" else entry
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

    def _setting(
        self, written: str, value: Value, facts: ModuleFacts, line: int, scope: str = ""
    ) -> Setting:
        return Setting(_known(written, self.namespaces), written, value, facts.path, line, scope)

    def _is_app(self, facts: ModuleFacts, value: Value, scope: str) -> bool:
        return self.index.is_app(self.index.instance(facts, value, scope))


def _last(value: Value) -> str:
    """The last word of a dotted expression: "config" of `app.config` and of `config`."""
    return split(value)[1] or (value.dotted if isinstance(value, Name) else "")


def _spread(call: Call) -> Iterator[Value]:
    """What is given by keyword, as one dictionary: `schedule.update(nightly={...})`."""
    if call.keywords:
        yield Dict(tuple((None if k is None else Const(k), v, call.line) for k, v in call.keywords))


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
