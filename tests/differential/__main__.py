"""Many random canvases on a real Celery worker and on the engines: ``make differential``.

``make differential ON=temporal`` compares Celery with that engine alone; ON takes several, with
blanks between them: memory, temporal, prefect.

Prints how many were run, which rows of the support table explain differences and how often, and
every divergence that none explains, shrunk. Ends with 1 if there is one.

``make differential BATCH=3`` has three members of a group run together on Temporal and Prefect,
BATCH=auto as many as the time allows.

OFFCANVAS_EXAMPLES is how many, OFFCANVAS_SEED repeats a run, and with OFFCANVAS_EXPLAINED set the
five smallest examples of each row are printed as well.
"""

import logging
import os
import secrets
import sys
import time
import warnings

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from offcanvas.engines.batches import batch_of_word
from offcanvas.errors import UsageError
from tests.differential import running
from tests.differential.compare import ENGINES, compared, drawn, engines
from tests.differential.reduce import reduced

#: Divergences that look alike are shrunk once, and not more than this many kinds.
KINDS = 10


def main():
    """Run, report, and say by the exit status whether there was a divergence."""
    # Celery announces a change of chord.link_error at every call, and tells of every failed task.
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    names = tuple(dict.fromkeys(" ".join(sys.argv[1:]).split())) or ENGINES
    given_numbers = [os.environ.get(name) for name in ("OFFCANVAS_EXAMPLES", "OFFCANVAS_SEED")]
    if set(names) - set(ENGINES) or not all(
        word is None or word.isdecimal() for word in given_numbers
    ):
        sys.stderr.write(
            f"differential: ON is some of {', '.join(ENGINES)}; OFFCANVAS_EXAMPLES and "
            f"OFFCANVAS_SEED are whole numbers\n"
        )
        return 2
    try:
        batch = batch_of_word(os.environ.get("OFFCANVAS_BATCH") or "none", "BATCH=")
    except UsageError as error:
        sys.stderr.write(f"differential: {error}\n")
        return 2
    number = int(given_numbers[1] or secrets.randbelow(1_000_000))
    examples = drawn(int(given_numbers[0] or 5000), number)
    rows, diverging = {}, {}
    begun = time.monotonic()
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with (
        running.worker() as worker,
        engines(names, batch) as elsewhere,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        bar = progress.add_task("random canvases", total=len(examples))
        memory = "memory" in names
        for one in compared(examples, worker, elsewhere, memory=memory):
            progress.advance(bar, 1 / len(names))
            if one.diverges:
                diverging.setdefault(one.kind(), []).append(one)
            elif one.differences:
                rows.setdefault((one.row, one.engine), []).append(one)
        seconds = time.monotonic() - begun
        shrunk = [_shrunk(found, worker, elsewhere) for found in list(diverging.values())[:KINDS]]
    _report(names, number, len(examples), seconds, rows, diverging, shrunk)
    return 1 if diverging else 0


def _report(names, number, count, seconds, rows, diverging, shrunk):
    out = Console(soft_wrap=True, highlight=False, markup=False)
    out.print(
        f"{count:,} random canvases on Celery and on {', '.join(names)}, in {seconds:.0f} s "
        f"(OFFCANVAS_SEED={number})"
    )
    for name in names:
        found = sum(len(alike) for kind, alike in diverging.items() if kind[0] == name)
        out.print(f"  {name}: {found:,} divergences")
    for row in sorted({row for row, _ in rows}):
        times = {name: rows[row, name] for name in names if (row, name) in rows}
        told = ", ".join(f"{len(found):,} on {name}" for name, found in times.items())
        out.print(f"  explained ({told}): {row.text}")
        if os.environ.get("OFFCANVAS_EXPLAINED"):
            every = [one for found in times.values() for one in found]
            for one in sorted(every, key=lambda one: len(repr(one.example)))[:5]:
                out.print(f"{one.engine}: {one.example!r}", *one.differences, sep="\n    ")
    for one in shrunk:
        out.print(f"\n{one.engine}: {one.example!r}", *one.differences, sep="\n")


def _shrunk(found, worker, elsewhere):
    """A smaller example that diverges in the same way."""
    name, kind = found[0].engine, found[0].kind()
    there = [engine for engine in elsewhere if engine.name == name]

    def again(example):
        return next(compared([example], worker, there, memory=name == "memory"))

    def alike(example):
        one = again(example)
        return one.diverges and one.kind() == kind

    least = min(found, key=lambda one: len(repr(one.example)))
    return again(reduced(least.example, alike))


if __name__ == "__main__":
    sys.exit(main())
