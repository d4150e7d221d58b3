"""Many random canvases on a real Celery worker and in memory: ``make differential``.

``make differential ON=temporal`` or ``ON=prefect`` compares Celery with that engine instead.

Prints how many were run, which rows of the support table explain differences and how often, and
every divergence that none explains, shrunk. Ends with 1 if there is one.

OFFCANVAS_EXAMPLES is how many, OFFCANVAS_SEED repeats a run, and with OFFCANVAS_EXPLAINED set the
five smallest examples of each row are printed as well.
"""

import os
import secrets
import sys
import time
import warnings
from contextlib import contextmanager

from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis.errors import HypothesisException
from rich.console import Console
from rich.progress import Progress

from offcanvas.servers import prefect
from tests.differential import running, specs
from tests.differential.observe import on_celery, on_engine, on_memory
from tests.differential.quirks import explained

#: Divergences that look alike are shrunk once, and not more than this many kinds.
KINDS = 10


@contextmanager
def _memory(book):
    yield lambda example: on_memory(example, book)


@contextmanager
def _temporal(book):
    with running.temporal_worker(book) as calls:
        yield lambda example: on_engine(example, book, calls)


@contextmanager
def _prefect(book):
    with prefect() as server, running.prefect_worker(book, server.url) as calls:
        yield lambda example: on_engine(example, book, calls)


ENGINES = {"memory": _memory, "temporal": _temporal, "prefect": _prefect}


def main():
    """Run, report, and say by the exit status whether there was a divergence."""
    # Celery announces a change of chord.link_error at every call, Hypothesis long examples.
    warnings.simplefilter("ignore")
    on = sys.argv[1] if len(sys.argv) > 1 else "memory"
    given_numbers = [os.environ.get(name) for name in ("OFFCANVAS_EXAMPLES", "OFFCANVAS_SEED")]
    if on not in ENGINES or not all(word is None or word.isdecimal() for word in given_numbers):
        sys.stderr.write(
            f"differential: ON is one of {', '.join(ENGINES)}; OFFCANVAS_EXAMPLES and "
            f"OFFCANVAS_SEED are whole numbers\n"
        )
        return 2
    examples = int(given_numbers[0] or 5000)
    number = int(given_numbers[1] or secrets.randbelow(1_000_000))
    out, rows, kinds = Console(), {}, {}
    count = 0
    begun = time.monotonic()
    with (
        running.worker() as book,
        ENGINES[on](book) as observe,
        Progress(console=Console(stderr=True)) as progress,
    ):
        bar = progress.add_task("random canvases", total=examples)

        def differences(example):
            real, mine = on_celery(example, book), observe(example)
            lines = [str(one) for one in mine.differences(real)]
            row = explained(example, real, mine) if lines else None
            return lines, row

        @seed(number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(specs.examples)
        def compare(example):
            nonlocal count
            count += 1
            progress.advance(bar)
            lines, row = differences(example)
            if row:
                rows.setdefault(row, []).append((example, lines))
            elif lines:
                kinds.setdefault(_kind(lines), []).append((example, lines))

        compare()
        shrunk = [_shrunk(kind, found, differences) for kind, found in list(kinds.items())[:KINDS]]
    diverged = sum(map(len, kinds.values()))
    seconds = time.monotonic() - begun
    out.print(
        f"Celery and {on}: {count:,} canvases in {seconds:.0f} s (OFFCANVAS_SEED={number}), "
        f"{diverged:,} divergences"
    )
    for row, found in sorted(rows.items(), key=lambda item: -len(item[1])):
        out.print(f"  explained {len(found):,} times: {row}")
        if os.environ.get("OFFCANVAS_EXPLAINED"):
            for example, lines in sorted(found, key=lambda item: len(repr(item[0])))[:5]:
                out.print(repr(example), *lines, sep="\n    ", markup=False)
    for example, lines in shrunk:
        out.print("\n", repr(example), *lines, sep="\n", markup=False)
    return 1 if diverged else 0


def _kind(lines):
    """What a divergence looks like, without its values."""
    return tuple(sorted({line.split("(")[0] for line in lines}))


def _shrunk(kind, found, differences):
    def alike(example):
        lines, row = differences(example)
        return bool(lines) and row is None and _kind(lines) == kind

    limits = settings(
        max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    try:
        example = find(specs.examples, alike, settings=limits)
    except HypothesisException:
        example = min((example for example, _ in found), key=lambda item: len(repr(item)))
    return example, differences(example)[0]


if __name__ == "__main__":
    sys.exit(main())
