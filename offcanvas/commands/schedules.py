"""`offcanvas schedules`: beat's entries as schedules of another engine."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offcanvas.printable import say

if TYPE_CHECKING:
    from offcanvas.schedules.entries import Cron


def schedules(
    app: Annotated[
        str, typer.Option("--app", "-A", metavar="APP", help="The Celery app, as for celery -A.")
    ],
    to: Annotated[str, typer.Option(help="temporal or prefect.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the source here.")
    ] = None,
    diff_days: Annotated[
        int, typer.Option(min=0, metavar="DAYS", help="Days of firings to compare; 0 for none.")
    ] = 800,
    start: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The first day that is compared, UTC."),
    ] = None,
) -> None:
    """Read beat's entries, compare when they fire there, and write the source that makes them.

    Entries come from beat_schedule, add_periodic_task, django-celery-beat and redbeat. What is
    written creates schedules that are paused. Firings are compared with Celery's own code; on
    Temporal they are those of a server started for it, on Prefect those of its server's code.

    Exits with 0 if all firings are the same, 1 if days differ or an entry has no schedule there,
    2 if the entries cannot be read.
    """
    from offcanvas.commands.target import use_app
    from offcanvas.errors import UsageError, missing_extra
    from offcanvas.files import require_writable, write_whole

    if to not in {"temporal", "prefect"}:
        raise UsageError(f"--to {to!r}: write temporal or prefect")
    begin = start or datetime.now(UTC)
    begin = begin.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
    try:
        begin -= timedelta(seconds=1)
        end = begin + timedelta(days=diff_days)
    except OverflowError:
        raise UsageError(
            f"--diff-days {diff_days}: from {begin:%Y-%m-%d} on, the calendar has not so many days"
        ) from None
    if out is not None:
        require_writable(out, str(out))
    found = use_app(app)
    from offcanvas.celery_app.importable import importable
    from offcanvas.schedules.compare import compare
    from offcanvas.schedules.entries import Cron
    from offcanvas.schedules.read import entries
    from offcanvas.schedules.report import Row, lines

    emit: Any
    if to == "temporal":
        from offcanvas.schedules import temporal as emit
    else:
        from offcanvas.schedules import prefect as emit
    listed = entries(found)
    crons = [one.when for one in listed if isinstance(one.when, Cron)] if diff_days else []
    try:
        there = _firings(crons, to, begin, end)
    except ModuleNotFoundError as error:
        missing = missing_extra(error, f"--to {to}")
        if missing is None:
            raise
        raise missing from None
    rows = []
    for entry in listed:
        compared = None
        if isinstance(entry.when, Cron) and entry.when in there:
            ours, theirs = there[entry.when]
            compared = compare(ours, theirs, entry.when.zone, end)
        rows.append(Row(entry, emit.why_not(entry), compared))
    for line in lines(rows, to.capitalize(), diff_days):
        say(line)
    if not rows:
        say("beat has no entries")
    if out is not None:
        write_whole(out, emit.source(listed, importable(found)).encode(), str(out))
        say(str(out))
    if any(row.why_not or (row.compared and row.compared.differences) for row in rows):
        raise typer.Exit(1)


def _firings(
    crons: "list[Cron]", to: str, start: datetime, end: datetime
) -> "dict[Cron, tuple[list[datetime], list[datetime]]]":
    from offcanvas.schedules.firings import on_celery, on_prefect, on_temporal

    if not crons:
        return {}
    if to == "prefect":
        return {
            one: (on_celery(one, start, end), on_prefect(one, start, end))
            for one in dict.fromkeys(crons)
        }
    from offcanvas.engines.temporal.connection import connect
    from offcanvas.servers import temporal

    async def ask(address: str) -> dict[Any, Any]:
        client = await connect(address)
        return {
            one: (on_celery(one, start, end), await on_temporal(client, one, start, end))
            for one in dict.fromkeys(crons)
        }

    with temporal() as server:
        return asyncio.run(ask(server.url))
