"""Findings that a comment sets aside: `# offcanvas: ignore[CEL301] reason`.

The comment stands on the first or last line of what is found, or alone on the line above. The
reason is not optional: without one the comment does nothing and is reported.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from offcanvas.audit.finding import Finding
from offcanvas.audit.syntax import UnreadableError, decode, read_source

_COMMENT: Final = re.compile(r"#\s*offcanvas:\s*ignore\b\s*(?:\[([^\]]*)\])?[ \t]*(.*)")


@dataclass
class Sorted:
    """Findings that stand, how many were set aside, and what is wrong with comments."""

    standing: list[Finding] = field(default_factory=list)
    ignored: int = 0
    notes: list[str] = field(default_factory=list)


def set_aside(findings: Iterable[Finding], base: Path) -> Sorted:
    """Sort out the findings that a comment in their file ignores."""
    result = Sorted()
    texts: dict[str, list[str]] = {}
    noted: set[tuple[str, int]] = set()
    for finding in findings:
        if finding.path not in texts:
            texts[finding.path] = _lines(base / finding.path)
        for number, codes, reason in _comments(texts[finding.path], finding):
            if finding.code not in codes:
                continue
            if reason:
                result.ignored += 1
                break
            if (finding.path, number) not in noted:
                noted.add((finding.path, number))
                result.notes.append(
                    f"{finding.path}:{number}: the comment gives no reason and does nothing; "
                    f"write `# offcanvas: ignore[{finding.code}] why`"
                )
        else:
            result.standing.append(finding)
    return result


def _lines(path: Path) -> list[str]:
    try:
        # Not splitlines(), which also splits at form feeds, where no line of Python ends.
        return decode(read_source(path)).split("\n")
    except UnreadableError:
        return []  # gone since it was read


def _comments(lines: list[str], finding: Finding) -> Iterable[tuple[int, set[str], str]]:
    above = finding.line - 1
    candidates = [finding.line, finding.end_line or finding.line]
    if 0 < above <= len(lines) and lines[above - 1].lstrip().startswith("#"):
        candidates.append(above)
    for number in dict.fromkeys(candidates):
        if 0 < number <= len(lines):
            found = _COMMENT.search(lines[number - 1])
            if found:
                codes = {c.strip().upper() for c in (found[1] or "").split(",")}
                yield number, codes, found[2].strip()
