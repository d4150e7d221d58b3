"""`offcanvas shadow`: a port, or the kit, tried on recorded traffic."""

import asyncio
import logging
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offcanvas.commands.once import Once
from offcanvas.printable import escaped, plural, say

if TYPE_CHECKING:
    from offcanvas.shadow.bodies import Bodies
    from offcanvas.shadow.fences import Fences
    from offcanvas.shadow.masks import Masks

shadow = typer.Typer(help="Try a port, or the kit, on recorded traffic.")

App = Annotated[
    str, typer.Option("--app", "-A", metavar="APP", help="The Celery app, as for celery -A.")
]
Folder = Annotated[Path, typer.Argument(metavar="RECORDING", help="The folder of the recording.")]
Port = Annotated[
    str | None,
    typer.Option("--port", metavar="PACKAGE", help="For example shop_temporal, or shop_prefect."),
]
Until = Annotated[
    float | None, typer.Option(metavar="SHARE", help="Say how many more are needed for it.")
]
Mask = Annotated[list[str] | None, typer.Option(help="As in the recording; repeat for more.")]


@shadow.command("record", cls=Once)
def record_(recording: Folder) -> None:
    """Say what a recording holds: roots, whole ones, tasks, bytes.

    It is made by offcanvas.shadow.record(app, folder) where the app is made.
    """
    from collections import Counter

    from offcanvas.shadow.recording import read

    found = read(recording)
    size = sum(one.stat().st_size for one in recording.glob("*.jsonl"))
    for name, count in sorted(Counter(one.name for one in found).items()):
        whole = sum(one.is_complete for one in found if one.name == name)
        say(f"{escaped(name)}: {plural(count, 'root')}, {whole:,} of them to their end")
    tasks = sum(len(one.attempts) for one in found)
    say(f"{tasks:,} attempts at tasks, {size:,} bytes")


