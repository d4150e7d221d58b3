"""What an audit answers, ready to be written in one of the formats."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Final

from offcanvas.audit.finding import Finding
from offcanvas.audit.inventory import CanvasPlace
from offcanvas.audit.scan import Answer
from offcanvas.errors import UsageError
from offcanvas.printable import plural, printable

FORMATS: Final[Mapping[str, str]] = {
    name: f"offcanvas.audit.formats.{name}"
    for name in ("text", "json", "sarif", "github", "markdown", "html")
}
"""Format -> the module whose `render(report)` writes it."""
_ESCAPED_BY_FORMAT: Final = frozenset({"json", "sarif"})
"""JSON has its own way to write any character, and programs want names as they are."""


@dataclass(frozen=True, slots=True)
class Ported:
    """What `offcanvas port` says of a function that builds or sends canvases.

    verdict: exact, decide, todo or refused. decisions, todos: how many of each; why: the first of
    what is to be written, or is refused.
    """

    path: str
    line: int
    name: str
    verdict: str
    decisions: int
    todos: int
    why: str


@dataclass(frozen=True)
class Report:
    """An answer with the findings that are shown, after severity, comments and baseline."""

    root: Path
    answer: Answer
    findings: tuple[Finding, ...]
    ignored: int = 0
    known: int = 0
    notes: tuple[str, ...] = field(default=())
    ported: tuple[Ported, ...] = ()
    """Of each canvas whether it can be ported; asked for by the formats that show it."""
    below: Counter[str] = field(default_factory=Counter)
    """Findings below the level that is shown, by code."""

    @property
    def untold(self) -> tuple[CanvasPlace, ...]:
        """Canvases with members that the source does not tell."""
        return tuple(
            place
            for place in self.answer.canvases
            if any(part.kind == "unknown" for part in place.canvas.walk())
        )

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found in a project that could be read: no finding, and tasks if it
        imports Celery."""
        return not self.findings and not self._unread

    @property
    def _unread(self) -> tuple[str, ...]:
        answer = self.answer
        unclear = len(answer.unclear)
        said = []
        if unclear:
            first = answer.unclear[0]
            said.append(
                f"{plural(unclear, 'function')} may be tasks and cannot be told: their `.task` "
                f"belongs to something out of sight ({first.path}:{first.line}: {first.what})"
            )
        if answer.imports_celery and not answer.tasks:
            said.append(
                "the code imports Celery and no task was found in it: tasks made in a way that the "
                "audit does not know are not audited"
            )
        return tuple(said)

    @property
    def not_said(self) -> tuple[str, ...]:
        """What the findings do not tell, for the last lines of every format."""
        said = [*self._unread]
        if self.answer.tasks and not self.answer.has_app:
            said.append("no Celery app was found: its settings and beat entries are not audited")
        if self.untold:
            first = self.untold[0]
            count = f"{len(self.untold):,} canvas{'' if len(self.untold) == 1 else 'es'}"
            verb = "has" if len(self.untold) == 1 else "have"
            said.append(
                f"{count} {verb} members that the source does not tell "
                f"({first.path}:{first.line}): CEL000 with --severity porting"
            )
        if self.below:
            codes = ", ".join(sorted(self.below))
            said.append(
                f"{plural(self.below.total(), 'finding')} below the level shown ({codes}): "
                "--severity porting"
            )
        return tuple(said)


def renderer(name: str) -> Callable[[Report], str]:
    """The function that writes a format. Raises UsageError for an unknown one."""
    if name not in FORMATS:
        raise UsageError(f"--format: unknown format {name!r}; use {', '.join(FORMATS)}")
    render: Callable[[Report], str] = import_module(FORMATS[name]).render
    if name in _ESCAPED_BY_FORMAT:
        return render
    return lambda report: render(printable(replace(report, root=report.root.resolve())))


def said(finding: Finding) -> str:
    """The message with its doubt."""
    return f"{finding.message} (perhaps not: {finding.doubt})" if finding.doubt else finding.message
