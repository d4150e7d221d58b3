"""`offcanvas port`: source for another engine, from the source of a canvas."""

import difflib
import json
from collections.abc import Container, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from offcanvas.commands.parameters import App
from offcanvas.printable import say


class Engine(StrEnum):
    """The engines that source is written for."""

    TEMPORAL = "temporal"
    PREFECT = "prefect"


class Bodies(StrEnum):
    """Where the bodies of tasks are."""

    EXTRACT = "extract"
    CALL = "call"


class Format(StrEnum):
    """How to print what there is to say."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def port(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET...",
            help="package.module:function of a builder or of a task that builds a canvas, "
            "file.py:line of one in a source that is read and not imported, or . for a whole "
            "project.",
        ),
    ] = None,
    to: Annotated[Engine, typer.Option("--to", help="The engine.")] = Engine.TEMPORAL,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="PACKAGE", help="The package to write, e.g. shop_temporal."),
    ] = None,
    app: App = None,
    sample: Annotated[
        list[str] | None,
        typer.Option(
            "--sample",
            metavar="JSON",
            help="Keyword arguments of the builder, as a JSON object: the original is called with "
            "them and must make the calls that the port makes. Repeat for more.",
        ),
    ] = None,
    bodies: Annotated[
        Bodies,
        typer.Option(
            "--bodies",
            help="extract: they move into plain functions that both sides call. call: they stay, "
            "and the steps call task.run; what is emitted needs Celery then.",
        ),
    ] = Bodies.EXTRACT,
    skip_refused: Annotated[
        bool,
        typer.Option(
            "--skip-refused",
            help="Of a whole project (.), leave out the functions that are refused, and say so.",
        ),
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print what would be written; write nothing.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Say whether the canvas has changed since its port; write nothing."
        ),
    ] = False,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="CODE", help="Explain a code, e.g. PORT110.")
    ] = None,
    finish: Annotated[
        str | None,
        typer.Option(
            "--finish",
            metavar="PACKAGE",
            help="Show what goes of Celery's side of this port, once nothing uses it; with --write "
            "it goes.",
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="With --finish: remove it, and not only show it.")
    ] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
) -> None:
    """Write the workflow for the canvas at TARGET: source that you keep.

    The builder's source is translated, its loops and conditions with it. With --sample the
    original builder is CALLED, with all that it reads, and nothing it sends is sent.

    A second run merges what is emitted now into what you have made of the first, symbol by symbol,
    and refuses where both have changed the same lines.

    Exits with 0 if all of it is exact, 1 if there is something to decide or to write, 2 if it is
    refused; nothing is written then. Of a project, --skip-refused leaves out what is refused, names
    it, and ends with 1.
    """
    from offcanvas.commands.target import use_app
    from offcanvas.errors import UsageError
    from offcanvas.port import api, codes, keep

    others = {
        "a TARGET": targets,
        "--out": out,
        "--sample": sample,
        "--skip-refused": skip_refused,
        "--check": check,
        "--format": format_ is not Format.TEXT,
        "--diff": diff,
        "--write": write,
    }
    if explain is not None:
        _alone("--explain", {**others, "--finish": finish})
        say(codes.explain(explain))
        return
    if finish is not None:
        # It shows the diff by itself.
        _alone("--finish", others, but={"--diff"} if not write else {"--write"})
        _finish(finish, write=write)
        return
    if check:
        _alone("--check", {word: others[word] for word in ("--diff", "--format")})
    if write:
        raise UsageError("--write goes with --finish; source is written without it")
    if not targets:
        raise UsageError("port needs a TARGET: package.module:function, file.py:line, or .")
    if skip_refused and "." not in targets:
        raise UsageError("--skip-refused is for a whole project: give . as the TARGET")
    given = [_sample(text) for text in sample or ()]
    if given or app is not None:
        use_app(app)
    found = api.read(
        *targets,
        samples=given,
        imports=app is not None,
        bodies=bodies.value,
        skip_refused=skip_refused,
    )
    emitted = api.emit(found, to.value, out)
    if check:
        moved = keep.moved(Path(), emitted.files, emitted.own)
        for path in moved:
            say(f"{path}: the canvas and its port have moved apart; run port again")
        gone = [path for path in keep.gone(Path(), emitted.files) if path not in moved]
        for path in gone:
            say(f"{path}: was emitted and is no longer there; restore it, or run port again")
        raise typer.Exit(1 if moved or gone else 0)
    wanted = keep.merged(Path(), emitted.files, emitted.own)
    if diff:
        say("".join(_diff(wanted)), nl=False)
    else:
        package = f"{found.plan.package}_{to.value}" if out is None else out
        keep.write(Path(), wanted, emitted.files, package, targets)
    match format_:
        case Format.TEXT:
            say(emitted.report.text(), err=diff)
        case Format.JSON:
            say(emitted.report.json(emitted.files), err=diff)
        case Format.SARIF:
            say(emitted.report.sarif(), err=diff)
    if emitted.report.left:
        say(emitted.report.refusals(), err=True)
    if emitted.report.exit_code:
        raise typer.Exit(emitted.report.exit_code)


def _alone(word: str, others: Mapping[str, object], but: Container[str] = ()) -> None:
    """See that none of the others is given beside an option that does nothing with them.

    Raises:
        UsageError: one of them is.
    """
    from offcanvas.errors import UsageError

    given = [other for other, value in others.items() if value and other not in but]
    if given:
        raise UsageError(f"{word} does nothing with {' and '.join(given)}: leave one of them out")


def _finish(package: str, *, write: bool) -> None:
    """Print what goes of Celery's side, or have it go."""
    from offcanvas.files import write_whole
    from offcanvas.port.finish import finish

    changed = finish(Path(), package)
    if not write:
        say("".join(_diff({path: text or "" for path, text in changed.items()})), nl=False)
        say(f"{len(changed)} files; nothing is written: add --write", err=True)
        raise typer.Exit(1 if changed else 0)
    for path, text in changed.items():
        if text is None:
            Path(path).unlink()
        else:
            write_whole(Path(path), text.encode(), path, within=Path())
        say(f"{path}: {'removed' if text is None else 'Celery is out of it'}")


def _sample(text: str) -> dict[str, Any]:
    from offcanvas.errors import UsageError

    try:
        given = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--sample {text}: not JSON: {error}") from error
    if not isinstance(given, dict):
        raise UsageError(f'--sample {text}: write an object of keyword arguments, {{"day": 1}}')
    return given


def _diff(files: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    for path, text in sorted(files.items()):
        file = Path(path)
        before = file.read_text().splitlines(keepends=True) if file.exists() else []
        old = f"a/{path}" if before else "/dev/null"
        lines += difflib.unified_diff(
            before, text.splitlines(keepends=True), fromfile=old, tofile=f"b/{path}"
        )
    return lines
