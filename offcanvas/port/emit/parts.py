"""What both emitters need of a port: bodies, references to the project's code, types, notes."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from offcanvas.audit.module import Module
from offcanvas.port.bodies import Bodies, Body, has_moved
from offcanvas.port.emit.contexts import name_of
from offcanvas.port.emit.typing import Types
from offcanvas.port.errbacks import Needs, needs_of
from offcanvas.port.ir import Context, Load, Note, Param, Place, Plan, Row
from offcanvas.port.lower import UnsaidError
from offcanvas.port.source import free_names, renamed

if TYPE_CHECKING:
    from offcanvas.audit.project import Project
    from offcanvas.port.script import Step


@dataclass
class Parts:
    """The engine-neutral half of a port. Emitters ask; what is asked for is written.

    package: the name of what is emitted. by_call: a step calls ``task.run`` of Celery's task
    (``--bodies call``). bodies: the ``work``
    modules. types: annotations. notes: what arose while emitting.
    """

    project: Project
    plan: Plan
    by_call: bool = False
    package: str = ""
    bodies: Bodies = field(init=False)
    types: Types = field(init=False)
    notes: list[Note] = field(default_factory=list)
    imported: dict[str, str] = field(default_factory=dict)
    """Imports of the project's names that steps use, by name."""
    contexts: list[Context] = field(default_factory=list)
    """What the classes of tasks have around bodies, in the order of its use."""

    def __post_init__(self) -> None:
        """Nothing is read before it is asked for."""
        self.bodies = Bodies(self.project)
        self.types = Types(self.project)

    def needs(self) -> Mapping[str, Needs]:
        """Of each task, what it would read of a failure if it were an errback; read when asked."""
        return _Needed(self.project, self.plan)

    def module(self, path: str) -> Module:
        """A file of the project that was read before."""
        module = Module.opened(self.project, path)
        if module is None:
            raise RuntimeError(f"{path} cannot be read any more")
        return module

    def body(self, step: Step) -> tuple[Body, str]:
        """The body of a task's step, and the ``work`` module it is in."""
        if step.task is None:
            raise TypeError(f"{step.name} is not a task")
        body = self.bodies.task(step.task, errback=step.kind == "errback")
        module = self.module(step.task.place.path)
        return body, self.bodies.work_of(module).module

    def in_context(self, step: Step, call: str) -> tuple[str, frozenset[str]]:
        """A function with what the class of its task has around it, and the import it needs."""
        if step.task is None or step.task.context is None:
            return call, frozenset()
        context = step.task.context
        if context not in self.contexts:
            self.contexts.append(context)
        name = name_of(self.contexts.index(context))
        what = f"with {', '.join(context.items)}, of {context.owner}, is around the step too"
        self.note("PORT152", step.task.place, f"{step.task.name}: {what}", step.task.name)
        return f"{name}({call})", frozenset({f"from {self.package}.context import {name}"})

    def run(self, step: Step) -> tuple[str, str]:
        """The function of Celery's task that a step calls, and the import it needs."""
        if step.task is None:
            raise TypeError(f"{step.name} is not a task")
        task = step.task
        alias = alias_of(task.module)
        if task.policy.retries is not None and task.policy.retries.asked:
            what = "self.request.retries is 0 in a body that is called"
            self.note("PORT139", task.place, f"{task.name}: {what}", task.name)
        return f"{alias}.{task.function}.run", import_of(task.module)

    def reference(self, text: str, module: Module, own: frozenset[str]) -> Reference:
        """An expression of the project's as it may stand in an emitted module.

        ``own`` are names that the expression has of its own (parameters). Names that are defined
        in the module come along into ``work``; imported ones are imported.
        """
        work = self.bodies.work_of(module)
        names = [name for name in free_names(text) if name not in own]
        imports: set[str] = set()
        others: dict[str, str] = {}
        for name in names:
            if has_moved(name, module, work, self.project):
                imports.add(import_of(work.module))
                others[name] = f"{alias_of(work.module)}.{name}"
            elif name in module.facts.imports:
                missing = self.bodies.bring(module, {name}, work)
                if missing:
                    return Reference(text, frozenset(), missing)
                alias, statement = self._bound(name, work.imports[name])
                imports.add(statement)
                if alias != name:
                    others[name] = alias
            elif name in {*module.facts.functions, *module.facts.classes, *module.facts.assigns}:
                missing = self.bodies.bring(module, {name}, work)
                if missing:
                    return Reference(text, frozenset(), missing)
                imports.add(import_of(work.module))
                others[name] = f"{alias_of(work.module)}.{name}"
        return Reference(renamed(text, others), frozenset(imports), "")

    def _bound(self, name: str, statement: str) -> tuple[str, str]:
        """An import by a name that nothing else of another module has."""
        alias, number = name, 2
        while self.imported.setdefault(alias, statement) != statement:
            alias, number = f"{name}_{number}", number + 1
        if alias == name:
            return name, statement
        return alias, f"{statement.partition(' as ')[0]} as {alias}"

    def load(self, load: Load, params: tuple[Param, ...]) -> Reference:
        """What a load's step returns, as an expression over its parameters."""
        module = self.module(load.place.path)
        own = frozenset(p.name for p in params)
        if load.body:
            name, missing = self.bodies.load(load, params, module)
            work = self.bodies.work_of(module)
            given = ", ".join(p.name for p in params)
            text = f"{alias_of(work.module)}.{name}({given})"
            before: tuple[str, ...] = ()
            if load.several is not None:
                text, before = _several(load, load.several, text)
            return Reference(text, frozenset({import_of(work.module)}), missing, before)
        if load.row is None:
            return self.reference(load.reads, module, own)
        fields = ", ".join(f"packed({f.reads})" if f.packed else f.reads for f in load.row.fields)
        text = f"[{load.row.name}({fields}) for {load.row.var} in {load.reads}]"
        return self.reference(text, module, own | {load.row.name, "packed"})

    def work_files(self) -> dict[str, str]:
        """The ``work`` modules that hold something new, by path; not formatted yet."""
        works = self.bodies.works.values()
        return {work.path: work.text() for work in works if work.definitions}

    def celery_files(self) -> dict[str, str]:
        """The project's own modules, with bodies that have moved replaced by calls.

        They are the user's files: nothing else in them changes, and they are not formatted.
        """
        files, notes = self.bodies.celery_sides()
        self.notes += [*self.bodies.notes, *notes]
        return files

    def note(self, code: str, place: Place, message: str, about: str = "") -> None:
        """Something that the user has to know or decide."""
        self.notes.append(Note(code, place, message, about))


