"""Find the tasks of a project, in every form that Celery registers one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from offcanvas.audit.facts import ClassFacts, FunctionFacts, ModuleFacts, Params
from offcanvas.audit.index import Index, literal
from offcanvas.audit.names import APP, TASK
from offcanvas.audit.values import Call, Const, Member, Name, Value

_DECORATORS: Final = frozenset({"celery.shared_task", "celery.task", f"{APP}.task"})
_PERIODIC: Final = frozenset({"celery.task.periodic_task", "celery.decorators.periodic_task"})
_OTHER_TASKS: Final = ("prefect", "invoke", "fabric", "airflow", "luigi", "dramatiq", "locust")
"""Libraries whose decorators are also called task."""
_DEPTH: Final = 4
"""How many wrappers around `shared_task` are looked through."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task of the project.

    name: the name it is registered under. qualname: where it lives ("proj.tasks.add").
    kind: "app", "shared", "wrapper" (a decorator of the project's own), "class" or "call"
    (`f = shared_task(f)`). params: what a sender passes, without the bound `self`; None when it
    cannot be told. options: as written, those of wrappers and base classes included.
    """

    name: str
    qualname: str
    path: str
    line: int
    column: int
    end: int
    kind: str
    params: Params | None
    bound: bool
    options: Mapping[str, Value]
    base: str | None
    function: str
    doc: str
    is_async: bool

    def literal(self, option: str) -> object:
        """The literal written for an option, or None when it is not given or not a literal."""
        return literal(self.options.get(option))


@dataclass(frozen=True, slots=True)
class Unclear:
    """A decorated function of which it cannot be told whether it is a task."""

    path: str
    line: int
    column: int
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class _Decorator:
    """A decorator that makes tasks: its form, and the options that it sets by itself."""

    kind: str
    options: Mapping[str, Value]
    app: str | None = None


class TaskFinder:
    """Finds tasks by following decorators, wrappers, bases and registrations through the index."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.unclear: list[Unclear] = []
        self._wrappers: dict[str, _Decorator | None] = {}

    def find(self) -> list[Task]:
        """Every task, in the order of files and lines."""
        tasks = [
            task
            for facts in self.index.files.values()
            for task in (*self._functions(facts), *self._calls(facts))
        ]
        tasks += self._classes()
        return sorted(tasks, key=lambda t: (t.path, t.line))

    def _functions(self, facts: ModuleFacts) -> Iterator[Task]:
        for function in facts.functions.values():
            scope = function.qualname.rpartition(".")[0]
            for decorator in function.decorators:
                made = self.decorator(facts, decorator, scope)
                if made is not None:
                    yield self._task(facts, function, made)
                    break
                self._note_unclear(facts, function, decorator)

    def _note_unclear(self, facts: ModuleFacts, function: FunctionFacts, decorator: Value) -> None:
        """`@x.task` in a file that speaks Celery, where x comes from outside of the project."""
        func = decorator.func if isinstance(decorator, Call) else decorator
        if not (facts.speaks_celery and isinstance(func, Name) and func.dotted.endswith(".task")):
            return
        owner = func.dotted.removesuffix(".task")
        scope = function.qualname.rpartition(".")[0]
        stands_for = self.index.resolve(facts, owner, scope)
        if self.index.instance(facts, Name(owner), scope) is None and not stands_for.startswith(
            _OTHER_TASKS
        ):
            self.unclear.append(
                Unclear(
                    facts.path,
                    function.line,
                    function.column,
                    function.qualname,
                    f"what {owner!r} is cannot be resolved",
                )
            )

    def _task(self, facts: ModuleFacts, function: FunctionFacts, made: _Decorator) -> Task:
        index = self.index
        base_value = made.options.get("base")
        base = index.resolve(facts, base_value.dotted) if isinstance(base_value, Name) else None
        bound = literal(index.constant(facts, made.options.get("bind"))) is True
        given = literal(index.constant(facts, made.options.get("name")))
        options = {**(self.base_options(base) if base else {}), **made.options}
        return Task(
            name=given
            if isinstance(given, str)
            else f"{index.name_of(facts)}.{function.qualname.rpartition('.')[2]}",
            qualname=f"{index.name_of(facts)}.{function.qualname}",
            path=facts.path,
            line=function.line,
            column=function.column,
            end=function.end,
            kind=made.kind,
            params=function.params.without_first() if bound else function.params,
            bound=bound,
            options=options,
            base=base,
            function=function.qualname,
            doc=function.doc,
            is_async=function.is_async,
        )

    def base_options(self, base: str) -> dict[str, Value]:
        """The options that a `Task` subclass and its ancestors in the project give."""
        options: dict[str, Value] = {}
        for ancestor in reversed([*self.index.ancestors(base)]):
            found = self.index.class_(ancestor)
            if found is not None:
                options.update(found[1].attributes)
        options.pop("name", None)
        return options

    def decorator(
        self, facts: ModuleFacts, value: Value, scope: str, depth: int = _DEPTH
    ) -> _Decorator | None:
        """What a decorator makes of a function: None unless it makes a task."""
        options: dict[str, Value] = {}
        func = value
        if isinstance(value, Call):
            func = value.func
            options = {k: v for k, v in value.keywords if k is not None}
        name = self._name(facts, func, scope)
        if name is None:
            return None
        if name in _DECORATORS or name in _PERIODIC:
            kind = "app" if name == f"{APP}.task" else "shared"
            return _Decorator(kind, options)
        if name.startswith("functools.partial") or depth == 0:
            return None
        wrapper = self._wrapper(name, depth)
        if wrapper is None:
            return None
        return _Decorator("wrapper", {**wrapper.options, **options})

    def _name(self, facts: ModuleFacts, func: Value, scope: str) -> str | None:
        if isinstance(func, Call):
            return self._name(facts, func.func, scope)
        if not isinstance(func, Name | Member):
            return None
        return self.index.called(facts, Call(func, (), (), 0), scope)

    def _wrapper(self, name: str, depth: int) -> _Decorator | None:
        """The decorator behind a function or a name of the project, if it makes tasks."""
        if name not in self._wrappers:
            self._wrappers[name] = None  # a wrapper that refers to itself is none
            self._wrappers[name] = self._look_into(name, depth)
        return self._wrappers[name]

    def _look_into(self, name: str, depth: int) -> _Decorator | None:
        assigned = self.index.value(name)
        if assigned is not None:
            return self._of_value(assigned[0], assigned[1], "", depth - 1)
        found = self.index.function(name)
        if found is None:
            return None
        facts, function = found
        for returned in function.returns:
            made = self._of_value(facts, returned, function.qualname, depth - 1)
            if made is not None:
                return made
        return None

    def _of_value(
        self, facts: ModuleFacts, value: Value, scope: str, depth: int
    ) -> _Decorator | None:
        """`shared_task(**kw)`, `shared_task(**kw)(f)`, `partial(app.task, bind=True)`, a name."""
        if isinstance(value, Call) and isinstance(value.func, Name):
            called = self.index.resolve(facts, value.func.dotted, scope)
            if called == "functools.partial" and value.args:
                inner = self.decorator(facts, value.args[0], scope, depth)
                given = {k: v for k, v in value.keywords if k is not None}
                return inner and _Decorator(inner.kind, {**inner.options, **given})
        if isinstance(value, Call) and isinstance(value.func, Call):
            return self.decorator(facts, value.func, scope, depth)
        if isinstance(value, Name) and "." not in value.dotted and scope:
            nested = facts.functions.get(f"{scope}.{value.dotted}")
            if nested is not None:
                for decorator in nested.decorators:
                    made = self.decorator(facts, decorator, scope, depth)
                    if made is not None:
                        return made
                for returned in nested.returns:
                    made = self._of_value(facts, returned, nested.qualname, depth - 1)
                    if made is not None:
                        return made
                return None
            for call in facts.calls_assigned.get(f"{scope}.{value.dotted}", ()):
                return self._of_value(facts, call, scope, depth - 1)
        return self.decorator(facts, value, scope, depth)

    def _calls(self, facts: ModuleFacts) -> Iterator[Task]:
        """`add = shared_task(add_impl)`, `add = app.task(bind=True)(add_impl)`."""
        if not facts.speaks_celery:
            return
        for name, value in facts.assigns.items():
            if not (isinstance(value, Call) and len(value.args) == 1):
                continue
            argument = value.args[0]
            made = self.decorator(facts, value.func, "")
            if made is None or not isinstance(argument, Name):
                continue
            found = self.index.function(self.index.resolve(facts, argument.dotted))
            if found is None:
                continue
            given = {k: v for k, v in value.keywords if k is not None}
            task = self._task(
                found[0], found[1], _Decorator("call", {**made.options, **given}, made.app)
            )
            yield Task(
                **{
                    **{f: getattr(task, f) for f in task.__slots__},
                    "qualname": f"{self.index.name_of(facts)}.{name}",
                }
            )

    def _classes(self) -> Iterator[Task]:
        """Class tasks: those that are registered, and those of Celery 3's self-registering base."""
        index = self.index
        registered: dict[str, tuple[str, int]] = {}
        for facts in index.files.values():
            if not facts.speaks_celery:
                continue
            values: list[tuple[str, Value]] = [("", v) for v in facts.assigns.values()]
            values += [(loose.scope, loose.call) for loose in facts.loose]
            for scope, value in values:
                if not isinstance(value, Call) or not value.args:
                    continue
                if index.called(facts, value, scope) != f"{APP}.register_task":
                    continue
                argument = value.args[0]
                name = argument.func if isinstance(argument, Call) else argument
                if isinstance(name, Name):
                    resolved = index.resolve(facts, name.dotted, scope)
                    kind = index.instance_of_name(resolved) or resolved
                    registered.setdefault(kind, (facts.path, value.line))
        for qualname in registered:
            found = index.class_(qualname)
            if found is not None and TASK in index.ancestors(qualname):
                yield self._class_task(qualname, *found)

    def _class_task(self, qualname: str, facts: ModuleFacts, class_: ClassFacts) -> Task:
        run = self.index.function(self.index.method(qualname, "run"))
        options = self.base_options(qualname)
        given = class_.attributes.get("name")
        name = literal(self.index.constant(facts, given))
        return Task(
            name=name if isinstance(name, str) else qualname,
            qualname=qualname,
            path=facts.path,
            line=class_.line,
            column=0,
            end=class_.line,
            kind="class",
            params=run[1].params.without_first() if run is not None else None,
            bound=True,
            options=options,
            base=qualname,
            function=f"{class_.qualname}.run",
            doc="",
            is_async=False,
        )


def is_true(value: Value | None) -> bool:
    """Whether a value is literally true."""
    return isinstance(value, Const) and value.value is True
