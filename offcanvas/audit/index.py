"""Join the facts of all files: what a name stands for, and the class that an object is of."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Final

from offcanvas.audit.facts import ClassFacts, ModuleFacts
from offcanvas.audit.names import APP, GIVES, INSTANCES, REGISTRY, TASK
from offcanvas.audit.resolution import Resolution, literal
from offcanvas.audit.values import Call, Const, Dict, Either, Item, Member, Name, Value

_FULL: Final = 5
"""Steps that are left when a variable is looked at by itself and not on the way to another."""


class Index(Resolution):
    """Objects and their classes, over the resolution of names."""

    def __init__(self, facts: Iterable[ModuleFacts]) -> None:
        super().__init__(facts)
        self._tasks: frozenset[str] = frozenset()
        self._apps: frozenset[str] = frozenset()
        self._app_classes: frozenset[str] = frozenset()
        self._is_app: dict[str, bool] = {}
        self._locals: dict[tuple[str, str], str | None] = {}
        self._given: dict[str, str | None] = {}
        self._instances: dict[str, str | None] = {}

    def know_tasks(self, names: Iterable[str]) -> None:
        """Tell the index which canonical names are tasks, once they have been found through it."""
        self._tasks = frozenset(names)
        self._instances.clear()
        self._given.clear()
        self._locals.clear()

    def know_apps(self, places: Iterable[str], classes: Iterable[str]) -> None:
        """Tell the index what acts as a Celery app: places (see `place`) and foreign classes."""
        self._apps |= frozenset(places)
        self._app_classes |= frozenset(classes)
        self._instances.clear()
        self._given.clear()
        self._is_app.clear()
        self._locals.clear()

    @property
    def knows_apps(self) -> bool:
        """Whether something was found that acts as an app."""
        return bool(self._apps or self._app_classes)

    def is_app(self, kind: str | None) -> bool:
        """Whether a class is Celery's app, one that is derived from it, or one that acts so."""
        if kind is None:
            return False
        if kind not in self._is_app:
            self._is_app[kind] = APP in self.ancestors(kind)
        return self._is_app[kind]

    def place(self, facts: ModuleFacts, value: Value, scope: str = "") -> str | None:
        """Where an object is kept, to recognise it elsewhere: a canonical name, or
        "path:function.name" for a local variable. None when it is kept nowhere."""
        if not isinstance(value, Name):
            return None
        name = self._attribute_name(facts, value.dotted, scope)
        if name is None:
            name = self.resolve(facts, value.dotted, scope)
        if not name.startswith("?."):
            return name
        within, head = scope, value.dotted.partition(".")[0]
        while within and f"{within}.{head}" not in facts.locals:
            within = within.rpartition(".")[0]
        return f"{facts.path}:{within or scope}.{value.dotted}"

    def ancestors(self, name: str) -> Iterator[str]:
        """The class and its bases, nearest first; the last ones may lie outside of the project."""
        queue, seen = [name], set()
        while queue:
            current = queue.pop(0)
            if current in seen:
                continue
            seen.add(current)
            yield current
            if current in self._app_classes:
                queue.append(APP)
            found = self.class_(current)
            if found is not None:
                facts, class_ = found
                scope = class_.qualname.rpartition(".")[0]
                for base in class_.bases:
                    queue += self._bases(facts, base, scope)

    def _bases(self, facts: ModuleFacts, base: Value, scope: str) -> Iterator[str]:
        """What a base is: a name, `app.Task`, or a local name for one of them."""
        if not isinstance(base, Name):
            return
        owner, dot, attribute = base.dotted.rpartition(".")
        if dot and attribute == "Task" and self.is_app(self.instance(facts, Name(owner), scope)):
            yield TASK
            return
        name = self.resolve(facts, base.dotted, scope)
        local = facts.local(scope, base.dotted) if scope and name.startswith("?.") else ()
        for value in local:
            yield from self._bases(facts, value, scope)
        if not local:
            yield name

    def above(self, name: str) -> str | None:
        """The class that `super()` starts from; for a mixin that of an app or a task beside it."""
        found = next(islice(self.ancestors(name), 1, None), None)
        if found is None and name in self._beside:
            kinds = {a for derived in self._beside[name] for a in self.ancestors(derived)}
            found = next((k for k in (APP, TASK) if k in kinds), None)
        return found

    @cached_property
    def _beside(self) -> Mapping[str, tuple[str, ...]]:
        """Class of the project -> classes that name it first among several bases."""
        found: dict[str, tuple[str, ...]] = {}
        for name, (facts, class_) in self.all_classes.items():
            for base in class_.bases[:-1]:
                for own in self._bases(facts, base, class_.qualname.rpartition(".")[0]):
                    found[own] = (*found.get(own, ()), name)
        return found

    def attribute(self, class_name: str, attribute: str) -> Value | None:
        """The value a class or one of its bases in the project gives an attribute."""
        for ancestor in self.ancestors(class_name):
            found = self.class_(ancestor)
            if found is not None and attribute in found[1].attributes:
                return found[1].attributes[attribute]
        return None

    def instance(
        self, facts: ModuleFacts, value: Value, scope: str = "", hops: int = 6
    ) -> str | None:
        """The class that a value is an object of, as far as it can be told from assignments."""
        if hops <= 0:
            return None
        if isinstance(value, Either):
            kinds = {self.instance(facts, v, scope, hops - 1) for v in value.options} - {None}
            return kinds.pop() if len(kinds) == 1 else None
        if isinstance(value, Name):
            return self._instance_of_dotted(facts, value.dotted, scope, hops)
        if isinstance(value, Member):
            kind = self.instance(facts, value.base, scope, hops - 1)
            return None if kind is None else self.instance_of_name(self.method(kind, value.attr))
        if isinstance(value, Call):
            if isinstance(value.func, Name) and value.func.dotted == "super":
                class_ = self._class_around(facts, scope)
                return self.above(class_) if class_ else None
            called = self.called(facts, value, scope, hops - 1)
            return None if called is None else self.given_by(called)
        if isinstance(value, Item):
            return self._instance_of_item(facts, value, scope, hops)
        return None

    def _instance_of_dotted(
        self, facts: ModuleFacts, dotted: str, scope: str, hops: int
    ) -> str | None:
        name = self.resolve(facts, dotted, scope)
        kind = self.instance_of_name(name)
        if kind is not None:
            return kind
        attribute = self._attribute_name(facts, dotted, scope, hops)
        if attribute is not None:
            return self.instance_of_name(attribute)
        if not name.startswith("?."):
            return None
        if "." in dotted:
            return APP if self.place(facts, Name(dotted), scope) in self._apps else None
        return self._instance_of_local(facts, dotted, scope, hops)

    def _attribute_name(
        self, facts: ModuleFacts, dotted: str, scope: str, hops: int = 6
    ) -> str | None:
        """`self.app` as "module.Holder.app": an attribute of an object whose class is known."""
        owner, dot, attribute = dotted.rpartition(".")
        if not dot or hops <= 0:
            return None
        kind = self.instance(facts, Name(owner), scope, hops - 1)
        return None if kind is None else self.method(kind, attribute)

    def _instance_of_local(
        self, facts: ModuleFacts, name: str, scope: str, hops: int
    ) -> str | None:
        """The class of a local variable or a parameter, `self` included."""
        key = (f"{facts.path}:{scope}", name)
        if key in self._locals:
            return self._locals[key]
        self._locals[key] = None  # a variable that is assigned from itself is nothing
        kind = self._look_at_local(facts, name, scope, hops)
        if kind is None and hops < _FULL:
            del self._locals[key]  # it may be told from nearer by
        else:
            self._locals[key] = kind
        return kind

    def _look_at_local(self, facts: ModuleFacts, name: str, scope: str, hops: int) -> str | None:
        if self.place(facts, Name(name), scope) in self._apps:
            return APP
        within = scope
        while within:
            said = facts.annotations.get(f"{within}.{name}")
            if isinstance(said, Name):
                kind = self.resolve(facts, said.dotted, within)
                return kind if self.is_app(kind) else None
            values = facts.locals.get(f"{within}.{name}")
            if values is not None:
                kinds = {self.instance(facts, v, within, hops - 1) for v in values} - {None}
                return kinds.pop() if len(kinds) == 1 else None
            function = facts.functions.get(within)
            first = next(iter(function.params.items), None) if function is not None else None
            if function is not None and first is not None and first.name == name:
                if function.owner is None or function.decorators:
                    return None  # of a static or class method it is not an object of the class
                return f"{self.name_of(facts)}.{function.owner}"
            within = within.rpartition(".")[0]
        return None

    def _class_around(self, facts: ModuleFacts, scope: str) -> str | None:
        while scope:
            function = facts.functions.get(scope)
            if function is not None and function.owner is not None:
                return f"{self.name_of(facts)}.{function.owner}"
            scope = scope.rpartition(".")[0]
        return None

    def _instance_of_item(
        self, facts: ModuleFacts, item: Item, scope: str, hops: int
    ) -> str | None:
        if self.instance(facts, item.base, scope, hops - 1) == REGISTRY:
            return TASK
        found = self.item(facts, item, scope)
        if found is None and not isinstance(item.key, Const) and isinstance(item.base, Name):
            shown = self.value(self.place(facts, item.base, scope) or "")
            if shown is not None and isinstance(shown[1], Dict):
                kinds = {self.instance(shown[0], v, "", hops - 1) for _, v, _ in shown[1].items}
                return kinds.pop() if len(kinds) == 1 else None
        return None if found is None else self.instance(found[0], found[1], found[2], hops - 1)

    def item(
        self, facts: ModuleFacts, item: Item, scope: str = ""
    ) -> tuple[ModuleFacts, Value, str] | None:
        """(file, value, function) of what is put under a literal key: in a dictionary, or later."""
        key = literal(item.key)
        if not isinstance(key, str) or not isinstance(item.base, Name):
            return None
        place = self.place(facts, item.base, scope) or ""
        shown = self.value(place)
        if shown is not None and isinstance(shown[1], Dict):
            entry = shown[1].get(key)
            if entry is not None:
                return shown[0], entry, ""
        # `app.extensions["celery"]` is the same for every way to the Flask app.
        return self._items.get((place, key)) or self._items.get((_tail(place), key))

    @cached_property
    def _items(self) -> Mapping[tuple[str, str], tuple[ModuleFacts, Value, str]]:
        found: dict[tuple[str, str], tuple[ModuleFacts, Value, str]] = {}
        for facts in self.files.values():
            for store in facts.stores:
                if store.key is None or store.key in {"|=", "?"} or not store.target:
                    continue
                place = self.place(facts, Name(store.target), store.scope) or ""
                found.setdefault((place, store.key), (facts, store.value, store.scope))
                if store.target.endswith(".extensions"):
                    found.setdefault(("extensions", store.key), (facts, store.value, store.scope))
        return found

    def instance_of_name(self, name: str) -> str | None:
        """The class that the object under a canonical name belongs to."""
        if name in INSTANCES:
            return INSTANCES[name]
        if name in self._tasks:
            return TASK
        if name not in self._instances:
            self._instances[name] = None  # a name that is assigned from itself is nothing
            assigned = self.value(name)
            kind = None
            if assigned is not None:
                kind = self.instance(assigned[0], assigned[1], self._method_of(name))
            if kind is None:
                kind = self._annotated(name) or self._of_property(name)
            if name in self._apps and not self.is_app(kind):
                kind = APP
            self._instances[name] = kind
        return self._instances[name]

    def _method_of(self, name: str) -> str:
        """A method of the class that a name is an attribute of, to see the names it sees."""
        found = self.find(name)
        owner = found[1].rpartition(".")[0] if found is not None else ""
        return f"{owner}.__init__" if owner else ""

    def _annotated(self, name: str) -> str | None:
        """Celery's class that a name is annotated with: `app: Celery = make_app()`."""
        found = self.find(name)
        said = found[0].annotations.get(found[1]) if found is not None else None
        if found is None or not isinstance(said, Name):
            return None
        kind = self.resolve(found[0], said.dotted)
        return kind if kind.startswith("celery.") or self.is_app(kind) else None

    def _of_property(self, name: str) -> str | None:
        """The class of what a property gives back."""
        found = self.function(name)
        if found is None or found[1].owner is None:
            return None
        names = (d.dotted for d in found[1].decorators if isinstance(d, Name))
        is_one = any(n.rpartition(".")[2] in {"property", "cached_property"} for n in names)
        return self.given_by(name) if is_one else None

    def called(self, facts: ModuleFacts, value: Call, scope: str = "", hops: int = 6) -> str | None:
        """The canonical name of what a call calls; methods carry the class of their object."""
        if hops <= 0:
            return None
        func = value.func
        if isinstance(func, Name):
            owner, _, method = func.dotted.rpartition(".")
            if owner:
                kind = self.instance(facts, Name(owner), scope, hops - 1)
                if kind is not None:
                    return self.method(kind, method)
            name = self.resolve(facts, func.dotted, scope)
            return self._own_class(facts, func.dotted, scope) or name if name[0] == "?" else name
        if isinstance(func, Member):
            kind = self.instance(facts, func.base, scope, hops - 1)
            return None if kind is None else self.method(kind, func.attr)
        return None

    def _own_class(self, facts: ModuleFacts, name: str, scope: str) -> str | None:
        """The class that `cls` of a class method is."""
        function = facts.functions.get(scope)
        first = next(iter(function.params.items), None) if function is not None else None
        if function is None or function.owner is None or first is None or first.name != name:
            return None
        if Name("classmethod") not in function.decorators:
            return None
        return f"{self.name_of(facts)}.{function.owner}"

    def method(self, kind: str, method: str) -> str:
        """The canonical name of a method: of the class that defines it, else the library's."""
        outside = kind
        for ancestor in self.ancestors(kind):
            found = self.class_(ancestor)
            if found is None:
                outside = ancestor
                if ancestor.startswith("celery."):
                    break
            elif (
                method in found[1].methods
                or method in found[1].attributes
                or f"{found[1].qualname}.{method}" in found[0].attributes
            ):
                return f"{ancestor}.{method}"
        return f"{outside}.{method}"

    def given_by(self, name: str) -> str | None:
        """The class of what calling a canonical name gives back."""
        if name in GIVES:
            return GIVES[name]
        if name not in self._given:
            self._given[name] = None  # a function that returns its own call says nothing
            self._given[name] = self._given_by(name)
        return self._given[name]

    def _given_by(self, name: str) -> str | None:
        if self.class_(name) is not None or name in self._app_classes:
            return name
        found = self.function(name)
        if found is None:
            return None
        facts, function = found
        kinds = {self._returned(facts, v, function.qualname) for v in function.returns} - {None}
        return kinds.pop() if len(kinds) == 1 else None

    def _returned(self, facts: ModuleFacts, value: Value, scope: str) -> str | None:
        if isinstance(value, Name) and "." not in value.dotted:
            for assigned in facts.local(scope, value.dotted):
                kind = self.instance(facts, assigned, scope)
                if kind is not None:
                    return kind
        return self.instance(facts, value, scope)

    @cached_property
    def all_classes(self) -> Mapping[str, tuple[ModuleFacts, ClassFacts]]:
        """Every class by canonical name."""
        return {
            f"{self.name_of(facts)}.{class_.qualname}": (facts, class_)
            for facts in self.files.values()
            for class_ in facts.classes.values()
        }


def _tail(name: str) -> str:
    return name.rpartition(".")[2]