class _Needed(dict[str, Needs]):
    """What tasks read as errbacks: few of them are."""

    def __init__(self, project: Project, plan: Plan) -> None:
        super().__init__()
        self._project = project
        self._plan = plan

    def __missing__(self, name: str) -> Needs:
        task = self._plan.tasks[name]
        module = Module.opened(self._project, task.place.path)
        function = module.function_named(task.function) if module is not None else None
        needs = Needs(kind=True, text=True, told=(), other=())
        if function is not None:
            needs = needs_of(function.node, self._project)
        self[name] = needs
        return needs


@dataclass(frozen=True, slots=True)
class Reference:
    """An expression, the imports it needs, and the name that keeps it from standing there.

    before: statements before it.
    """

    text: str
    imports: frozenset[str]
    missing: str
    before: tuple[str, ...] = ()


def _several(load: Load, several: Row, call: str) -> tuple[str, tuple[str, ...]]:
    """What a step returns for several values: an expression, and statements before it."""
    if not load.records and not load.ends:
        packs = any(one.packed for one in several.fields)
        return f"{several.name}(*map(packed, {call}))" if packs else f"{several.name}(*{call})", ()
    before = [f"found = {call}"]
    if load.ends:
        before += ["if found is None:", "    return None"]
    rows = {f"list[{row.name}]": row for row in load.records}
    shown = []
    for place, one in enumerate(several.fields):
        value = f"found[{place}]"
        row = rows.get(one.type)
        if row is not None:
            each = "packed(one)" if any(f.packed for f in row.fields) else "one"
            shown.append(f"[{row.name}(**{each}) for one in {value}]")
        else:
            shown.append(f"packed({value})" if one.packed else value)
    return f"{several.name}({', '.join(shown)})", tuple(before)


#: Marks a module of the project's until it is known which others are used beside it.
_MARK: Final = "module_of__"


def import_of(module: str) -> str:
    """The statement that makes a module of the project's known under ``alias_of``."""
    package, _, name = module.rpartition(".")
    alias = alias_of(module)
    return f"from {package} import {name} as {alias}" if package else f"import {name} as {alias}"


def alias_of(module: str) -> str:
    """What stands for a module until ``settled`` gives it a name."""
    return _MARK + module.replace(".", "__")


def settled(text: str) -> str:
    """The source with names for the project's modules: ``work``, or ``shop_work`` beside another.

    Raises:
        UnsaidError: two imports bind one name to different things.
    """
    marks = dict.fromkeys(re.findall(rf"\b{_MARK}\w+", text))
    lasts = [mark.removeprefix(_MARK).rpartition("__")[2] for mark in marks]
    for mark, last in zip(marks, lasts, strict=True):
        path = mark.removeprefix(_MARK).split("__")
        name = last if lasts.count(last) == 1 else "_".join(path)
        text = re.sub(rf"\b{mark}\b", name, text)
        text = re.sub(rf"import {last} as {last}\b", f"import {last}", text)
    bound: dict[str, str] = {}
    for statement in ast.parse(text).body if marks else ():
        if isinstance(statement, ast.ImportFrom):
            for one in statement.names:
                target = f"{statement.module}.{one.name}"
                before = bound.setdefault(one.asname or one.name, target)
                if before != target:
                    name = one.asname or one.name
                    raise UnsaidError("imports", f"{name} would be {before} and {target}")
    return text


def by_about(notes: Mapping[str, list[Note]] | list[Note], about: str) -> list[Note]:
    """The notes that concern a task or canvas."""
    if isinstance(notes, Mapping):
        return notes.get(about, [])
    return [note for note in notes if note.about == about]
