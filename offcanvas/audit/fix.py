"""Apply the cures that findings carry: edits of their own lines, and imports that they need.

Edits replace exactly the source they name, so all other formatting stays; imports are added by
LibCST. A file is only written when the result can still be read.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from offcanvas.audit.cache import read_as
from offcanvas.audit.finding import Edit, Finding
from offcanvas.audit.syntax import UnreadableError, parse
from offcanvas.files import write_whole


@dataclass
class Changes:
    """Files before and after, how many findings that cures, and what could not be done."""

    files: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    count: int = 0
    notes: list[str] = field(default_factory=list)


def cured(
    findings: Iterable[Finding], base: Path, read: Mapping[str, bytes] | None = None
) -> Changes:
    """The files with the cures of all findings applied; nothing is written.

    read: digests of the files as the findings saw them. One that has changed since is left alone:
    the findings would name other source than they mean.
    """
    by_file: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.edits:
            by_file.setdefault(finding.path, []).append(finding)
    changes = Changes()
    for path, found in by_file.items():
        try:
            before = read_as(base / path, None if read is None else read.get(path))
            after, count, left = _cure(before, found)
            parse(after)
        except UnreadableError as error:
            changes.notes.append(f"{path}: left alone: {error}")
            continue
        if left:
            changes.notes.append(f"{path}: {left} cures overlap with others; run --fix once more")
        changes.files[path] = (before, after)
        changes.count += count
    return changes


def _cure(source: bytes, findings: list[Finding]) -> tuple[bytes, int, int]:
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    taken: list[tuple[int, int, str]] = []
    needed: set[tuple[str, str]] = set()
    count = left = 0
    for finding in findings:
        spans = [_span(starts, edit) for edit in finding.edits]
        if any(_overlap(new, old) for new in spans for old in taken):
            left += 1
            continue
        taken += spans
        needed |= {*finding.imports}
        count += 1
    for begin, end, text in sorted(taken, reverse=True):
        source = source[:begin] + text.encode() + source[end:]
    return (_with_imports(source, needed) if needed else source), count, left


def _span(starts: list[int], edit: Edit) -> tuple[int, int, str]:
    return (
        starts[edit.line - 1] + edit.column,
        starts[edit.end_line - 1] + edit.end_column,
        edit.text,
    )


def _overlap(a: tuple[int, int, str], b: tuple[int, int, str]) -> bool:
    return (a[0] < b[1] and b[0] < a[1]) or a[:2] == b[:2]


def _with_imports(source: bytes, needed: set[tuple[str, str]]) -> bytes:
    import libcst as cst
    from libcst.codemod import CodemodContext
    from libcst.codemod.visitors import AddImportsVisitor

    module = cst.parse_module(source)
    context = CodemodContext()
    for where, name in sorted(needed):
        AddImportsVisitor.add_needed_import(context, where, name)
    return AddImportsVisitor(context).transform_module(module).bytes


def as_diff(changes: Changes) -> str:
    """A unified diff of all files."""
    parts: list[str] = []
    for path, (before, after) in sorted(changes.files.items()):
        parts += difflib.unified_diff(
            before.decode("utf-8", "replace").splitlines(keepends=True),
            after.decode("utf-8", "replace").splitlines(keepends=True),
            f"a/{path}",
            f"b/{path}",
        )
    return "".join(parts)


def apply(changes: Changes, base: Path) -> int:
    """Write the files; how many findings that cures.

    Raises UsageError when a file cannot be written, or would be written outside of `base`.
    """
    for path, (_, after) in changes.files.items():
        write_whole(base / path, after, str(base / path), within=base)
    return changes.count
