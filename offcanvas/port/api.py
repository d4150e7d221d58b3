"""``read`` and ``emit``: a port from Python, as the command makes it."""

from __future__ import annotations

import importlib
import json
import keyword
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from offcanvas.canvas import nodes
from offcanvas.canvas.lift import lift
from offcanvas.errors import BadTarget, UsageError
from offcanvas.port import lower
from offcanvas.port.bodies import Bodies
from offcanvas.port.check import check
from offcanvas.port.codes import CODES, Verdict
from offcanvas.port.emit.parts import Parts
from offcanvas.port.ir import Canvas, Note, Place, Plan
from offcanvas.port.read.plan import builders_of, plan_of, read_plan
from offcanvas.port.read.project import open_project
from offcanvas.port.report import Report, port_md
from offcanvas.port.trace import traces

if TYPE_CHECKING:
    from offcanvas.audit.module import Module
    from offcanvas.audit.project import Project
    from offcanvas.audit.tree import Function

#: Engines that source is written for.
Engine: TypeAlias = Literal["temporal", "prefect"]

_TITLES: Final = {"temporal": "Temporal", "prefect": "Prefect"}


class Refused(UsageError):  # noqa: N818 - the name of an error says what is wrong
    """This canvas cannot be ported; nothing was written."""


@dataclass(frozen=True, slots=True)
class Read:
    """A plan with the project that it was read from.

    by_call: bodies stay, and are called. left: why what is not in the plan is refused.
    """

    project: Project = field(repr=False)
    plan: Plan
    by_call: bool = False
    left: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Emitted:
    """Files by path relative to the project's root, and what there is to say about them."""

    files: Mapping[str, str]
    report: Report
    own: frozenset[str]
    """Those of the files that are the project's: edited on the basis of what they are."""


def read(
    *targets: str,
    samples: Sequence[Mapping[str, Any]] = (),
    root: Path | None = None,
    imports: bool = False,
    bodies: Literal["extract", "call"] = "extract",
    skip_refused: bool = False,
) -> Read:
    """Read the builders that the targets name, and check them against the originals.

    Args:
        targets: ``package.module:function``, ``file.py:line`` or ``.``.
        samples: keyword arguments; each builder is called with those that fit its parameters.
        root: the project's root; the working directory if it is not given.
        imports: import the targets' modules also without a sample, to read the options of tasks
            from the tasks themselves.
        bodies: they move into ``work`` ("extract"), or stay and are called as ``task.run``
            ("call"), which is for the time in between: what is emitted then needs Celery.
        skip_refused: of a whole project (``.``), leave out the functions that are refused, and have
            ``Read.left`` say why. What a target names by itself is refused all the same.

    Raises:
        BadTarget: a target names nothing, or a builder fails with a sample.
        Refused: a construct that cannot be ported (PORT3xx), or the translation makes other calls
            than the original (PORT900).
    """
    by_call = bodies == "call"
    project = open_project(Path() if root is None else root)
    objects = _objects(targets, project)
    live = _live(targets, project) if samples or imports or objects else {}
    plan = read_plan(project, targets, live, objects)
    if "." in targets:
        plan = _without_mere_functions(plan)
    if not plan.canvases:
        raise Refused(f"{', '.join(targets)}: PORT301: nothing builds a canvas there")
    _all_fit(plan, samples)
    try:
        return Read(project, _held(project, plan, samples, live, by_call=by_call), by_call)
    except Refused as refused:
        if "." not in targets:
            raise
        named = [target for target in targets if target != "."]
        fixed = builders_of(project, named, objects)
        every = builders_of(project, targets, objects)
        rest, left = _apart(project, every, samples, live, by_call=by_call)
        told = [f"{one.place}: {one.about}: {one.code}: {one.message}" for one, _ in left]
        own = [line for line, (_, one) in zip(told, left, strict=True) if one in fixed]
        if not left:
            raise
        if own:
            raise Refused("\n  ".join(own)) from refused
        said = "".join(f"\n  {line}" for line in told)
        if not rest and not objects:
            raise Refused(f".: everything is refused; nothing is written{said}") from refused
        if not skip_refused:
            raise Refused(
                f".: {len(left)} of {len(left) + len(rest)} functions are refused, and nothing is "
                f"written; --skip-refused writes the rest{said}"
            ) from refused
        plan = _without_mere_functions(plan_of(project, rest, live, objects))
        plan = _held(project, plan, samples, live, by_call=by_call)
        return Read(project, plan, by_call, tuple(one for one, _ in left))


