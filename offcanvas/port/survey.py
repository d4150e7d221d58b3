"""What a port of each canvas of a project would have to decide, without writing one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from offcanvas.audit.discover import left_out
from offcanvas.port import lower
from offcanvas.port.codes import CODES, Verdict
from offcanvas.port.emit.parts import Parts
from offcanvas.port.emit.temporal.project import notes_of
from offcanvas.port.ir import Note, Place, Todo, walk
from offcanvas.port.read.plan import plan_of
from offcanvas.port.read.project import all_builders, open_project

if TYPE_CHECKING:
    from pathlib import Path

    from offcanvas.audit.module import Module
    from offcanvas.audit.project import Project
    from offcanvas.audit.tree import Function

_WORST = (Verdict.REFUSED, Verdict.TODO, Verdict.DECIDE)


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A function that builds or sends canvases, and what a port to Temporal says of it.

    canvases: how many workflows it becomes. notes: all that is said, each once.
    """

    path: str
    line: int
    name: str
    canvases: int
    notes: tuple[Note, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the notes."""
        found = {CODES[note.code].verdict for note in self.notes}
        return next((verdict for verdict in _WORST if verdict in found), Verdict.EXACT)

    def count(self, verdict: Verdict) -> int:
        """How many of the notes have this verdict."""
        return sum(CODES[note.code].verdict is verdict for note in self.notes)


def survey(root: Path, paths: Sequence[str] | None = None) -> list[Surveyed]:
    """Every builder of a project by itself; ``paths`` are files to look at, or all product code.

    Nothing is imported and nothing is written.
    """
    tests = paths is not None and any(map(left_out, paths))
    project = open_project(root, tests=tests)
    wanted = None if paths is None else frozenset(paths)
    return [
        one
        for module, function in all_builders(project, tests=tests)
        if wanted is None or module.path in wanted
        for one in _one(project, module, function)
    ]


def _one(project: Project, module: Module, function: Function) -> Iterator[Surveyed]:
    try:
        yield from _surveyed(project, module, function)
    except RecursionError:
        line = function.node.lineno
        note = Note("PORT215", Place(module.path, line), "it is nested too deeply", function.name)
        yield Surveyed(module.path, line, function.qualname, 0, (note,))


def _surveyed(project: Project, module: Module, function: Function) -> Iterator[Surveyed]:
    plan = plan_of(project, [(module, function)])
    said = [*plan.notes]
    for canvas in plan.canvases:
        said += [
            Note(part.code, part.place, part.why, canvas.name)
            for part in walk(canvas.root)
            if isinstance(part, Todo)
        ]
    if not any(CODES[note.code].verdict is Verdict.REFUSED for note in said):
        try:
            lower.program(plan, Parts(project, plan).needs(), frozenset())
            said += notes_of(project, plan, "out")
        except lower.MisfitError as misfit:
            place = plan.canvases[0].place
            said.append(Note(misfit.code, place, str(misfit), plan.canvases[0].name))
    notes = {(note.code, note.message): note for note in said}
    every = sorted(notes.values(), key=lambda note: (note.place, note.code, note.message))
    if [note.code for note in every] == ["PORT301"]:
        return  # it only looked like a builder
    yield Surveyed(
        module.path,
        function.node.lineno,
        function.qualname,
        sum(not c.lone for c in plan.canvases),
        tuple(every),
    )
