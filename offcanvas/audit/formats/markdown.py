"""The migration report as Markdown, with canvases as Mermaid drawings."""

from collections import Counter

from offcanvas.audit.drawing import diagram
from offcanvas.audit.finding import Severity
from offcanvas.audit.inventory import CanvasPlace
from offcanvas.audit.migration import STAY, THRESHOLDS, Effort, advise
from offcanvas.audit.report import Report, said
from offcanvas.audit.verdict import verdicts
from offcanvas.printable import plural


def render(report: Report) -> str:
    """Inventory, canvases, hot spots, order, advice and findings."""
    answer, move = report.answer, advise(report.answer, report.findings)
    lines = [
        f"# Celery audit of {_escape(report.root.name)}",
        "",
        _counts(report),
        "",
        "## Where to stay on Celery",
        "",
        *map(_escape, move.stay),
        "",
        f"(Advice by default from {STAY:.0%} of tasks outside of canvases.)",
        "",
        "## In which order to move",
        "",
    ]
    for number, step in enumerate(move.steps, 1):
        lines += [f"{number}. **{_escape(step.title)}**: {_escape(step.why)}."]
        lines += [f"   - {_code(member)}" for member in step.members]
    lines += ["", "## Hot spots", "", "| file | heat | findings | canvases |", "|---|---|---|---|"]
    lines += [
        f"| {_code(h.path)} | {h.heat} | {h.findings} | {h.canvases} |" for h in move.hot_spots
    ]
    lines += ["", "## Canvases", "", f"Effort: {THRESHOLDS}", ""]
    for place, effort in move.efforts:
        lines += _canvas(place, effort)
    lines += ["## Tasks", "", "| task | where | form | call sites |", "|---|---|---|---|"]
    lines += [
        f"| {_code(t.name)} | {_code(f'{t.path}:{t.line}')} | {t.kind} | {answer.callers[t.name]} |"
        for t in answer.tasks
    ]
    lines += ["", "## Findings", ""]
    for severity in reversed(Severity):
        found = [f for f in report.findings if f.severity is severity]
        if found:
            lines += [f"### {severity.label.capitalize()} ({len(found)})", ""]
            lines += [
                f"- {_code(f'{f.path}:{f.line}')} {f.code}: {_escape(said(f))}" for f in found
            ]
            lines.append("")
    if answer.unreadable:
        lines += ["## Files not read", ""]
        lines += [f"- {_code(path)}: {_escape(reason)}" for path, reason in answer.unreadable]
    if report.not_said:
        lines += ["", "## What the findings do not tell", ""]
        lines += [f"- {_escape(text)}" for text in report.not_said]
    return "\n".join(lines).rstrip() + "\n"


def _counts(report: Report) -> str:
    answer = report.answer
    counts = Counter(f.severity for f in report.findings)
    shown = ", ".join(f"{counts[s]} {s.label}" for s in reversed(Severity) if counts[s])
    return (
        f"{plural(answer.files, 'file')}, {plural(answer.lines, 'line')}, "
        f"{plural(len(answer.tasks), 'task')}, "
        f"{len(answer.canvases):,} canvas{'' if len(answer.canvases) == 1 else 'es'}, "
        f"{len(answer.beat):,} beat entr{'y' if len(answer.beat) == 1 else 'ies'}, "
        f"{plural(len(report.findings), 'finding')}{f' ({shown})' if shown else ''}."
    )


def _canvas(place: CanvasPlace, effort: Effort) -> list[str]:
    where = f" in {_code(place.function)}" if place.function else ""
    lines = [
        f"### {_code(f'{place.path}:{place.line}')}{where}",
        "",
        f"Effort: **{effort.size}** ({_escape(effort.why)}).",
        "",
    ]
    said_by = verdicts(place)
    if said_by:
        lines += ["| engine | verdict | because |", "|---|---|---|"]
        lines += [f"| {e} | {said_by[e].word} | {_escape(said_by[e].why)} |" for e in said_by]
        lines.append("")
    return [*lines, "```mermaid", diagram(place.canvas).rstrip(), "```", ""]


def _escape(text: str) -> str:
    """Text whose characters mean nothing to Markdown: no HTML, links or images of others."""
    for mark in ("\\", "|", "*", "[", "]", "!"):
        text = text.replace(mark, f"\\{mark}")
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _code(text: object) -> str:
    """A name as code, from which no character of it can break out; in tables, too."""
    inside = str(text).replace("`", "'").replace("|", "\N{BROKEN BAR}")
    return f"`{inside}`"
