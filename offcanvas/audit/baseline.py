"""A file of findings that are known, so that only new ones fail a build.

A finding is recognised by its rule, its file and the text of its line, so that it stays known when
lines are added above it. Format: {"offcanvas-baseline": 1, "findings": {fingerprint: count}}.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from offcanvas.audit.finding import Finding
from offcanvas.audit.syntax import UnreadableError, read_source
from offcanvas.errors import UsageError
from offcanvas.files import write_whole

VERSION: Final = 1
_KEY: Final = "offcanvas-baseline"


def fingerprints(findings: Iterable[Finding], base: Path) -> list[tuple[Finding, str]]:
    """Each finding with what it is recognised by."""
    lines: dict[str, list[bytes]] = {}
    result = []
    for finding in findings:
        if finding.path not in lines:
            try:
                lines[finding.path] = read_source(base / finding.path).splitlines()
            except UnreadableError:
                lines[finding.path] = []
        text = lines[finding.path]
        line = text[finding.line - 1].strip() if 0 < finding.line <= len(text) else b""
        key = f"{finding.code}\0{finding.path}\0".encode() + b" ".join(line.split())
        result.append((finding, hashlib.blake2b(key, digest_size=10).hexdigest()))
    return result


def write_baseline(path: Path, findings: Iterable[Finding], base: Path) -> int:
    """Write the findings down as known; how many. Raises UsageError."""
    counts = Counter(print_ for _, print_ in fingerprints(findings, base))
    text = json.dumps({_KEY: VERSION, "findings": dict(sorted(counts.items()))}, indent=1)
    write_whole(path, f"{text}\n".encode(), f"the baseline {path}")
    return counts.total()


def read_baseline(path: Path) -> Counter[str]:
    """How often each known finding occurs. Raises UsageError for any other file."""
    try:
        said = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(
            f"the baseline {path} cannot be read: {error.strerror}; make one with --write-baseline"
        ) from error
    except ValueError as error:
        raise UsageError(f"the baseline {path} is not JSON: {error}") from error
    version = said.get(_KEY) if isinstance(said, dict) else None
    if version is None:
        raise UsageError(f"{path} is not a baseline of offcanvas")
    if version != VERSION:
        raise UsageError(
            f"the baseline {path} has version {version}, this offcanvas reads {VERSION}; "
            "write it anew with --write-baseline"
        )
    known = said.get("findings")
    if not isinstance(known, dict) or not all(type(n) is int for n in known.values()):
        raise UsageError(f"the baseline {path} is damaged; write it anew with --write-baseline")
    return Counter(known)


def new_findings(
    findings: Iterable[Finding], known: Counter[str], base: Path
) -> tuple[list[Finding], int]:
    """The findings that the baseline does not know, and how many it knows."""
    left = Counter(known)
    new = []
    seen = 0
    for finding, print_ in fingerprints(findings, base):
        if left[print_] > 0:
            left[print_] -= 1
            seen += 1
        else:
            new.append(finding)
    return new, seen
