"""What a comparison is asked to do, checked whole before anything is started."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from comparisons.engines import DEFAULT_ENGINES, ENGINES
from shared import workloads
from shared.errors import UsageError
from shared.fake import DEFAULT_SEED, DEFAULT_VOTERS
from shared.settings import settings
from shared.variants import BY_NAME

DEFAULT_WORKLOADS = ("noop:100", "noop:500")
MOST_AT_A_TIME = 256  # as in the settings
WARM_UP = "chord_by_station"


@dataclass(frozen=True, slots=True)
class Plan:
    """A comparison: what runs where and how often.

    Attributes:
        voters: size of the made-up roll book; None when it comes from `csv`.
        jobs: variants and workloads, in the order in which they run within a repetition.
        out: folder of the results; made when they are written.
    """

    voters: int | None
    seed: int
    csv: Path | None
    variants: tuple[str, ...]
    workloads: tuple[str, ...]
    engines: tuple[str, ...]
    concurrency: int
    repeat: int
    out: Path
    keep_rolls: bool

    @property
    def jobs(self) -> tuple[str, ...]:
        """Variants, then workloads."""
        return (*self.variants, *self.workloads)

    @property
    def runs(self) -> list[tuple[int, str, str]]:
        """Every counted run as (repetition from 1, job, engine), in order of execution.

        The engines take turns job by job, and each repetition begins with another engine, so that
        a slow minute of the machine falls on all of them alike. Every second job goes through
        them backwards: no engine always follows the same other one.
        """
        return [
            (repetition + 1, job, engine)
            for repetition in range(self.repeat)
            for number, job in enumerate(self.jobs)
            for engine in rotated(self.engines, repetition)[:: -1 if number % 2 else 1]
        ]

    @property
    def command(self) -> str:
        """The command that repeats this comparison, without paths of this machine."""
        words = []
        if self.csv is not None:
            words.append(f"--csv {self.csv.name}")
        else:
            words.append(f"--voters {self.voters} --seed {self.seed}")
        words += [
            f"--variants {','.join(self.variants) or 'none'}",
            f"--workloads {','.join(self.workloads) or 'none'}",
            f"--engines {','.join(self.engines)}",
            f"--concurrency {self.concurrency} --repeat {self.repeat}",
        ]
        return f'make compare ARGS="{" ".join(words)}"'


def make_plan(
    *,
    voters: int | None,
    seed: int | None,
    csv: Path | None,
    variants: str | None,
    workloads: str | None,
    engines: str | None,
    concurrency: int | None,
    repeat: int,
    out: Path,
    keep_rolls: bool,
) -> Plan:
    """The plan of the command line's words; None is a flag that was not given.

    Raises:
        UsageError: a name is not known, a number is out of range, or two flags exclude each other.
    """
    if csv is not None and (voters is not None or seed is not None):
        raise UsageError("--csv brings its own voters: leave out --voters and --seed")
    if repeat < 1:
        raise UsageError(f"--repeat {repeat}: at least 1 run of each is needed")
    concurrency = settings().concurrency if concurrency is None else concurrency
    if not 1 <= concurrency <= MOST_AT_A_TIME:
        raise UsageError(f"--concurrency {concurrency}: use a number from 1 to {MOST_AT_A_TIME}")
    plan = Plan(
        voters=None if csv else (DEFAULT_VOTERS if voters is None else voters),
        seed=DEFAULT_SEED if seed is None else seed,
        csv=csv,
        variants=choose_variants(variants),
        workloads=choose_workloads(workloads),
        engines=choose_engines(engines),
        concurrency=concurrency,
        repeat=repeat,
        out=out,
        keep_rolls=keep_rolls,
    )
    if not plan.jobs:
        raise UsageError("--variants none and --workloads none leave nothing to run")
    if csv is not None and not plan.variants:
        raise UsageError("--csv is of no use with --variants none")
    return plan


def rotated(engines: tuple[str, ...], by: int) -> tuple[str, ...]:
    """The engines, beginning with another one each time."""
    by %= len(engines)
    return engines[by:] + engines[:by]


def choose(flag: str, text: str | None, known: Iterable[str]) -> tuple[str, ...]:
    """The names of a comma-separated list, in the order of `known`; all of them for None.

    Raises:
        UsageError: a name is not known, or the list is empty.
    """
    known = tuple(known)
    if text is None:
        return known
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"{flag} {unknown[0]!r} is not known: choose from {', '.join(known)}")
    if not names:
        raise UsageError(f"{flag} is empty: choose from {', '.join(known)}")
    return tuple(name for name in known if name in names)


def choose_engines(text: str | None) -> tuple[str, ...]:
    """The engines of `--engines`; None for those that are installed with the project."""
    return DEFAULT_ENGINES if text is None else choose("--engines", text, ENGINES)


def choose_variants(text: str | None) -> tuple[str, ...]:
    """The variants of `--variants`; `none` leaves the roll book out."""
    return () if text == "none" else choose("--variants", text, BY_NAME)


def choose_workloads(text: str | None) -> tuple[str, ...]:
    """The workloads of `--workloads`, each once, in the order given; `none` for none.

    Raises:
        UsageError: a name is not a workload.
    """
    if text is None:
        return DEFAULT_WORKLOADS
    if text == "none":
        return ()
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if workloads.parse(name) is None:
            raise UsageError(
                f"--workloads {name!r} is not known: use noop:N, nap:N, fib33:N or fib10:N"
            )
    if not names:
        raise UsageError("--workloads is empty: use noop:N, nap:N, fib33:N, fib10:N, or none")
    return names


def check_out(out: Path) -> None:
    """See that results can be written to the folder, without making anything.

    Raises:
        UsageError: it is a file, or it cannot be written to.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: this is a file; name a folder")
    nearest = next((folder for folder in (out, *out.absolute().parents) if folder.exists()), out)
    if not nearest.is_dir():
        raise UsageError(f"--out {out}: {nearest} is a file; name a folder")
    try:  # rights alone do not tell: the file system may be read-only, or none for files
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(
            f"--out {out}: cannot write in {nearest} ({reason}); name another folder"
        ) from None


def check_csv(csv: Path) -> None:
    """See that the file is there and can be read.

    Raises:
        UsageError: it is not, or it is a folder.
    """
    if not csv.exists():
        raise UsageError(f"--csv {csv}: no such file")
    if not csv.is_file():
        raise UsageError(f"--csv {csv}: not a file")
    if not os.access(csv, os.R_OK):
        raise UsageError(f"--csv {csv}: no right to read it")
