"""What a cell shows for its verdict: a timeline, and the lines of the logs that say something."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from comparisons.lab.probes import Event

_TELLING = re.compile(
    r"warn|error|critical|traceback|exception|lost|killed|sigkill|signal 9|time ?out|timed out|"
    r"crash|refused|reject|redeliver|shut|closed|restarted|heartbeat",
    re.IGNORECASE,
)
_LINES = 12  # of a log, the first and the last ones
_WIDTH = 220  # characters of a line


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the timeline; `at` is in seconds from the fault, `who` a process or empty."""

    at: float
    what: str
    who: str = ""


def moments(
    marks: Sequence[tuple[float, str]], events: Sequence[Event], zero: float
) -> tuple[Moment, ...]:
    """The lab's own marks and what the steps have told, in order."""
    lines = [Moment(at - zero, what) for at, what in marks]
    lines += [
        Moment(e.at - zero, f"{e.step} {e.item}: {e.point}, attempt {e.attempt}", str(e.pid))
        for e in events
    ]
    return tuple(sorted(lines, key=lambda line: line.at))


@dataclass(frozen=True)
class LogMarks:
    """How long each log was."""

    sizes: Mapping[str, int]

    @classmethod
    def now(cls, logs: Mapping[str, Path]) -> LogMarks:
        """At this moment."""
        return cls({name: path.stat().st_size for name, path in logs.items() if path.exists()})


def log_lines(
    before: LogMarks, logs: Mapping[str, Path], folder: Path
) -> dict[str, tuple[str, ...]]:
    """The telling lines that the logs have got since, without paths and names of this machine."""
    found = {}
    for name, path in logs.items():
        if not path.exists():
            continue
        with path.open("rb") as log:
            log.seek(before.sizes.get(name, 0))
            text = log.read(400_000).decode(errors="replace")
        lines = [line for line in text.splitlines() if _TELLING.search(line)]
        if len(lines) > 2 * _LINES:
            left_out = f"... {len(lines) - 2 * _LINES} more lines ..."
            lines = [*lines[:_LINES], left_out, *lines[-_LINES:]]
        if lines:
            found[name] = tuple(scrubbed(line, folder)[:_WIDTH] for line in lines)
    return found


_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def scrubbed(line: str, folder: Path) -> str:
    """The line without colours, and without what only means something on this machine."""
    line = _ESCAPES.sub("", line)
    line = line.replace(str(folder), "LANE").replace(socket.gethostname(), "HOST")
    line = re.sub(r"/[\w./+-]*/site-packages/", "", line)
    line = re.sub(rf"{re.escape(str(Path(__file__).resolve().parents[2]))}/?", "", line)
    return re.sub(r"/tmp/oc-[\w./-]*", "LANE", line)  # noqa: S108 - a pattern, not a file
