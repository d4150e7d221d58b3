"""Find the tasks of a project, in every form that Celery registers one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from offcanvas.audit.apps import is_of_another_library
from offcanvas.audit.decorators import Decorators, Made
from offcanvas.audit.facts import ClassFacts, FunctionFacts, ModuleFacts, Params
from offcanvas.audit.handed import Given, Handed
from offcanvas.audit.index import Index
from offcanvas.audit.names import APP, REGISTRY, TASK
from offcanvas.audit.resolution import literal
from offcanvas.audit.values import Call, Item, Name, Value


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
class _Registered:
    """A class that is registered as a task, and the name in its file that is assigned the task."""

    class_: str
    facts: ModuleFacts
    handle: str


class TaskFinder:
    """Finds tasks by following decorators, wrappers, bases and registrations through the index.

    handles: canonical name -> task, for names that hold a task and are not its own:
    `print_task = app.register_task(Print())`, `mail = app.tasks["shop.mail"]`.
    default_bases: the classes that apps give their tasks; one alone is every task's without a base.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self.decorators = Decorators(index)
        self.handed = Handed(index)
        self.unclear: list[Unclear] = []
        self.handles: dict[str, Task] = {}
        self.default_bases = self._find_default_bases()

    def find(self) -> list[Task]:
        """Every task, in the order of files and lines."""
        tasks = [
            task
            for facts in self.index.files.values()
            for task in (*self._functions(facts), *self._calls(facts), *self._loose(facts))
        ]
        registered = [*self._registered()]
        classes = {found.class_: found for found in reversed(registered)}
        for found in classes.values():
            class_ = self.index.class_(found.class_)
            if class_ is not None:
                tasks.append(self._class_task(found.class_, *class_))
        tasks.sort(key=lambda t: (t.path, t.line))
        self._find_handles(tasks, registered)
        return tasks

    def _functions(self, facts: ModuleFacts) -> Iterator[Task]:
        for function in facts.functions.values():
            scope = function.qualname.rpartition(".")[0]
            for decorator in function.decorators:
                made = self.decorators.made_by(facts, decorator, scope)
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
        if self.index.instance(facts, Name(owner), scope) is None and not is_of_another_library(
            stands_for.removeprefix("?.")
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

    def _task(self, facts: ModuleFacts, function: FunctionFacts, made: Made) -> Task:
        index = self.index
        base = self._base(facts, made)
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

    def _base(self, facts: ModuleFacts, made: Made) -> str | None:
        """The base class of a task: its own, its wrapper's, or that of every task of the app."""
        value = made.options.get("base")
        if isinstance(value, Name):
            name = self.index.resolve(facts, value.dotted)
            # A wrapper of another file wrote it; there it has been resolved.
            return self.index.follow(name[2:]) if name.startswith("?.") else name
        return None if value is not None or len(self.default_bases) != 1 else self.default_bases[0]

    def _find_default_bases(self) -> list[str]:
        """`app.Task = ContextTask`, `task_cls` of an app or its class: those of all apps."""
        index, found = self.index, set[str]()
        for facts in index.files.values():
            if not facts.speaks_celery:
                continue
            for store in facts.stores:
                app = store.target.removesuffix(".Task")
                is_apps = app != store.target and index.is_app(
                    index.instance(facts, Name(app), store.scope)
                )
                if is_apps and isinstance(store.value, Name):
                    found.add(index.resolve(facts, store.value.dotted, store.scope))
            for call, scope in facts.calls():
                given = call.keyword("task_cls")
                if given is not None and index.is_app(index.instance(facts, call, scope)):
                    found.add(self._class_named(facts, given, scope))
            for class_ in facts.classes.values():
                given = class_.attributes.get("task_cls")
                if given is not None and index.is_app(f"{index.name_of(facts)}.{class_.qualname}"):
                    found.add(self._class_named(facts, given))
        return sorted(found)

    def _class_named(self, facts: ModuleFacts, value: Value, scope: str = "") -> str:
        said = literal(value)
        if isinstance(said, str):
            return self.index.follow(said.replace(":", "."))
        return self.index.resolve(facts, value.dotted, scope) if isinstance(value, Name) else "?."

    def base_options(self, base: str) -> dict[str, Value]:
        """The options that a `Task` subclass and its ancestors in the project give."""
        options: dict[str, Value] = {}
        for ancestor in reversed([*self.index.ancestors(base)]):
            found = self.index.class_(ancestor)
            if found is not None:
                options.update(found[1].attributes)
        options.pop("name", None)
        return options

    def _calls(self, facts: ModuleFacts) -> Iterator[Task]:
        """`add = shared_task(add_impl)`, `add = app.task(bind=True)(add_impl)`."""
        if not facts.speaks_celery:
            return
        for name, value in facts.assigns.items():
            if not (isinstance(value, Call) and len(value.args) == 1):
                continue
            argument = value.args[0]
            made = self.decorators.made_by(facts, value.func, "")
            if made is None or not isinstance(argument, Name):
                continue
            found = self.index.function(self.index.resolve(facts, argument.dotted))
            if found is None:
                continue
            given = {k: v for k, v in value.keywords if k is not None}
            task = self._task(found[0], found[1], Made("call", {**made.options, **given}))
            yield replace(task, qualname=f"{self.index.name_of(facts)}.{name}")

    def _loose(self, facts: ModuleFacts) -> Iterator[Task]:
        """Functions that are registered without a name for the task: `app.task(name="a")(add)`,
        also in a loop, or in a function of the project that gets them: `register(add)`."""
        if not facts.speaks_celery:
            return
        for loose in facts.loose:
            argument = loose.call.args[0] if len(loose.call.args) == 1 else None
            if not isinstance(argument, Name):
                continue
            outer = loose.call.func
            made = self.decorators.made_by(
                facts, outer if isinstance(outer, Call) else loose.call, loose.scope
            )
            if made is None or (made.kind == "wrapper" and loose.scope):
                continue
            if not loose.scope and loose.call in facts.assigns.values():
                continue  # found by the name that it is assigned
            name = self.index.resolve(facts, argument.dotted, loose.scope)
            direct = not name.startswith("?.")
            every = self.handed.to(facts, loose.scope, argument.dotted)
            for given in (Given(facts, argument),) if direct else every:
                if not isinstance(given.value, Name):
                    continue
                found = self.index.function(self.index.resolve(given.facts, given.value.dotted))
                # What a name is assigned is found by its name.
                if found is None or given.handle or self._is_decorated(*found):
                    continue
                more = {k: v for k, v in given.keywords if k is not None}
                yield self._task(*found, Made("call", {**made.options, **more}))

    def _is_decorated(self, facts: ModuleFacts, function: FunctionFacts) -> bool:
        scope = function.qualname.rpartition(".")[0]
        made = (self.decorators.made_by(facts, d, scope) for d in function.decorators)
        return any(m is not None for m in made)

    def _registered(self) -> Iterator[_Registered]:
        """Class tasks: `app.register_task(Print())`, also as a decorator of the class."""
        for facts in self.index.files.values():
            if not facts.speaks_celery:
                continue
            values: list[tuple[str, Value, str]] = [("", v, n) for n, v in facts.assigns.items()]
            values += [(loose.scope, loose.call, "") for loose in facts.loose]
            values += [
                (f"{n.rpartition('.')[0]}.__init__", v, n)
                for n, vs in facts.attributes.items()
                for v in vs
            ]
            for scope, value, name in values:
                if isinstance(value, Call) and value.args and self._registers(facts, value, scope):
                    for class_ in self._classes_given(facts, value.args[0], scope):
                        yield _Registered(class_, facts, name)
            # `return app.register_task(cls())` in a helper.
            returned = [(k, v) for k, f in facts.functions.items() for v in f.returns]
            returned += [(loose.scope, loose.call) for loose in facts.loose if loose.scope]
            for scope, value in returned:
                if isinstance(value, Call) and value.args and self._registers(facts, value, scope):
                    yield from self._classes_handed(facts, value.args[0], scope)
            for class_facts in facts.classes.values():
                owner = class_facts.qualname.rpartition(".")[0]
                for decorator in class_facts.decorators:
                    if isinstance(decorator, Name) and self._registers(
                        facts, Call(decorator, (), (), 0), owner
                    ):
                        name = f"{self.index.name_of(facts)}.{class_facts.qualname}"
                        if TASK in self.index.ancestors(name):
                            yield _Registered(name, facts, "")

    def _classes_handed(
        self, facts: ModuleFacts, argument: Value, scope: str
    ) -> Iterator[_Registered]:
        """The task classes that a function of the project gets and registers."""
        name = argument.func if isinstance(argument, Call) else argument
        if isinstance(name, Name) and self.index.resolve(facts, name.dotted, scope)[0] == "?":
            for given in self.handed.to(facts, scope, name.dotted):
                for class_ in self._classes_given(given.facts, given.value, ""):
                    yield _Registered(class_, given.facts, given.handle)

    def _registers(self, facts: ModuleFacts, call: Call, scope: str) -> bool:
        return self.index.called(facts, call, scope) == f"{APP}.register_task"

    def _classes_given(self, facts: ModuleFacts, given: Value, scope: str) -> Iterator[str]:
        """The task classes that an argument of `register_task` is, or is an object of."""
        name = given.func if isinstance(given, Call) else given
        if not isinstance(name, Name):
            return
        resolved = self.index.resolve(facts, name.dotted, scope)
        # `Print = app.register_task(Print())` leaves the name to the task, and means the class.
        is_class = self.index.class_(resolved) is not None
        kind = (None if is_class else self.index.instance_of_name(resolved)) or resolved
        if kind.startswith("?."):
            for value in facts.local(scope, name.dotted):
                if value != given:
                    yield from self._classes_given(facts, value, scope)
        elif self.index.class_(kind) is not None and TASK in self.index.ancestors(kind):
            yield kind

    def _find_handles(self, tasks: list[Task], registered: list[_Registered]) -> None:
        """Names that are assigned what `register_task` gives or what the registry holds."""
        by_class = {t.qualname: t for t in tasks}
        by_name = {t.name: t for t in tasks}
        for found in registered:
            if found.handle and found.class_ in by_class:
                place = f"{self.index.name_of(found.facts)}.{found.handle}"
                self.handles[place] = by_class[found.class_]
        for facts in self.index.files.values():
            if not facts.speaks_celery:
                continue
            here = self.index.name_of(facts)
            for name, value in facts.assigns.items():
                task = self.looked_up(facts, value, by_class, by_name)
                if task is not None:
                    self.handles.setdefault(f"{here}.{name}", task)
            for name, values in facts.attributes.items():
                scope = f"{name.rpartition('.')[0]}.__init__"
                task = self.looked_up(facts, values[0], by_class, by_name, scope)
                if task is not None and len(values) == 1:
                    self.handles.setdefault(f"{here}.{name}", task)

    def looked_up(
        self,
        facts: ModuleFacts,
        value: Value,
        by_class: Mapping[str, Task],
        by_name: Mapping[str, Task],
        scope: str = "",
    ) -> Task | None:
        """The task that `app.tasks[...]`, `app.tasks.get(...)` or an object of its class is."""
        if isinstance(value, Item):
            if self.index.instance(facts, value.base, scope) != REGISTRY:
                return None
            return self._keyed(facts, value.key, by_class, by_name, scope)
        if not isinstance(value, Call):
            return None
        called = self.index.called(facts, value, scope) or ""
        if called == f"{REGISTRY}.get" and value.args:
            return self._keyed(facts, value.args[0], by_class, by_name, scope)
        found = by_class.get(called)  # print_task = Print()
        return found if found is not None and found.kind == "class" else None

    def _keyed(
        self,
        facts: ModuleFacts,
        key: Value,
        by_class: Mapping[str, Task],
        by_name: Mapping[str, Task],
        scope: str,
    ) -> Task | None:
        said = literal(self.index.constant(facts, key, scope))
        if isinstance(said, str):
            return by_name.get(said)
        if isinstance(key, Name) and key.dotted.endswith(".name"):
            place = self.index.resolve(facts, key.dotted.removesuffix(".name"), scope)
            return by_class.get(place) or self.handles.get(place)
        return None

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
