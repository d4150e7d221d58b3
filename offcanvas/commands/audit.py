"""`offcanvas audit PATH`: the command line of the auditor."""

import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offcanvas.errors import UsageError
from offcanvas.printable import escaped, say

if TYPE_CHECKING:
    from offcanvas.audit.config import Config
    from offcanvas.audit.report import Ported, Report
    from offcanvas.audit.scan import Answer


def audit(
    path: Annotated[
        Path, typer.Argument(help="A folder or a file of a Celery code base.")
    ] = Path(),
    format_: Annotated[
        str,
        typer.Option(
            "--format", metavar="FORMAT", help="text, json, sarif, github, markdown or html."
        ),
    ] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to a file, not to the terminal.")
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODES", help="Only these rules: codes or beginnings (CEL3), with commas."
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="CODES", help="Not these rules.")
    ] = None,
    severity: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL", help="The mildest to show: high, medium, low (default) or porting."
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Leave out files or folders.")
    ] = None,
    include_tests: Annotated[
        bool | None, typer.Option("--include-tests", help="Read tests and migrations as well.")
    ] = None,
    strict: Annotated[
        bool | None, typer.Option("--strict", help="Fail when a file cannot be read.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Only findings that this file does not know.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(help="Write all findings to this file as known, and exit 0.")
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend in the files what has one certain mend.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what --fix would change, and change nothing.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(metavar="REF", help="Compare task signatures with this git ref (CEL503)."),
    ] = None,
    explain: Annotated[
        str | None, typer.Option(metavar="CODE", help="Explain one rule and exit.")
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Read every file anew and remember nothing.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; one for each core by default.")
    ] = None,
) -> None:
    """Read a Celery code base, without importing or running it, and say what will go wrong.

    Exit code 0: nothing found. 1: findings, or tasks that cannot be told. 2: wrong use.
    """
    from offcanvas.audit.config import load_config, parse_severity
    from offcanvas.audit.report import renderer

    if explain is not None:
        from offcanvas.audit.explain import explained

        say(explained(explain), nl=False)
        return
    render = renderer(format_)
    if not os.path.exists(path):  # noqa: PTH110  (Path's own raises in a locked folder)
        raise UsageError(f"{escaped(str(path))} does not exist; give a folder or a Python file")
    if not path.is_dir() and not _is_python(path):
        raise UsageError(f"{path} is not a Python file; give a folder or a file that ends in .py")
    config = load_config(path).changed(
        select=tuple(select) if select else None,
        ignore=tuple(ignore) if ignore else None,
        exclude=tuple(exclude) if exclude else None,
        severity=parse_severity(severity) if severity is not None else None,
        include_tests=include_tests,
        strict=strict,
        baseline=baseline,
    )
    answer = _scan(path, config, no_cache, jobs, against)
    if write_baseline is not None:
        from offcanvas.audit.baseline import write_baseline as write

        report = _report(path, config.changed(baseline=None), answer, use_baseline=False)
        count = write(write_baseline, report.findings, _base(path))
        say(f"{write_baseline}: {count} findings written as known", err=True)
        return
    report = _report(path, config, answer)
    if fix or diff:
        report = _fix(path, config, report, diff, no_cache, jobs, against)
        if diff:
            raise typer.Exit(1 if any(f.edits for f in report.findings) else 0)
    if format_ == "html" and path.is_dir():
        report = replace(report, ported=_ported(path, report))
    _write(render(report), output)
    failed = not report.is_clean or (config.strict and bool(answer.unreadable))
    raise typer.Exit(1 if failed else 0)


def _is_python(path: Path) -> bool:
    """By its name, or by a first line like ``#!/usr/bin/env python3``."""
    if not path.is_file():  # a pipe or a device: reading it may never end
        return False
    if path.suffix in {".py", ".pyi", ".pyw"}:
        return True
    try:
        with path.open("rb") as file:
            first = file.readline(200)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return first.startswith(b"#!") and b"python" in first


def _base(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _scan(
    path: Path, config: "Config", no_cache: bool, jobs: int | None, against: str | None
) -> "Answer":
    from offcanvas.audit.progress import shown_progress
    from offcanvas.audit.scan import scan
    from offcanvas.files import cache_folder

    rules = config.rules()
    with shown_progress() as progress:
        return scan(
            path,
            rules,
            exclude=config.exclude,
            tests=config.include_tests,
            jobs=jobs,
            cache_folder=None if no_cache else cache_folder(),
            against=against,
            progress=progress,
        )


def _report(
    path: Path, config: "Config", answer: "Answer", *, use_baseline: bool = True
) -> "Report":
    from offcanvas.audit.baseline import new_findings, read_baseline
    from offcanvas.audit.ignores import set_aside
    from offcanvas.audit.report import Report

    loud = [f for f in answer.findings if f.severity >= config.severity]
    sorted_ = set_aside(loud, _base(path))
    standing, known = sorted_.standing, 0
    if use_baseline and config.baseline is not None:
        standing, known = new_findings(standing, read_baseline(config.baseline), _base(path))
    return Report(
        root=path,
        answer=answer,
        findings=tuple(standing),
        ignored=sorted_.ignored,
        known=known,
        below=Counter(f.code for f in answer.findings if f.severity < config.severity),
        notes=(
            *sorted_.notes,
            *(() if answer.files else (f"{path}: there is no Python file to read",)),
        ),
    )


def _ported(path: Path, report: "Report") -> "tuple[Ported, ...]":
    """Of each canvas of the files that were audited, what a port of it says."""
    from offcanvas.audit.report import Ported
    from offcanvas.port.codes import CODES, Verdict
    from offcanvas.port.survey import survey

    if not report.answer.canvases:
        return ()
    bad = {Verdict.TODO, Verdict.REFUSED}
    return tuple(
        Ported(
            one.path,
            one.line,
            one.name,
            one.verdict.value,
            one.count(Verdict.DECIDE),
            one.count(Verdict.TODO),
            next((f"{n.code}: {n.message}" for n in one.notes if CODES[n.code].verdict in bad), ""),
        )
        for one in survey(path, [place.path for place in report.answer.canvases])
    )


def _fix(
    path: Path,
    config: "Config",
    report: "Report",
    diff: bool,
    no_cache: bool,
    jobs: int | None,
    against: str | None,
) -> "Report":
    from offcanvas.audit.fix import apply, as_diff, cured

    changes = cured(report.findings, _base(path), report.answer.read)
    for note in changes.notes:
        say(escaped(note), err=True)
    if diff:
        say(as_diff(changes), nl=False)
        return report
    count = apply(changes, _base(path))
    say(f"{count} findings cured in {len(changes.files)} files", err=True)
    return _report(path, config, _scan(path, config, no_cache, jobs, against))


def _write(text: str, output: Path | None) -> None:
    from offcanvas.files import write_whole

    if output is None:
        known = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(known, "backslashreplace").decode(known))
        return
    write_whole(output, text.encode("utf-8", "backslashreplace"), str(output))