def _held(
    project: Project,
    plan: Plan,
    samples: Sequence[Mapping[str, Any]],
    live: Mapping[str, Any],
    *,
    by_call: bool,
) -> Plan:
    """The plan, held against the originals, with what that says.

    Raises:
        Refused: it cannot be ported, or would do something else.
    """
    _refuse([*plan.notes, *(_sending(project, plan) if by_call else ())])
    try:
        program = lower.program(plan, Parts(project, plan).needs(), frozenset())
    except lower.MisfitError as misfit:
        raise Refused(f"{misfit.code}: {misfit}") from misfit
    chosen = {canvas.name: _fitting(canvas, samples) for canvas in plan.canvases}
    named = {task.name: name for name, task in live.items()}
    differences, notes = check(plan, program, project.tasks_by_name, chosen, named)
    if differences:
        told = "\n  ".join(f"{one.canvas} with {one.sample}: {one.what}" for one in differences)
        raise Refused(f"PORT900: the port would do something else; nothing is written\n  {told}")
    every = tuple(
        sorted({*plan.notes, *notes}, key=lambda note: (note.place, note.code, note.message))
    )
    return replace(plan, notes=every, samples=chosen, traces=traces(plan, program, chosen))


_Builder: TypeAlias = "tuple[Module, Function]"


def _apart(
    project: Project,
    builders: Sequence[_Builder],
    samples: Sequence[Mapping[str, Any]],
    live: Mapping[str, Any],
    *,
    by_call: bool,
) -> tuple[list[_Builder], list[tuple[Note, _Builder]]]:
    """Each builder by itself: those that can be ported, and why the others are refused."""
    rest: list[_Builder] = []
    left: list[tuple[Note, _Builder]] = []
    for module, function in builders:
        plan = _without_mere_functions(plan_of(project, [(module, function)], live))
        if not plan.canvases:
            continue
        try:
            _held(project, plan, samples, live, by_call=by_call)
        except Refused as refused:
            left.append((_why(str(refused), module, function), (module, function)))
        else:
            rest.append((module, function))
    return rest, left


def _why(refused: str, module: Module, function: Function) -> Note:
    """What is said of one function, as a note at the line that it is about."""
    code = next(iter(re.findall(r"\bPORT\d{3}\b", refused)), "PORT900")
    text = " ".join(refused.replace(f"{code}: ", "").split())
    path, line, why = text.split(":", 2) if re.match(r"[^ :]+:\d+: ", text) else ("", "0", text)
    place = Place(path, int(line)) if path else Place(module.path, function.node.lineno)
    return Note(code, place, why.strip(), function.qualname)


def emit(found: Read, to: Engine, out: str | None = None) -> Emitted:
    """The source for an engine; ``out`` is the package's name, "shop_temporal" by default.

    Raises:
        UsageError: ``to`` is not an engine, or ``out`` no name of a package.
        MissingExtra: ruff is not installed.
    """
    package = f"{found.plan.package}_{to}" if out is None else out
    if not package.isidentifier() or keyword.iskeyword(package):
        raise UsageError(
            f"--out {package}: not the name of a Python package; give one without / and without "
            "dots: it is written beside the project's own packages"
        )
    if package in sys.stdlib_module_names:
        raise UsageError(f"--out {package}: Python has a module of this name; choose another one")
    if f"{package}.py" in found.project.files:
        raise UsageError(
            f"--out {package}: {package}.py is there, and a package of its name would hide it; "
            "choose another one"
        )
    if _is_elsewhere(package, found.project.root):
        raise UsageError(
            f"--out {package}: a package of this name is installed, and this one would hide it; "
            "choose another one"
        )
    if to == "temporal":
        from offcanvas.port.emit.temporal.project import emit as write
    elif to == "prefect":
        from offcanvas.port.emit.prefect.project import emit as write
    else:
        raise UsageError(f"--to {to}: source is written for temporal and prefect")
    files, notes = write(found.project, found.plan, package, by_call=found.by_call)
    if f"{package}.py" in files:
        raise UsageError(
            f"--out {package}: the bodies of the tasks go to {package}.py, and a package of its "
            "name would hide it; choose another one"
        )
    every = sorted(
        {*found.plan.notes, *notes}, key=lambda note: (note.place, note.code, note.message)
    )
    report = Report(found.plan, tuple(every), found.left)
    told = port_md(found.project, report, files, package, _TITLES[to])
    own = {path for path in files if path in found.project.files}
    own -= {path for path in own if path.startswith(f"{package}/")}
    return Emitted({**files, f"{package}/PORT.md": told}, report, frozenset(own))


