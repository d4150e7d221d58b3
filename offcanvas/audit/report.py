"""What an audit answers, ready to be written in one of the formats."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Final

from offcanvas.audit.finding import Finding
from offcanvas.audit.scan import Answer
from offcanvas.errors import UsageError

FORMATS: Final[Mapping[str, str]] = {
    name: f"offcanvas.audit.formats.{name}"
    for name in ("text", "json", "sarif", "github", "markdown", "html")
}
"""Format -> the module whose `render(report)` writes it."""


@dataclass(frozen=True)
class Report:
    """An answer with the findings that are shown, after severity, comments and baseline."""

    root: Path
    answer: Answer
    findings: tuple[Finding, ...]
    ignored: int = 0
    known: int = 0
    notes: tuple[str, ...] = field(default=())


def renderer(name: str) -> Callable[[Report], str]:
    """The function that writes a format. Raises UsageError for an unknown one."""
    if name not in FORMATS:
        raise UsageError(f"--format: {name!r} is no format; use {', '.join(FORMATS)}")
    render: Callable[[Report], str] = import_module(FORMATS[name]).render
    return render


def said(finding: Finding) -> str:
    """The message with its doubt."""
    return f"{finding.message} (perhaps not: {finding.doubt})" if finding.doubt else finding.message


def plural(count: int, word: str) -> str:
    """ "1 task", "2 tasks"."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
