"""What the audit says: a finding at a place, with how bad it is and how certain."""

from dataclasses import dataclass, field
from enum import IntEnum


class Severity(IntEnum):
    """How bad a finding is; ordered, so that `>= Severity.MEDIUM` reads as it is meant."""

    PORTING = 0
    """No fault; a port has to handle it."""
    LOW = 1
    """Hygiene."""
    MEDIUM = 2
    """A likely incident."""
    HIGH = 3
    """Loses or corrupts work."""

    @property
    def lower(self) -> "Severity":
        """One step less: for a finding with doubt. PORTING stays."""
        return Severity(max(self - 1, Severity.PORTING))

    @property
    def label(self) -> str:
        """ "high", "medium", "low" or "porting"."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the source from (line, column) to (end_line, end_column) by `text`.

    Lines count from 1, columns from 0 in characters' UTF-8 bytes, as the syntax tree counts them.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One finding. Lines count from 1, columns from 1. `path` is relative to the audited folder."""

    path: str
    line: int
    column: int
    code: str
    severity: Severity
    message: str
    doubt: str = ""
    """Why this may be wrong; shown in the message. Empty when there is no doubt."""
    end_line: int = 0
    related: tuple[tuple[str, int, str], ...] = ()
    """(path, line, what) of other places that belong to it."""
    edits: tuple[Edit, ...] = field(default=(), compare=False)
    """A certain, local cure, for --fix."""
    imports: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """(module, name) that the cure needs to be imported: ("functools", "partial")."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What a rule says about a place; `rules.Rule.finding` puts its code and severity to it.

    The fields mean what they mean in `Finding`. severity: milder than the rule's own, for a part of
    the rule that weighs less; doubt takes one step more off either.
    """

    path: str
    line: int
    column: int
    message: str
    doubt: str = ""
    end_line: int = 0
    related: tuple[tuple[str, int, str], ...] = ()
    edits: tuple[Edit, ...] = ()
    imports: tuple[tuple[str, str], ...] = ()
    severity: Severity | None = None