def _is_elsewhere(package: str, root: Path) -> bool:
    """Whether an installed package has the name of one that is not there yet."""
    return not (root / package).is_dir() and PathFinder.find_spec(package) is not None


def _without_mere_functions(plan: Plan) -> Plan:
    """A project's plan without the functions that only look as if they built a canvas."""
    none = {note.about for note in plan.notes if note.code == "PORT301"}
    return replace(
        plan,
        canvases=tuple(canvas for canvas in plan.canvases if canvas.name not in none),
        notes=tuple(note for note in plan.notes if note.about not in none),
    )


def _sending(project: Project, plan: Plan) -> Iterator[Note]:
    """The tasks that cannot be called where they are, because their bodies send others."""
    tasks = Bodies(project)
    for task in plan.tasks.values():
        note = tasks.sending(task)
        if note is not None:
            why = f"{note.message}; --bodies extract has the step send it"
            yield replace(note, code="PORT305", message=why)


def _refuse(notes: Sequence[Note]) -> None:
    refused = [note for note in notes if CODES[note.code].verdict is Verdict.REFUSED]
    if refused:
        raise Refused("\n  ".join(f"{note.place}: {note.code}: {note.message}" for note in refused))


def _fitting(canvas: Canvas, samples: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The samples that name every parameter without a default, and no other."""
    if canvas.built is not None:
        return [dict(canvas.built)]
    names = {p.name for p in canvas.params if p.kind in {"positional", "keyword"}}
    needed = {p.name for p in canvas.params if p.name in names and not p.default}
    if canvas.site:
        return []  # its caller is not a builder that could be called
    return [sample for sample in samples if needed <= sample.keys() <= names]


def _all_fit(plan: Plan, samples: Sequence[Mapping[str, Any]]) -> None:
    """A sample that no builder takes is a slip of the pen.

    Raises:
        UsageError: there is one.
    """
    builders = [one for one in plan.canvases if one.built is None and not one.site]
    used = [sample for canvas in plan.canvases for sample in _fitting(canvas, samples)]
    for sample in samples:
        if builders and sample not in used:
            takes = [
                f"{one.function}({', '.join(p.name for p in one.params)})" for one in builders[:3]
            ]
            more = " and others" if len(builders) > 3 else ""
            raise UsageError(
                f"--sample {json.dumps(sample, default=repr)}: no builder takes these arguments; "
                f"there is {', '.join(takes)}{more}"
            )


def _objects(targets: Sequence[str], project: Project) -> dict[str, nodes.Node]:
    """The targets that name no function but an object at the top of a module: built canvases."""
    found: dict[str, nodes.Node] = {}
    for target in targets:
        name, colon, attribute = target.partition(":")
        facts = project.index.module(name) if colon and not attribute.isdigit() else None
        if facts is None or attribute in facts.functions or attribute not in facts.assigns:
            continue
        _imported(target, name, project)
        held: Any = getattr(sys.modules[name], attribute, None)
        if isinstance(held, dict) and "task" in held:
            found[target] = lift(held)
    return found


def _imported(target: str, name: str, project: Project) -> None:
    root = str(project.root.resolve())
    if root not in sys.path:
        sys.path.insert(0, root)
    try:
        importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever the user's module raises is the answer
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadTarget(f"{target}: importing {name} failed with {said}") from error


def _live(targets: Sequence[str], project: Project) -> Mapping[str, Any]:
    """The tasks of the apps that are imported with the targets' modules, by the audit's names."""
    for target in targets:
        name, colon, path = target.partition(":")
        if colon and not path.isdigit():
            _imported(target, name, project)
    from celery import Celery
    from celery._state import get_current_app

    by_name: dict[str, Any] = {}
    current: Any = get_current_app()
    apps = {id(current): current}
    for module in list(sys.modules.values()):
        for value in list(vars(module).values()) if module is not None else ():
            if isinstance(value, Celery):
                apps[id(value)] = value
    for one in apps.values():
        by_name |= dict(one.tasks)
    by_place = {
        f"{getattr(task.run, '__module__', '')}.{getattr(task.run, '__qualname__', '')}": task
        for task in by_name.values()
    }
    # An app may name its tasks in its own way: the function tells which task is meant.
    chosen = {one.name: by_place.get(one.qualname, by_name.get(one.name)) for one in project.tasks}
    return {name: task for name, task in chosen.items() if task is not None}


__all__ = ["BadTarget", "Emitted", "Read", "Refused", "emit", "read"]
