"""`python -m shared`: tables, invented voters, CSV import, statistics, settings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from shared import roll_book
from shared.cli import application, progress, run
from shared.database import create_tables, transaction
from shared.fake import DEFAULT_SEED, DEFAULT_VOTERS, MAX_VOTERS, fake_roll_book
from shared.settings_table import settings_in_force
from shared.statistics import statistics


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


app = application("The roll book: who votes where.")


@app.command()
def init() -> None:
    """Create the tables that are missing in DATABASE_URL."""
    create_tables()
    typer.echo("tables: there")


@app.command()
def fake(
    voters: Annotated[
        int, typer.Option(min=0, max=MAX_VOTERS, help="How many voters to invent.")
    ] = DEFAULT_VOTERS,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same data.")
    ] = DEFAULT_SEED,
    replace: Annotated[
        bool, typer.Option("--replace", help="Empty all tables first, those of the runs too.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write this CSV file; leave the database alone.")
    ] = None,
) -> None:
    """Fill an empty roll book with invented voters, or write them to a CSV file."""
    book = fake_roll_book(voters, seed)
    size = f"{_count(voters, 'voter')} in {_count(len(book.sizes), 'center')}"
    if csv is not None:
        with progress("Writing", voters) as advance:
            roll_book.export_csv(csv, book.rows(), advance)
        typer.echo(f"{csv}: {size}, seed {seed}")
        return
    create_tables()
    with transaction() as session, progress("Inventing", voters) as advance:
        if replace:
            roll_book.clear(session)
        roll_book.fill(session, book, advance)
    typer.echo(f"{size}, seed {seed}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="voter_id,voter_name,center_id,center_name")],
    skip_bad_rows: Annotated[
        Path | None,
        typer.Option(help="Import the good rows; write the bad ones, with reasons, to this file."),
    ] = None,
) -> None:
    """Import a CSV file: all of it, or nothing, or all but the bad rows."""

    def report(row: roll_book.BadRow) -> None:
        typer.echo(f"{file}:{row.line}: {row.reason}", err=True)

    done = roll_book.import_csv(file, skip_bad_rows=skip_bad_rows, report=report, progress=progress)
    typer.echo(f"{file}: {_count(done.voters, 'voter')} in {_count(done.centers, 'center')}")
    if done.rejected:
        typer.echo(f"{skip_bad_rows}: {_count(done.rejected, 'rejected row')}")


@app.command()
def stats() -> None:
    """Show how many voters and centers there are, and how uneven the centers are."""
    with transaction(read_only=True) as session:
        numbers = asdict(statistics(session))
    for name, value in numbers.items():
        typer.echo(f"{name.replace('_', ' '):<24}{value:>12,}")


@app.command()
def settings() -> None:
    """Show every setting: its value in force, where it comes from, what it means."""
    for setting in settings_in_force():
        typer.echo(setting)


if __name__ == "__main__":
    run(app, "python -m shared")
