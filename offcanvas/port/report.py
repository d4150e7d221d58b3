"""What a port says of itself: by canvas, by note, and PORT.md."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from offcanvas.port import names as naming
from offcanvas.port.codes import CODES, Effort, Verdict
from offcanvas.port.ir import Canvas, Note, Plan
from offcanvas.printable import escaped

if TYPE_CHECKING:
    from offcanvas.audit.project import Project

_WORST: Final = (Verdict.REFUSED, Verdict.TODO, Verdict.DECIDE, Verdict.EXACT)


@dataclass(frozen=True)
class Report:
    """The notes of a port, and its canvases with the worst verdict of each.

    ``left``: of functions that are refused and not in the port, the name and why.
    """

    plan: Plan
    notes: tuple[Note, ...]
    left: tuple[Note, ...] = ()

    def verdict(self, canvas: Canvas) -> Verdict:
        """The worst of what concerns a canvas: what is in it, and in the tasks that it calls."""
        found = {CODES[note.code].verdict for note in self.of(canvas)}
        return next((verdict for verdict in _WORST if verdict in found), Verdict.EXACT)

    def of(self, canvas: Canvas) -> tuple[Note, ...]:
        """The notes that concern a canvas."""
        from offcanvas.port.ir import ALL, Step, walk

        tasks = {part.task for part in walk(canvas.root) if isinstance(part, Step)}
        found = [n for about in {canvas.name, *tasks, ALL} for n in self._about.get(about, ())]
        return tuple(self.notes[number] for number in sorted(found))

    @cached_property
    def _about(self) -> Mapping[str, Sequence[int]]:
        """The places of the notes on each canvas and task."""
        found: dict[str, list[int]] = {}
        for number, note in enumerate(self.notes):
            found.setdefault(note.about, []).append(number)
        return found

    @property
    def worst(self) -> Verdict:
        """The worst verdict of all notes."""
        found = {CODES[note.code].verdict for note in self.notes}
        return next((verdict for verdict in _WORST if verdict in found), Verdict.EXACT)

    @property
    def exit_code(self) -> int:
        """0 all exact, 1 decisions or todos, or something is left out, 2 refused."""
        if self.left:
            return 1
        return {Verdict.EXACT: 0, Verdict.REFUSED: 2}.get(self.worst, 1)

    def text(self) -> str:
        """One line a note, and one a canvas."""
        lines = [
            escaped(f"{note.place}: {note.code} {CODES[note.code].verdict.value}: {note.message}")
            for note in self.notes
        ]
        for canvas in self.plan.canvases:
            counts = _counted(self.of(canvas))
            lines.append(escaped(f"{canvas.module}:{canvas.function}: {counts}"))
        return "\n".join(lines)

    def json(self, files: Mapping[str, str]) -> str:
        """The same as data: canvases, notes, and the paths of the files."""
        canvases = [
            {
                "canvas": f"{canvas.module}:{canvas.function}",
                "path": canvas.place.path,
                "line": canvas.place.line,
                "how": canvas.how,
                "verdict": self.verdict(canvas).value,
                "notes": [note.code for note in self.of(canvas)],
            }
            for canvas in self.plan.canvases
        ]
        notes = [
            {
                "code": note.code,
                "verdict": CODES[note.code].verdict.value,
                "path": note.place.path,
                "line": note.place.line,
                "message": note.message,
            }
            for note in self.notes
        ]
        told = {"canvases": canvases, "notes": notes, "files": sorted(files)}
        if self.left:
            told["refused"] = [
                {
                    "function": one.about,
                    "path": one.place.path,
                    "line": one.place.line,
                    "code": one.code,
                    "message": one.message,
                }
                for one in self.left
            ]
        return json.dumps(told, indent=2)

    def refusals(self) -> str:
        """One line for each function that is left out, and how many there are."""
        lines = [
            escaped(f"{one.place}: {one.code} refused: {one.about}: {one.message}")
            for one in self.left
        ]
        one = len(self.left) == 1
        what = "function is refused and is" if one else "functions are refused and are"
        return "\n".join([*lines, f"{len(self.left)} {what} not in the port"])

    def sarif(self) -> str:
        """SARIF 2.1.0, for a code review."""
        notes = [*self.notes, *self.left]
        rules = sorted({note.code for note in notes})
        levels = {Verdict.REFUSED: "error", Verdict.TODO: "warning", Verdict.DECIDE: "note"}
        results = [
            {
                "ruleId": note.code,
                "level": levels[CODES[note.code].verdict],
                "message": {"text": note.message},
                "locations": [
                    {
                        "physicalLocation": {
                            "artifactLocation": {"uri": note.place.path},
                            "region": {"startLine": note.place.line},
                        }
                    }
                ],
            }
            for note in notes
        ]
        driver = {
            "name": "offcanvas port",
            "version": version("offcanvas"),
            "rules": [
                {
                    "id": code,
                    "shortDescription": {"text": CODES[code].title},
                    "fullDescription": {"text": " ".join(CODES[code].text.split())},
                }
                for code in rules
            ],
        }
        run = {"tool": {"driver": driver}, "results": results}
        log = {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [run],
        }
        return json.dumps(log, indent=2)


def _counted(notes: Sequence[Note]) -> str:
    kinds = [CODES[note.code].verdict for note in notes]
    said = [
        f"{kinds.count(verdict)} {verdict.value}"
        for verdict in (Verdict.REFUSED, Verdict.TODO, Verdict.DECIDE)
        if verdict in kinds
    ]
    return ", ".join(said) or "exact"


#: Uses of tasks that a team has to change by hand, and what to write instead.
_INSTEAD: Final = {
    "delay": "starter.start_...",
    "apply_async": "starter.start_...",
    "send_task": "starter.start_...",
    "get": "starter.wait_...",
}


def port_md(
    project: Project, report: Report, files: Mapping[str, str], package: str, engine: str
) -> str:
    """PORT.md: where each canvas went, what is to be decided, what still calls Celery."""
    plan = report.plan
    lines = [
        f"# {plan.package} on {engine}",
        "",
        f"Written by `offcanvas port` from {_sources(plan)}. These files are yours.",
        "",
        "| canvas | from | to | verdict |",
        "|---|---|---|---|",
    ]
    emitted = "flows.py" if engine == "Prefect" else "workflows.py"
    target = f"{package}/{emitted}"
    places = _lines_of(files.get(target, ""))
    for canvas in plan.canvases:
        name = canvas.name
        line = places.get(naming.camel(name) if engine == "Temporal" else naming.snake(name), 1)
        counts = _counted(report.of(canvas))
        lines.append(f"| `{canvas.name}` | {canvas.place} | {target}:{line} | {counts} |")
    for verdict, title in (
        (Verdict.TODO, "To be written"),
        (Verdict.DECIDE, "To be decided"),
    ):
        found = [note for note in report.notes if CODES[note.code].verdict is verdict]
        if not found:
            continue
        lines += ["", f"## {title}", ""]
        lines += [f"- `{note.code}` {note.place}: {note.message}" for note in found]
        codes = ", ".join(f"`offcanvas port --explain {c}`" for c in dict.fromkeys(
            note.code for note in found
        ))  # fmt: skip
        lines += ["", f"More on each: {codes}."]
    if report.left:
        lines += ["", "## Refused, and not in this port", ""]
        lines += [f"- `{one.code}` {one.place}: {one.about}: {one.message}" for one in report.left]
    calls = [*_started(plan, engine), *call_sites(project, plan)]
    lines += ["", "## Effort", "", "| | how often | |", "|---|---|---|"]
    if calls:
        lines.append(f"| have the starter called in place of Celery | {len(calls)} | below |")
    for effort in Effort:
        codes_ = Counter(note.code for note in report.notes if CODES[note.code].effort is effort)
        if codes_:
            lines.append(f"| {effort.value} | {codes_.total()} | {', '.join(sorted(codes_))} |")
    lines += ["", "## Still calling Celery", ""]
    lines += calls or ["Nothing outside of the ported builders."]
    return "\n".join(lines) + "\n"


def _started(plan: Plan, engine: str) -> list[str]:
    """Of the canvases that are sent in the midst of other code, the line that starts each."""
    lines = []
    for canvas in plan.canvases:
        if not canvas.site or canvas.lone:
            continue
        given = ", ".join(f"{name}={' '.join(text.split())}" for name, text in canvas.given)
        if engine == "Prefect":
            call = f"starter.start_{naming.snake(canvas.name)}({given})"
        else:
            shape = f"{naming.camel(canvas.name)}Input({given})"
            call = f"starter.in_sync(starter.start_{naming.snake(canvas.name)}({shape}))"
        lines.append(f"- {canvas.place}: `{call}`")
        for row in canvas.rows:
            fields = ", ".join(
                f"{one.name}={' '.join(one.reads.split())}" if one.reads else f'{one.name}="..."'
                for one in row.fields
            )
            lines.append(f"  - `{row.name}({fields})` in the place of each signature of the list")
    return lines


def _sources(plan: Plan) -> str:
    return ", ".join(dict.fromkeys(f"`{canvas.place.path}`" for canvas in plan.canvases))


def _lines_of(text: str) -> dict[str, int]:
    """The first line of each class and function at the top of a file."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if named := re.match(r"(?:def|class) (\w+)", line):
            found.setdefault(named[1], number)
    return found


def call_sites(project: Project, plan: Plan) -> list[str]:
    """Places outside of the ported builders that still send the ported tasks, or wait for them."""
    from offcanvas.audit.module import Module

    inside = {
        (canvas.place.path, line)
        for canvas in plan.canvases
        for line in range(canvas.place.line, canvas.end + 1)
    }
    found: list[str] = []
    words = [re.escape(task.function.rpartition(".")[2]) for task in plan.tasks.values()]
    spoken = re.compile(rf"\b({'|'.join(words)})\b") if words else re.compile(r"(?!)")
    for path in project.celery_files:
        if not spoken.search(project.text(path)):
            continue
        module = Module.opened(project, path)
        if module is None:
            continue
        for send in module.sends:
            line = send.node.lineno
            if send.name not in plan.tasks or (module.path, line) in inside:
                continue
            if send.how not in _INSTEAD:
                continue
            found.append(f"- {module.path}:{line}: `{module.text(send.node)}`")
    return found