@shadow.command(cls=Once)
def run(
    recording: Folder,
    app: App,
    port: Port = None,
    kit: Annotated[
        bool, typer.Option("--kit", help="The app's own canvases, run by the kit, instead.")
    ] = False,
    root: Annotated[list[str] | None, typer.Option(help="Only this root; repeat for more.")] = None,
    pure: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help="A step that only reads, and is executed."),
    ] = None,
    fences: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="TOML; unless given, [tool.offcanvas.shadow] of pyproject.toml."
        ),
    ] = None,
    mask: Mask = None,
    salt: Annotated[str, typer.Option(help="As in the recording.")] = "",
    known: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Differences that are expected, TOML.")
    ] = None,
    until: Until = None,
    address: Annotated[
        str | None, typer.Option(help="A Temporal server; one is started unless given.")
    ] = None,
    namespace: Annotated[
        str, typer.Option(help="With --address: a namespace whose name ends in -shadow.")
    ] = "offcanvas-shadow",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run the candidate on each recorded root, every step answered from the record, and compare.

    Steps of a port that read what the canvas is built from are no tasks, and not in the record:
    name them with --pure, and they are executed. Bodies of tasks are executed behind the fences
    that the file names, and compared with Celery's own behind the same fence.

    Exits with 0 if nothing differs but what is known or noise, 1 if something does, 2 if it cannot
    be run.
    """
    import os

    from offcanvas.commands.target import use_app
    from offcanvas.errors import UsageError

    if bool(port) == kit:
        raise UsageError("say what is tried: --port PACKAGE, or --kit")
    if kit and address is not None:
        raise UsageError("--address: is for a port to Temporal; --kit runs in this process")
    behind = _fences(fences)
    os.environ.update(behind.sandbox)  # before the app reads them
    found = use_app(app)
    from offcanvas.shadow.bodies import Bodies
    from offcanvas.shadow.masks import Masks
    from offcanvas.shadow.recording import read
    from offcanvas.shadow.report import as_json, lines, read_known, summed

    rules = read_known(known, datetime.now(UTC).date()) if known else []
    _require_share(until)
    roots = [one for one in read(recording) if not root or one.name in root]
    if not roots:
        raise UsageError(f"{recording}: no root of {', '.join(root or ())} was recorded")
    whole = [one for one in roots if one.is_complete]
    if not whole:
        raise UsageError(
            f"{recording}: {plural(len(roots), 'root')} recorded, and none to its end: call "
            "offcanvas.shadow.record in the workers as well, and wait until one has ended"
        )
    bodies = Bodies(found, behind)
    if pure is None:
        pure = []
    if kit:
        own = [name for name in found.tasks if not name.startswith("celery.")]
        names = {name.rpartition(".")[2] for name in own}
        _require_known(pure, names, "the app")
        done, steps, branches = _kit(found, whole, Masks(mask or (), salt), pure, bodies)
    elif _is_prefect(port or ""):
        if address is not None:
            raise UsageError(
                "--address: a port to Prefect is tried on a server that is started for it, where "
                "no worker polls"
            )
        done, steps, branches = _prefect(found, port, whole, Masks(mask or (), salt), pure, bodies)
    else:
        if address is not None:
            _require_own(namespace)
        done, steps, branches = _temporal(
            address, namespace, found, port, whole, Masks(mask or (), salt), pure, bodies
        )
    result = summed(done, len(roots) - len(whole), rules, steps, branches, bodies)
    say(as_json(result) if json else "\n".join(lines(result, until)))
    if result.differs:
        raise typer.Exit(1)


@shadow.command(cls=Once)
def report(
    reports: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="What run --json has printed.")
    ],
    until: Until = None,
) -> None:
    """Say in words what one run, or several of the same candidate, have found together.

    Exits as run does.
    """
    from offcanvas.shadow.report import lines, read_report, together

    _require_share(until)
    found = together([read_report(one) for one in reports])
    say("\n".join(lines(found, until)))
    if found.differs:
        raise typer.Exit(1)


def _require_share(until: float | None) -> None:
    from offcanvas.errors import UsageError

    if until is not None and not 0 < until < 1:
        raise UsageError(f"--until {until:g}: write a share, for example 0.001")


def _fences(file: Path | None) -> "Fences":
    """What the file says, or the project's; nothing is executed if there is neither.

    Raises:
        UsageError: it cannot be read, or says what nothing can be.
    """
    import tomllib

    from offcanvas.errors import UsageError
    from offcanvas.shadow.fences import read_fences

    path = file or Path("pyproject.toml")
    if file is None and not path.exists():
        return read_fences({}, "")
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from None
    if path.name == "pyproject.toml":
        raw = raw.get("tool", {}).get("offcanvas", {}).get("shadow", {})
    return read_fences(raw, str(path))


def _is_prefect(package: str) -> bool:
    """Whether the package is a port to Prefect: it has flows and no workflows."""
    from importlib.util import find_spec

    try:
        return find_spec(f"{package}.flows") is not None
    except ImportError:  # there is no such package; who looks for a port to Temporal says so
        return False


def _require_own(namespace: str) -> None:
    """A shadow that polls where production does would take its work.

    Raises:
        UsageError: the namespace is not one of shadows.
    """
    import os

    from offcanvas.errors import UsageError

    if not namespace.endswith("-shadow") or namespace == os.environ.get("TEMPORAL_NAMESPACE"):
        raise UsageError(
            f"--namespace {namespace}: a shadow needs a namespace of its own, whose name ends in "
            "-shadow; create one: temporal operator namespace create"
        )


def _require_known(pure: list[str], there: Collection[str], who: str) -> None:
    from offcanvas.errors import UsageError

    unknown = sorted(set(pure) - set(there))
    if unknown:
        known = ", ".join(sorted(there))
        raise UsageError(f"--pure {unknown[0]}: {who} has no such step; it has {known}")


def _kit(app: Any, whole: Any, masks: "Masks", pure: list[str], bodies: "Bodies") -> Any:
    from offcanvas.shadow.kit import replay_kit, steps_of

    done, branches = replay_kit(app, whole, masks, pure, bodies)
    return done, steps_of(whole), branches


def _prefect(
    app: Any, package: Any, whole: Any, masks: "Masks", pure: list[str], bodies: "Bodies"
) -> Any:
    import os

    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")  # a step that fails is no news
    from offcanvas.servers import prefect
    from offcanvas.shadow.prefect import candidate, replay_prefect

    found = candidate(package)
    _require_known(pure, found.steps, package)
    names = {name.rpartition(".")[2]: name for name in app.tasks}
    with prefect() as server:
        done, branches = replay_prefect(server.url, found, whole, names, masks, pure, bodies)
    return done, sorted(found.steps), branches


def _temporal(
    address: str | None,
    namespace: str,
    app: Any,
    package: Any,
    whole: Any,
    masks: "Masks",
    pure: list[str],
    bodies: "Bodies",
) -> Any:
    from offcanvas.servers import temporal

    if address is not None:
        return asyncio.run(_replay(address, namespace, app, package, whole, masks, pure, bodies))
    with temporal() as server:
        return asyncio.run(_replay(server.url, "default", app, package, whole, masks, pure, bodies))


async def _replay(
    address: str,
    namespace: str,
    app: Any,
    package: str,
    whole: Any,
    masks: "Masks",
    pure: list[str],
    bodies: "Bodies",
) -> Any:
    from temporalio.client import Client

    from offcanvas.engines.temporal.connection import connect
    from offcanvas.shadow.branches import Branches
    from offcanvas.shadow.replay import candidate, replay

    logging.getLogger("temporalio").setLevel(logging.CRITICAL)  # a step that fails is no news
    await connect(address)  # says in one line if there is none
    client = await Client.connect(address, namespace=namespace)
    found = candidate(package)
    _require_known(pure, found.activities, package)
    names = {name.rpartition(".")[2]: name for name in app.tasks}
    branches = Branches(found.files)
    done = await replay(client, found, whole, names, masks, pure, bodies, branches)
    return done, sorted(found.activities), branches
