"""Targets to a plan: builders read, the world taken out, tasks known."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from offcanvas.audit.module import Module
from offcanvas.audit.values import Const
from offcanvas.canvas import nodes
from offcanvas.port import names as naming
from offcanvas.port.codes import CODES, Verdict
from offcanvas.port.ir import (
    ALL,
    Canvas,
    Load,
    Node,
    Note,
    Place,
    Plan,
    Row,
    Sent,
    Step,
    Task,
    Todo,
    walk,
)
from offcanvas.port.read import records, settings
from offcanvas.port.read.generators import late_generators
from offcanvas.port.read.handlers import handlers
from offcanvas.port.read.objects import changed_values, object_params, pickles
from offcanvas.port.read.own import has_object
from offcanvas.port.read.project import functions
from offcanvas.port.read.reroll import Reroll
from offcanvas.port.read.shape import shape_notes
from offcanvas.port.read.sites import Sites
from offcanvas.port.read.statements import Statements
from offcanvas.port.read.tasks import decorators_of, params_of, settings_of, task_of, unread_options
from offcanvas.port.read.values import NotReadError
from offcanvas.port.sends import NotSentError, Sender, forms, senders
from offcanvas.port.split import split

if TYPE_CHECKING:
    from offcanvas.audit.project import Project
    from offcanvas.audit.tasks import Task as Found
    from offcanvas.audit.tree import Function

#: Names of builders that say nothing of what they build.
_GENERIC: Final = frozenset({"build", "builder", "canvas", "make", "signature", "workflow"})


def read_plan(
    project: Project,
    wanted: Sequence[str],
    live: Mapping[str, Any] | None = None,
    objects: Mapping[str, nodes.Node] | None = None,
) -> Plan:
    """The plan of one or more targets. ``live`` are imported tasks by registered name; ``objects``
    are canvases that are built already, by target.

    Raises:
        BadTarget: a target names nothing.
    """
    return plan_of(project, builders_of(project, wanted, objects or {}), live, objects)


def builders_of(
    project: Project, wanted: Sequence[str], objects: Mapping[str, nodes.Node]
) -> list[tuple[Module, Function]]:
    """The functions that the targets name, each once; ``objects`` are targets that name none.

    Raises:
        BadTarget: a target names nothing.
    """
    found: dict[tuple[str, str], tuple[Module, Function]] = {}
    for target in wanted:
        if target in objects:
            continue
        for module, function in functions(project, target):
            found[module.path, function.qualname] = (module, function)
    return list(found.values())


def plan_of(
    project: Project,
    found: Sequence[tuple[Module, Function]],
    live: Mapping[str, Any] | None = None,
    objects: Mapping[str, nodes.Node] | None = None,
) -> Plan:
    """The plan of these builders and objects."""
    reading = _Reading(project, live or {})
    canvases = [
        canvas for module, function in found for canvas in reading.canvases(module, function)
    ]
    canvases += [reading.object(target, node) for target, node in (objects or {}).items()]
    canvases += reading.lone()
    reading.settings()
    return Plan(
        package=_package(canvases),
        canvases=tuple(_with_rows_of_their_own(canvases)),
        tasks=reading.tasks,
        notes=tuple(sorted(set(reading.notes), key=lambda n: (n.place, n.code, n.message))),
        constants=reading.constants,
        pickles=reading.pickles,
    )


def _with_rows_of_their_own(canvases: Sequence[Canvas]) -> Iterator[Canvas]:
    """The canvases with one class for one name: rows of equal fields share theirs."""
    known: dict[str, tuple[object, ...]] = {}
    for canvas in canvases:
        names: dict[str, str] = {}
        for row in _rows(canvas):
            fields = tuple((one.name, one.type, one.default) for one in row.fields)
            if known.setdefault(row.name, fields) != fields:
                wanted = f"{naming.camel(canvas.name)}{row.name}"
                names[row.name] = naming.unused(wanted, known)
                known[names[row.name]] = fields
        yield _renamed_rows(canvas, names) if names else canvas


def _rows(canvas: Canvas) -> Iterator[Row]:
    yield from canvas.rows
    for load in (*canvas.data, canvas.after):
        if isinstance(load, Load):
            yield from (row for row in (load.row, load.several, *load.records) if row is not None)


def _renamed_rows(canvas: Canvas, names: Mapping[str, str]) -> Canvas:
    def spelled(type_: str) -> str:
        return re.sub(r"\w+", lambda found: names.get(found[0], found[0]), type_)

    def renamed(row: Row) -> Row:
        fields = tuple(replace(one, type=spelled(one.type)) for one in row.fields)
        return replace(row, name=spelled(row.name), fields=fields)

    def loaded(load: Load) -> Load:
        return replace(
            load,
            type=spelled(load.type),
            inputs=tuple(replace(p, annotation=spelled(p.annotation)) for p in load.inputs),
            row=renamed(load.row) if load.row is not None else None,
            several=renamed(load.several) if load.several is not None else None,
            records=tuple(map(renamed, load.records)),
        )

    return replace(
        canvas,
        params=tuple(replace(p, annotation=spelled(p.annotation)) for p in canvas.params),
        data=tuple(loaded(one) if isinstance(one, Load) else one for one in canvas.data),
        rows=tuple(map(renamed, canvas.rows)),
        after=loaded(canvas.after) if canvas.after is not None else None,
    )


def _package(canvases: Sequence[Canvas]) -> str:
    """The top package of the first builder: "shop" for "shop.tasks"."""
    return canvases[0].module.partition(".")[0] if canvases else "project"


class _Reading:
    def __init__(self, project: Project, live: Mapping[str, Any]) -> None:
        self.project = project
        self.live = live
        self.tasks: dict[str, Task] = {}
        self.notes: list[Note] = []
        self.constants: dict[str, str] = {}
        self._names: set[str] = set()
        self.pickles = pickles(project)

    def canvases(self, module: Module, function: Function) -> list[Canvas]:
        """What a function builds: one canvas, or one for each place that sends one."""
        reader = Statements(imported=bool(self.live))
        try:
            root: Node | NotReadError = reader.builder(module, function)
        except NotReadError as problem:
            root = problem
            again = self._records(module, function)
            if again is not None:
                reader, root = again
            elif sent := self._sites(module, function):
                return sent
        return [self._canvas(module, function, reader, root)]

    def _records(self, module: Module, function: Function) -> tuple[Statements, Node] | None:
        """The canvas of a task whose first statements fill lists of signatures, amid other code."""
        if function.task is None:
            return None
        reader = Statements(imported=bool(self.live))
        try:
            return reader, records.read(module, function, reader, self.tasks)
        except NotReadError:
            return None

    def object(self, target: str, node: nodes.Node) -> Canvas:
        """A canvas that stands under a name of a module, re-rolled from what it is now."""
        dotted, _, attribute = target.partition(":")
        facts = self.project.index.module(dotted)
        if facts is None:
            raise TypeError(f"{target} was looked up before")
        module = Module.opened(self.project, facts.path)
        line = next(
            (
                s.lineno
                for s in (module.tree.body if module is not None else ())
                if isinstance(s, ast.Assign)
                and any(isinstance(t, ast.Name) and t.id == attribute for t in s.targets)
            ),
            1,
        )
        place = Place(facts.path, line)
        named = {task.name: name for name, task in self.live.items()}
        tasks = {named_: self.project.tasks_by_name[name] for named_, name in named.items()}
        made = Reroll({**self.project.tasks_by_name, **tasks}, place)
        name = naming.unused(naming.snake(attribute), self._names)
        self._names.add(name)
        try:
            root = made.node(node)
        except NotReadError as problem:
            self._note(problem.code, place, problem.why, name)
            root = Todo(code=problem.code, why=problem.why, place=place)
        reader = Statements()
        reader.tasks |= made.used
        self._know(reader)
        told = ", ".join(f"{key}={value!r:.60}" for key, value in made.values.items())
        self._note(
            "PORT134", place, f"{name}: re-rolled; it was built with {told or 'these values'}", name
        )
        canvas = Canvas(
            name=name,
            module=dotted,
            params=tuple(made.params),
            data=(),
            root=root,
            how="returned",
            doc="",
            place=place,
            end=line,
            function=attribute,
            built=tuple(made.values.items()),
        )
        self._say(canvas)
        return canvas

    def lone(self) -> list[Canvas]:
        """A canvas of one task for each task that the body of another one sends."""
        made: dict[str, Canvas] = {}
        sent: dict[str, dict[Sent, None]] = {}
        looked: set[str] = set()
        while new := [task for name, task in self.tasks.items() if name not in looked]:
            for task in new:
                looked.add(task.name)
                for name, form in self._forms(task):
                    sent.setdefault(name, {})[form] = None
                for sender in self._senders(task):
                    for found in sender.canvas.tasks if sender.canvas else (sender.task,):
                        self._know_task(found.name, found)
                    key = sender.name if sender.canvas else sender.task.name
                    if key not in made:
                        made[key] = self._lone(self.tasks[sender.task.name], sender)
                    what = f"{sender.source}.delay" if sender.source else "a canvas that it sends"
                    why = f"{task.name}: {what} starts {made[key].name}"
                    self._note("PORT143", task.place, why, task.name)
        return [replace(made[key], sent=tuple(sent.get(key, ()))) for key in made]

    def _forms(self, task: Task) -> list[tuple[str, Sent]]:
        module = Module.opened(self.project, task.place.path)
        function = module.function_named(task.function) if module is not None else None
        if module is None or function is None:
            return []
        try:
            return list(forms(module, function))
        except NotSentError:
            return []

    def _senders(self, task: Task) -> tuple[Sender, ...]:
        module = Module.opened(self.project, task.place.path)
        function = module.function_named(task.function) if module is not None else None
        if module is None or function is None:
            return ()
        try:
            return senders(module, function)
        except NotSentError:
            return ()  # its body says so

    def _lone(self, task: Task, sender: Sender) -> Canvas:
        written = sender.canvas
        name = naming.unused(sender.name.removeprefix("send_"), self._names)
        self._names.add(name)
        named = [p for p in task.params if p.kind == "keyword"]
        step = Step(
            task=task.name,
            args=tuple(p.name for p in task.params if p.kind == "positional"),
            kwargs=tuple((p.name, p.name) for p in named),
            immutable=True,
            place=task.place,
        )
        place = task.place if written is None else written.place
        made = Canvas(
            name=name,
            module=task.module,
            params=task.params if written is None else written.params,
            data=(),
            root=step if written is None else written.node,
            how="sent",
            doc="What the body of a task sends.",
            place=place,
            end=place.line,
            function=sender.name.removeprefix("send_"),
            site=True,
            lone=True,
        )
        if written is not None:
            self._say(made)
        return made

    def _sites(self, module: Module, function: Function) -> list[Canvas]:
        """The canvases that a function sends in the midst of other code."""
        reader = Statements(imported=bool(self.live))
        sites = Sites(module, function, reader, self.tasks, self._constants(module, reader))
        made: list[Canvas] = []
        try:
            found = sites.read()
            if not found or sites.problems:
                return []
            self._know(reader)
            read = [sites.site(call, node) for call, node in found]
        except NotReadError:
            return []
        for site in read:
            call = site.call
            place = Place(module.path, call.lineno)
            name = self._name(module, function)
            made.append(
                Canvas(
                    name=name,
                    module=self.project.index.name_of(module.facts),
                    params=site.params,
                    data=(),
                    root=site.node,
                    how="sent",
                    doc=f"What `{function.qualname}` sends.",
                    place=place,
                    end=call.end_lineno or call.lineno,
                    function=function.qualname,
                    rows=site.rows,
                    site=True,
                    given=site.given,
                )
            )
            why = f"{name}: {function.qualname} stays, and starts it here with the starter"
            self._note("PORT137", place, why, name)
            self._say(made[-1])
            self._remarks(reader, module, call.lineno, call.end_lineno or call.lineno, name)
        return made

    def _remarks(
        self, reader: Statements, module: Module, first: int, last: int, name: str
    ) -> None:
        """What was read on these lines and is not handed on."""
        for code, line, why in dict.fromkeys(reader.remarks):
            if first <= line <= last:
                self._note(code, Place(module.path, line), f"{name}: {why}", name)

    def _canvas(
        self, module: Module, function: Function, reader: Statements, found: Node | NotReadError
    ) -> Canvas:
        node = function.node
        place = Place(module.path, node.lineno)
        name = self._name(module, function)
        if isinstance(found, Node):
            root = found
        else:
            problem = found
            at = Place(module.path, problem.line)
            self._note(problem.code, at, problem.why, name)
            root = Todo(code=problem.code, why=problem.why, place=at)
            reader.data.clear()
            reader.after = None
        self._know(reader)
        params = params_of(node.args)
        if has_object(function):
            params = params[1:]
        canvas = Canvas(
            name=name,
            module=self.project.index.name_of(module.facts),
            params=params,
            data=tuple(
                records.with_name(one, f"{naming.camel(name)}Plan")
                if isinstance(one, Load)
                else one
                for one in reader.data
            ),
            root=root,
            how=reader.how,
            doc=(ast.get_docstring(node) or "").strip(),
            place=place,
            end=node.end_lineno or node.lineno,
            task=function.task.name if function.task is not None else "",
            function=function.name,
            result=reader.result if reader.how == "awaited" else "",
            after=reader.after,
        )
        constants = self._constants(module, reader)
        made, state = split(canvas, self.tasks, constants)
        self.constants |= {name: constants[name] for name in state.used}
        self.notes += state.notes
        self._say(made)
        around = decorators_of(module, function) if function.task is not None else ()
        if around:
            why = (
                f"{name}: @{', @'.join(around)} was around the task; it is not around the workflow"
            )
            self._note("PORT144", place, why, name)
        self._remarks(reader, module, node.lineno, made.end, name)
        for line in late_generators(module, function):
            why = f"{name}: a generator inside of a loop is read after the loop"
            self._note("PORT127", Place(module.path, line), why, name)
        return made

    def _name(self, module: Module, function: Function) -> str:
        """The function's name, or its module's where that says more; no two are the same."""
        stem = module.facts.path.rpartition("/")[2].removesuffix(".py")
        name = stem if function.name in _GENERIC and stem.isidentifier() else function.name
        if name in self._names:
            name = f"{stem}_{function.name}"
        name = naming.unused(name, self._names)
        self._names.add(name)
        return name

    def _know(self, reader: Statements) -> None:
        for name, found in reader.tasks.items():
            self._know_task(name, found)

    def _know_task(self, name: str, found: Found) -> None:
        if name in self.tasks:
            return
        self.tasks[name] = task_of(self.project, found, self.live)
        place = Place(found.path, found.line)
        objects = object_params(self.tasks[name]) if self.pickles else []
        if objects:
            why = f"{name}({', '.join(objects)}): pickled where JSON does not carry it"
            self._note("PORT141", place, why, name)
        changed = [] if self.pickles else changed_values(self.tasks[name])
        if changed:
            why = f"{name}({', '.join(changed)}): Celery's JSON makes lists and text keys of it"
            self._note("PORT150", place, why, name)
        for code, why in settings_of(self.project, found, self.live):
            self._note(code, place, why, name)
        if self.tasks[name].decorators:
            why = f"{name}: @{', @'.join(self.tasks[name].decorators)} is around the step too"
            self._note("PORT144", place, why, name)
        unread = unread_options(self.project, found, self.live)
        if unread:
            why = f"{name}: {', '.join(unread)}: name the app with -A, so that it is read"
            self._note("PORT304", place, why, name)

    def settings(self) -> None:
        """What is said of all tasks: settings that are not certain, handlers of signals."""
        if not self.tasks:
            return
        for path, line, why in settings.doubts(self.project, self.live):
            self._note("PORT148", Place(path, line), why, ALL)
        for path, line, signal in handlers(self.project):
            why = f"a handler of {signal} is called by Celery's worker or client only"
            self._note("PORT149", Place(path, line), why, ALL)

    def _note(self, code: str, place: Place, message: str, about: str) -> None:
        self.notes.append(Note(code, place, message, about))

    def _constants(self, module: Module, reader: Statements) -> dict[str, str]:
        """Literals at the top of a builder's module that its data expressions name."""
        found: dict[str, str] = {}
        for name, path in reader.globals.items():
            facts = self.project.files[path]
            value = self.project.index.constant(facts, facts.assigns.get(name))
            if isinstance(value, Const) and isinstance(
                value.value, str | int | float | bool | type(None)
            ):
                found[name] = repr(value.value)
            elif name in facts.assigns:
                there = Module.opened(self.project, path)
                text = _display(there, name) if there is not None else ""
                if text:
                    found[name] = text
            elif name in facts.imports:
                resolved = self.project.index.value(self.project.index.resolve(facts, name))
                if resolved is not None:
                    known = self.project.index.constant(*resolved)
                    if isinstance(known, Const):
                        found[name] = repr(known.value)
        return found

    def _say(self, canvas: Canvas) -> None:
        """Decisions that follow from the shape of a canvas."""
        about = canvas.name
        if canvas.how in {"replaces", "awaited"} or (canvas.how == "sent" and canvas.task):
            self._note("PORT133", canvas.place, f"{about}: its body became a workflow", about)
        elif canvas.how == "sent" and not canvas.site:
            self._note("PORT135", canvas.place, f"{about}: sent by the builder itself", about)
        for one in canvas.data:
            if isinstance(one, Load):
                code = "PORT131" if one.repeatable else "PORT132"
                what = one.reads if not one.body else "statements before the canvas"
                self._note(code, one.place, f"{about}: {one.step} reads {what:.80}", about)
        for code, place, what in shape_notes(canvas.root):
            self._note(code, place, f"{about}: {what}", about)
        for part in walk(canvas.root):
            if isinstance(part, Step) and (part.options.ignore_result or self._ignores(part.task)):
                what = f"{part.task} has ignore_result: its result is handed on and kept here"
                self._note("PORT119", part.place, f"{about}: {what}", about)
            if isinstance(part, Todo) and CODES[part.code].verdict is Verdict.REFUSED:
                self._note(part.code, part.place, part.why, about)

    def _ignores(self, name: str) -> bool:
        task = self.tasks.get(name)
        return task is not None and task.policy.ignore_result


def _display(module: Module, name: str) -> str:
    """The source of a list or tuple of literals that a name is assigned at the top of a module."""
    for statement in module.tree.body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == name for t in statement.targets
        ):
            try:
                ast.literal_eval(statement.value)
            except ValueError:
                return ""
            return ast.unparse(statement.value)
    return ""


def with_notes(plan: Plan, notes: Sequence[Note]) -> Plan:
    """The plan with more notes, each once, by place."""
    every = dict.fromkeys((*plan.notes, *notes))
    return replace(plan, notes=tuple(sorted(every, key=lambda n: (n.place, n.code, n.message))))
