"""The whole answer as JSON; `schema.json` beside this file describes it."""

import json
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

from offcanvas.audit.inventory import CanvasPlace, Drawn
from offcanvas.audit.report import Report
from offcanvas.audit.rules import all_rules
from offcanvas.audit.values import Const, Name, Seq, Value

VERSION: Final = 1
"""Raised when a field changes its meaning or goes; new fields do not raise it."""


def schema() -> dict[str, Any]:
    """The JSON schema of what `render` writes."""
    text = files("offcanvas.audit.formats").joinpath("schema.json").read_text("utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


def render(report: Report) -> str:
    """Findings, files not read and the inventory."""
    answer = report.answer
    rules = all_rules()
    return (
        json.dumps(
            {
                "version": VERSION,
                "tool": {"name": "offcanvas", "version": version("offcanvas")},
                "root": str(report.root),
                "files": answer.files,
                "lines": answer.lines,
                "findings": [
                    {
                        "code": f.code,
                        "rule": rules[f.code].name,
                        "severity": f.severity.label,
                        "path": f.path,
                        "line": f.line,
                        "column": f.column,
                        "end_line": f.end_line,
                        "message": f.message,
                        "doubt": f.doubt or None,
                        "fixable": bool(f.edits),
                        "related": [
                            {"path": path, "line": line, "message": what}
                            for path, line, what in f.related
                        ],
                    }
                    for f in report.findings
                ],
                "ignored": report.ignored,
                "known": report.known,
                "unreadable": [{"path": p, "reason": r} for p, r in answer.unreadable],
                "notes": list(report.notes),
                "not_said": list(report.not_said),
                "below_level": dict(sorted(report.below.items())),
                "inventory": {
                    "tasks": [
                        {
                            "name": t.name,
                            "path": t.path,
                            "line": t.line,
                            "function": t.function,
                            "form": t.kind,
                            "bound": t.bound,
                            "options": {k: _plain(v) for k, v in sorted(t.options.items())},
                            "call_sites": answer.callers[t.name],
                        }
                        for t in answer.tasks
                    ],
                    "canvases": [_canvas(c) for c in answer.canvases],
                    "beat": [
                        {
                            "key": e.key,
                            "task": e.task,
                            "known_task": e.resolved is not None,
                            "path": e.path,
                            "line": e.line,
                        }
                        for e in answer.beat
                    ],
                    "settings": [
                        {
                            "setting": s.key,
                            "written": s.written,
                            "value": _plain(s.value),
                            "path": s.path,
                            "line": s.line,
                        }
                        for s in answer.settings
                        if s.key not in {"broker_url", "result_backend"}  # may hold a password
                    ],
                    "uses": dict(sorted(answer.uses.items())),
                },
            },
            indent=1,
        )
        + "\n"
    )


def _canvas(place: CanvasPlace) -> dict[str, Any]:
    return {
        "path": place.path,
        "line": place.line,
        "function": place.function or None,
        "in_task": place.task or None,
        "outline": _outline(place.canvas),
    }


def _outline(drawn: Drawn) -> dict[str, Any]:
    said: dict[str, Any] = {"kind": drawn.kind, "line": drawn.line}
    if drawn.name:
        said["name"] = drawn.name
    if drawn.kind == "task":
        said["immutable"] = drawn.immutable
    if drawn.parts:
        said["parts"] = [_outline(p) for p in drawn.parts]
    if drawn.body is not None:
        said["body"] = _outline(drawn.body)
    if drawn.repeated:
        said["repeated"] = True
    if drawn.optional:
        said["optional"] = True
    if drawn.errbacks:
        said["errbacks"] = True
    if drawn.why:
        said["why"] = drawn.why
    return said


def _plain(value: Value) -> Any:
    """Literals as they are; names as {"name": ...}; anything else as null."""
    if isinstance(value, Const):
        return value.value if isinstance(value.value, str | int | float | bool | None) else None
    if isinstance(value, Name):
        return {"name": value.dotted}
    if isinstance(value, Seq):
        return [_plain(v) for v in value.items]
    return None
