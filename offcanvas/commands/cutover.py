"""`offcanvas cutover`: which share of each root's traffic goes where."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offcanvas import metrics
from offcanvas.commands.once import Once
from offcanvas.metrics.options import MetricsHost, MetricsPort
from offcanvas.printable import escaped, masked, say

if TYPE_CHECKING:
    from offcanvas.cutover.router import CutOver
    from offcanvas.cutover.status import Status

cutover = typer.Typer(help="Move live traffic from Celery to another engine, root by root.")

App = Annotated[
    str, typer.Option("--app", "-A", metavar="APP", help="The Celery app, as for celery -A.")
]
File = Annotated[Path, typer.Option("--rules", metavar="FILE", help="The rule file.")]
Root = Annotated[
    str, typer.Argument(help="A task's name, or package.module:function that makes a canvas.")
]
_FILE = Path("cutover.toml")


@cutover.command(cls=Once)
def plan(app: App, rules: File = _FILE) -> None:
    """Say what the rules would do now, what is missing for it, and what callers lose.

    Exits with 0 if orders could be sent everywhere, 2 if not.
    """
    from offcanvas.cutover.plan import in_words, plan
    from offcanvas.errors import UsageError

    with _router(app, rules) as router:
        found, claims = plan(router)
    for one in found:
        say(f"{escaped(one.rule.root)}: {escaped(in_words(one.rule))}")
        for lost in one.lost:
            say(f"  for callers: {lost}")
    missing = [*claims, *(f"{one.rule.root}: {line}" for one in found for line in one.missing)]
    if missing:
        raise UsageError("; ".join(missing))


@cutover.command("set", cls=Once)
def set_(
    root: Root,
    app: App,
    percent: Annotated[
        float | None, typer.Option(metavar="0..100", help="The share that goes there.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="temporal or prefect.")] = None,
    runs: Annotated[
        str | None, typer.Option("--as", help="kit, or port for a workflow of your own.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="The parameter whose value decides.")] = None,
    on: Annotated[list[str] | None, typer.Option(help="A key that always goes there.")] = None,
    off: Annotated[list[str] | None, typer.Option(help="A key that never does.")] = None,
    claims: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where claims are kept.")
    ] = None,
    rules: File = _FILE,
) -> None:
    """Change a root's rule. Live processes read the file again at their next call.

    The tables of the claims are made if they are not there. Nothing is written if the rule could
    not work: an unknown root or parameter, a port that is not deployed, a queue that nobody polls.
    """
    from offcanvas.cutover.edit import change

    given = {"to": to, "as": runs, "percent": _number(percent), "key": key, "on": on, "off": off}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if percent is not None:
        values["stopped"] = None
    found = _app(app)

    def check(new: Any) -> None:
        _check(found, new, rules, root)

    changed = change(rules, root, values, check, claims=claims)
    from offcanvas.cutover.plan import in_words

    say(f"{escaped(root)}: {escaped(in_words(changed.roots[root]))}")


@cutover.command(cls=Once)
def rollback(
    root: Root,
    app: App,
    redo: Annotated[
        bool,
        typer.Option("--redo", help="Begin work in flight again on Celery; needs restartable."),
    ] = False,
    rules: File = _FILE,
) -> None:
    """Send nothing of a root to its engine from now on. What is in flight finishes where it is."""
    from offcanvas.cutover.edit import stop
    from offcanvas.errors import UsageError

    with _router(app, rules) as router:
        rule = router.live.now.roots.get(root)
        if redo and rule is not None and not rule.restartable:
            raise UsageError(
                f"{rules}: {root} is not restartable: what has begun may have had effects. If it "
                "may be done twice, write restartable = true; without --redo it finishes there"
            )
        stop(rules, root, "rolled back by hand")
        say(f"{escaped(root)}: all of it stays on Celery from now on")
        if redo:
            from offcanvas.cutover.sweep import redo as mark
            from offcanvas.cutover.sweep import sweep

            marked = mark(router, root)
            done = sweep(router, older=0.0)
            say(f"{marked} in flight; {done.moved} begin again on Celery")
            _tell(done.troubles)


@cutover.command(cls=Once)
def status(
    app: App,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Until Ctrl-C, each second.")] = False,
    hours: Annotated[float, typer.Option(min=0.01, help="How far back.")] = 24.0,
    rules: File = _FILE,
) -> None:
    """Show how much of each root goes where, how it does there, and claims that hang."""
    from offcanvas.cutover.status import as_html, as_json, as_table
    from offcanvas.errors import UsageError
    from offcanvas.files import require_writable, write_whole

    if json + watch + (html is not None) > 1:
        raise UsageError("--json, --html and --watch: give one of them")
    if html is not None:
        require_writable(html, str(html))
    with _router(app, rules) as router:
        if watch:
            _watch(router, hours)
            return
        found = _status(router, hours)
    if html is not None:
        write_whole(html, as_html(found).encode(), str(html))
        say(str(html))
    elif json:
        say(as_json(found))
    else:
        from rich.console import Console

        Console(highlight=False).print(as_table(found))


@cutover.command(cls=Once)
def sweep(
    app: App,
    every: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="Again and again, so often.")
    ] = None,
    older: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Age of a claim that was never sent.")
    ] = 30.0,
    forget: Annotated[
        float | None,
        typer.Option(min=1, metavar="DAYS", help="Remove ended claims so old."),
    ] = None,
    rules: File = _FILE,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = metrics.HOST,
) -> None:
    """Send what was claimed and never sent; see what has ended; ask the guards.

    One such process is to run as long as anything is moved. Several do no harm.
    """
    from offcanvas.cutover.look import ENGINE, look
    from offcanvas.cutover.sweep import sweep
    from offcanvas.errors import OffcanvasError, UsageError
    from offcanvas.stopping import raise_if_asked, stop_on_signals

    if metrics_port is not None and every is None:
        raise UsageError("--metrics-port goes with --every: one sweep ends before anybody asks")
    with _router(app, rules) as router:
        router.claims.create()
        if metrics_port is not None:
            metrics.start(metrics_port, metrics_host)
            metrics.knows(ENGINE, ())
            metrics.watch(ENGINE, lambda: look(router.claims, older))
        if every is None:
            _swept(sweep(router, older=older), router, forget, tell=True)
            return
        say("sweeping", err=True)
        try:
            with stop_on_signals():
                while True:
                    try:
                        _swept(sweep(router, older=older), router, forget, tell=False)
                    except OffcanvasError as error:  # claims that are down come back
                        say(f"offcanvas: {masked(str(error))}", err=True)
                    until = time.monotonic() + every
                    while time.monotonic() < until:
                        raise_if_asked()
                        time.sleep(0.05)
        except KeyboardInterrupt:
            return


def _swept(done: Any, router: "CutOver", forget: float | None, *, tell: bool) -> None:
    meter = metrics.meter()
    if meter is not None:
        meter.recovered("cutover", done.sent)
    gone = 0 if forget is None else router.claims.forget(forget * 86_400)
    if tell or done.sent or done.moved or done.stopped:
        say(f"sent {done.sent}, ends seen {done.seen}, moved {done.moved}, forgotten {gone}")
    for line in done.stopped or ():
        say(f"rolled back by its guard: {escaped(line)}", err=True)
    _tell(done.troubles)


def _tell(troubles: list[str] | None) -> None:
    for line in troubles or ():
        say(f"offcanvas: {escaped(line)}", err=True)


def _watch(router: "CutOver", hours: float) -> None:
    from rich.live import Live

    from offcanvas.cutover.status import as_table

    try:
        with Live(as_table(_status(router, hours)), refresh_per_second=4) as live:
            while True:
                time.sleep(1)
                live.update(as_table(_status(router, hours)))
    except KeyboardInterrupt:
        return


def _status(router: "CutOver", hours: float) -> "Status":
    from offcanvas.cutover.status import status

    claims = router.claims
    return status(router.live.now, claims.since(hours * 3600), claims.now(), hours * 3600)


def _app(name: str) -> Any:
    from offcanvas.commands.target import use_app

    return use_app(name)


@contextmanager
def _router(app: str, rules: Path) -> Iterator["CutOver"]:
    """A router that is not open: it has claims and ways, and no call comes to it."""
    found = _app(app)
    from offcanvas.cutover.live import LiveRules
    from offcanvas.cutover.router import CutOver, check_roots

    live = LiveRules(rules, lambda new: check_roots(found, new, str(rules)))
    router = CutOver(found, live)
    try:
        yield router
    finally:
        router.close()


def _check(app: Any, new: Any, path: Path, root: str) -> None:
    """What is not in the file: the root, its engine, who would take it, the claims."""
    from offcanvas.cutover.router import check_roots, open_way
    from offcanvas.cutover.rules import PORT
    from offcanvas.cutover.stores import open_claims
    from offcanvas.errors import UsageError

    check_roots(app, new, str(path))
    rule = new.roots[root]
    if rule.percent > 0 or rule.on:
        way = open_way(app, rule.to, rule if rule.runs == PORT else None)
        try:
            missing = way.look()
        finally:
            way.close()
        if missing:
            raise UsageError(f"{root}: {'; '.join(missing)}; the rule is as it was")
    claims = open_claims(new.claims)
    try:
        claims.create()
    finally:
        claims.close()


def _number(percent: float | None) -> float | int | None:
    return int(percent) if percent is not None and percent.is_integer() else percent
