"""One line for each finding, as linters write them, and a summary."""

from collections import Counter

from offcanvas.audit.finding import Severity
from offcanvas.audit.report import Report, said
from offcanvas.printable import at_line_start, plural


def render(report: Report) -> str:
    """`path:line:column: CEL301 high: message`, unreadable files, what is not told, the counts."""
    lines = [
        f"{f.path}:{f.line}:{f.column}: {f.code} {f.severity.label}: {said(f)}"
        for f in report.findings
    ]
    lines += [f"{path}: not read: {reason}" for path, reason in report.answer.unreadable]
    lines += report.notes
    if lines and report.not_said:
        lines.append("")
    lines += report.not_said
    lines = [at_line_start(line) for line in lines]
    if lines:
        lines.append("")
    lines.append(_summary(report))
    return "\n".join(lines) + "\n"


def _summary(report: Report) -> str:
    answer = report.answer
    counts = Counter(f.severity for f in report.findings)
    shown = ", ".join(f"{counts[s]} {s.label}" for s in reversed(Severity) if counts[s])
    parts = [
        f"{plural(answer.files, 'file')} ({plural(answer.lines, 'line')})",
        plural(len(answer.tasks), "task"),
        f"{len(answer.canvases):,} canvas{'' if len(answer.canvases) == 1 else 'es'}",
        plural(len(report.findings), "finding") + (f" ({shown})" if shown else ""),
    ]
    if report.ignored:
        parts.append(f"{report.ignored} ignored by comments")
    if report.known:
        parts.append(f"{report.known} known from the baseline")
    if answer.unreadable:
        parts.append(f"{plural(len(answer.unreadable), 'file')} not read")
    return ", ".join(parts)
