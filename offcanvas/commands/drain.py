"""`offcanvas drain`: whether a Celery app has anything left to do."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from offcanvas.printable import say

if TYPE_CHECKING:
    from offcanvas.drain.watch import Drained


def drain(
    app: Annotated[
        str, typer.Option("--app", "-A", metavar="APP", help="The Celery app, as for celery -A.")
    ],
    wait: Annotated[bool, typer.Option("--wait", help="Look until the app is drained.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(min=1, metavar="SECONDS", help="With --wait: give up after so long."),
    ] = None,
    apart: Annotated[
        float,
        typer.Option(min=0.1, metavar="SECONDS", help="Time between the two looks."),
    ] = 5.0,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="PLACE",
            help="Leave out a place that you vouch for, such as beat. Repeat for more.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what of the app still waits where, and whether Celery can be switched off.

    Asked are the broker (Redis or RabbitMQ), the workers, the result backend and the schedule;
    nothing is changed. What cannot be told counts as waiting. The app is drained when two looks
    have found nothing and no task was begun between them.

    Exits with 0 if it is drained, 1 if it is not, 2 if it could not be asked.
    """
    from offcanvas.commands.target import use_app
    from offcanvas.errors import UsageError
    from offcanvas.stopping import stop_on_signals

    if timeout is not None and not wait:
        raise UsageError("--timeout: says how long --wait waits; give both")
    places = _places(without or ())
    found = use_app(app)  # says in one line if Celery is not installed
    from offcanvas.drain.report import as_json, as_text
    from offcanvas.drain.watch import look_twice, wait_until_drained

    try:
        with stop_on_signals():
            if wait:
                drained = wait_until_drained(found, apart, places, timeout=timeout, tell=_tell)
            else:
                drained = look_twice(found, apart, places)
    except KeyboardInterrupt:
        say("offcanvas: stopped", err=True)
        raise typer.Exit(130) from None
    say(as_json(drained) if json else as_text(drained))
    if not drained.safe:
        raise typer.Exit(1)


def _places(names: Any) -> list[Any]:
    from offcanvas.drain.findings import INFORMATIVE, Place
    from offcanvas.errors import UsageError

    known = [str(place) for place in Place if place not in INFORMATIVE]
    for name in names:
        if name not in known:
            raise UsageError(f"--without: there is no place {name!r}; use {', '.join(known)}")
    return [Place(name) for name in names]


def _tell(drained: "Drained") -> None:
    waits = ", ".join(
        f"{one.place} {'?' if one.count is None else one.count}" for one in drained.waiting
    )
    say(f"waiting: {waits or 'tasks were begun between two looks'}", err=True)
