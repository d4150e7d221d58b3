"""Which decorators make tasks: Celery's own, and those of a project that lead to one of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from offcanvas.audit.apps import speaks_of_celery, split
from offcanvas.audit.facts import FunctionFacts, ModuleFacts
from offcanvas.audit.index import Index
from offcanvas.audit.names import APP
from offcanvas.audit.values import Call, Dict, Item, Lambda, Member, Name, Seq, Value

_OF_APPS: Final = f"{APP}.task"
_OWN: Final = frozenset(
    {"celery.shared_task", "celery.task", "celery.task.periodic_task"}
    | {"celery.decorators.periodic_task", f"{APP}.periodic_task", _OF_APPS}
)
_DEPTH: Final = 6
"""How many wrappers around `shared_task` are looked through."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a decorator makes of a function: the form of the task, and the options it sets."""

    kind: str
    options: Mapping[str, Value]


class Decorators:
    """Follows decorators to Celery's, through functions, methods, objects, names and partials."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._known: dict[str, Made | None] = {}

    def made_by(
        self, facts: ModuleFacts, value: Value, scope: str, depth: int = _DEPTH
    ) -> Made | None:
        """What a decorator makes of a function: None unless it makes a task."""
        options: dict[str, Value] = {}
        func = value
        if isinstance(value, Call):
            func = value.func
            options = self._given(facts, value, scope)
        name = self._name(facts, func, scope)
        if name in _OWN:
            return Made("app" if name == _OF_APPS else "shared", options)
        if name is None or name.startswith("functools.partial") or depth == 0:
            return None
        wrapper = self._wrapper(name, depth)
        return None if wrapper is None else Made("wrapper", {**wrapper.options, **options})

    def _given(self, facts: ModuleFacts, call: Call, scope: str) -> dict[str, Value]:
        """The keywords of a call, those of a `**mapping` that is in sight included."""
        options: dict[str, Value] = {}
        for key, value in call.keywords:
            if key is not None:
                options[key] = value
                continue
            for one in (value, *self._behind(facts, value, scope)):
                if isinstance(one, Dict):
                    options |= {k: v for k, v, _ in one.entries()}
                elif isinstance(one, Call) and one.func == Name("dict"):
                    options |= {k: v for k, v in one.keywords if k is not None}
        return options

    def _behind(self, facts: ModuleFacts, value: Value, scope: str) -> Iterator[Value]:
        if isinstance(value, Name):
            yield from facts.local(scope, value.dotted) if scope else ()
            assigned = self.index.value(self.index.resolve(facts, value.dotted, scope))
            if assigned is not None:
                yield assigned[1]

    def _name(self, facts: ModuleFacts, func: Value, scope: str) -> str | None:
        if isinstance(func, Call):
            return self._name(facts, func.func, scope)
        if not isinstance(func, Name | Member):
            return None
        name = self.index.called(facts, Call(func, (), (), 0), scope)
        if isinstance(func, Name) and name is not None and name.startswith("?."):
            values = facts.local(scope, func.dotted) if scope else ()
            if len(values) == 1 and isinstance(values[0], Member | Name) and values[0] != func:
                return self._name(facts, values[0], scope)  # parent = super().task
        return name

    def _wrapper(self, name: str, depth: int) -> Made | None:
        """The decorator behind a name of the project, if it makes tasks."""
        if name not in self._known:
            self._known[name] = None  # a wrapper that refers to itself is none
            self._known[name] = self._look_into(name, depth)
        return self._known[name]

    def _look_into(self, name: str, depth: int) -> Made | None:
        index = self.index
        kind = index.instance_of_name(name)
        if kind is None and index.class_(name) is not None:
            kind = name  # @Queued("slow"): an object of the class is the decorator
        if kind is not None and index.class_(kind) is not None:
            method = index.function(index.method(kind, "__call__"))
            return self._of_function(*method, depth) if method is not None else None
        assigned = index.value(name)
        if assigned is not None:
            facts, value = assigned
            return self._elsewhere(facts, "", self._of_value(facts, value, "", depth - 1))
        found = index.function(name)
        return self._of_function(*found, depth) if found is not None else None

    def _of_function(self, facts: ModuleFacts, function: FunctionFacts, depth: int) -> Made | None:
        """What a decorator function of the project returns, or registers by the way."""
        scope = function.qualname
        made = None
        for returned in function.returns:
            made = made or self._of_value(facts, returned, scope, depth - 1)
        made = made or self._later(facts, function.owner or scope, depth)
        if made is None:
            return None
        options = {**made.options, **self._set_inside(facts, scope)}
        return self._elsewhere(facts, scope, Made(made.kind, options))

    def _elsewhere(self, facts: ModuleFacts, scope: str, made: Made | None) -> Made | None:
        """The same with names that mean the same in other files: what the wrapper's file says."""
        if made is None:
            return None
        options = {}
        for option, value in made.options.items():
            known = self.index.constant(facts, value, scope) or value
            if isinstance(known, Name):
                name = self.index.resolve(facts, known.dotted, scope)
                known = known if name.startswith("?.") else Name(name)
            options[option] = known
        return Made(made.kind, options)

    def _set_inside(self, facts: ModuleFacts, scope: str) -> dict[str, Value]:
        """`kwargs.setdefault("base", Noisy)`, `kwargs["bind"] = True` in a wrapper."""
        options: dict[str, Value] = {}
        for loose in facts.loose:
            func, args = loose.call.func, loose.call.args
            if not _within(loose.scope, scope) or not isinstance(func, Name):
                continue
            if func.dotted.endswith(".setdefault") and len(args) == 2:
                key = getattr(args[0], "value", None)
                if isinstance(key, str):
                    options[key] = args[1]
            elif func.dotted.endswith(".update") and func.dotted.count(".") == 1:
                options |= {k: v for k, v in loose.call.keywords if k is not None}
                for argument in args:
                    if isinstance(argument, Dict):
                        options |= {k: v for k, v, _ in argument.entries()}
        for store in facts.stores:
            if _within(store.scope, scope) and store.key not in {None, "|=", "?"}:
                options[str(store.key)] = store.value
        return options

    def _later(self, facts: ModuleFacts, scope: str, depth: int) -> Made | None:
        """A nested function that registers when it is called: `celery.task(**options)(found)`."""
        for loose in facts.loose:
            if not _within(loose.scope, scope):
                continue
            maker = loose.call.func if isinstance(loose.call.func, Call) else loose.call
            made = self.made_by(facts, maker, loose.scope, depth - 1)
            if made is not None:
                return made
            owner = _owner_of_task(maker.func)
            if owner is not None and self._is_called_celery(facts, owner, loose.scope):
                return Made("wrapper", self._given(facts, maker, loose.scope))
        if self._registries and any(p in self._registries for p in self._kept_in(facts, scope)):
            return Made("wrapper", {})
        return None

    def _kept_in(self, facts: ModuleFacts, scope: str) -> Iterator[str]:
        """The lists and dictionaries that a function puts what it is handed into."""
        found: list[tuple[Value, str]] = []
        for loose in facts.loose:
            owner, method = split(loose.call.func)
            if owner is not None and method == "append":
                found.append((owner, loose.scope))
        found += [(s.owner, s.scope) for s in facts.stores if isinstance(s.value, Name | Seq)]
        for owner, within in found:
            place = self.index.place(facts, owner, within) if _within(within, scope) else None
            if place is not None:
                yield place

    @cached_property
    def _registries(self) -> frozenset[str]:
        """Lists and dictionaries whose members are made tasks: `for f in JOBS: app.task(f)`."""
        found = set()
        for facts in self.index.files.values():
            for loose in facts.loose if facts.speaks_celery else ():
                argument = loose.call.args[0] if len(loose.call.args) == 1 else None
                maker = loose.call.func if isinstance(loose.call.func, Call) else loose.call
                if not isinstance(argument, Name) or _owner_of_task(maker.func) is None:
                    continue
                for value in facts.local(loose.scope, argument.dotted):
                    place = (
                        self.index.place(facts, value.base, loose.scope)
                        if isinstance(value, Item)
                        else None
                    )
                    if place is not None:
                        found.add(place)
        return frozenset(found)

    def _is_called_celery(self, facts: ModuleFacts, owner: Value, scope: str) -> bool:
        if speaks_of_celery(owner):
            return True
        values = facts.local(scope, owner.dotted) if isinstance(owner, Name) else ()
        return any(isinstance(v, Item | Member | Name) and speaks_of_celery(v) for v in values)

    def _of_value(self, facts: ModuleFacts, value: Value, scope: str, depth: int) -> Made | None:
        """`shared_task(**kw)`, `shared_task(**kw)(f)`, `partial(app.task, bind=True)`, a name."""
        if depth <= 0:
            return None
        if isinstance(value, Lambda):
            return self._of_value(facts, value.body, scope, depth - 1)
        if isinstance(value, Call):
            return self._of_call(facts, value, scope, depth)
        if isinstance(value, Name) and "." not in value.dotted and scope:
            nested = self._nested(facts, value.dotted, scope)
            if nested is not None:
                return self._of_nested(facts, nested, depth)
            for assigned in facts.local(scope, value.dotted):
                made = self._of_value(facts, assigned, scope, depth - 1)
                if made is not None:
                    return made
        return self.made_by(facts, value, scope, depth)

    def _of_call(self, facts: ModuleFacts, call: Call, scope: str, depth: int) -> Made | None:
        called = self._name(facts, call.func, scope)
        if called == "functools.partial" and call.args and not isinstance(call.func, Call):
            inner = self.made_by(facts, call.args[0], scope, depth)
            given = {k: v for k, v in call.keywords if k is not None}
            return inner and Made(inner.kind, {**inner.options, **given})
        made = self.made_by(facts, call.func if isinstance(call.func, Call) else call, scope, depth)
        if made is not None:
            return made
        # Among the arguments of functools.update_wrapper, wraps(f) and the like.
        for argument in call.args:
            if isinstance(argument, Call):
                made = self._of_call(facts, argument, scope, depth - 1)
                if made is not None:
                    return made
        return None

    def _nested(self, facts: ModuleFacts, name: str, scope: str) -> FunctionFacts | None:
        while scope:
            found = facts.functions.get(f"{scope}.{name}")
            if found is not None and scope not in facts.classes:
                return found
            scope = scope.rpartition(".")[0]
        return None

    def _of_nested(self, facts: ModuleFacts, nested: FunctionFacts, depth: int) -> Made | None:
        for decorator in nested.decorators:
            made = self.made_by(facts, decorator, nested.qualname.rpartition(".")[0], depth)
            if made is not None:
                return made
        for returned in nested.returns:
            made = self._of_value(facts, returned, nested.qualname, depth - 1)
            if made is not None:
                return made
        return None


def _within(scope: str, function: str) -> bool:
    return scope == function or scope.startswith(f"{function}.")


def _owner_of_task(func: Value) -> Value | None:
    """`celery` of `celery.task`, whatever it is."""
    if isinstance(func, Name) and func.dotted.endswith(".task"):
        return Name(func.dotted.removesuffix(".task"))
    return func.base if isinstance(func, Member) and func.attr == "task" else None
