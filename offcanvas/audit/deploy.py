"""How long process managers wait for Celery workers to stop: compose files, systemd, supervisor.

Only what the rules ask is read, line by line: a YAML reader is not a dependency of the audit.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

NAMES: Final = re.compile(
    r"(docker-)?compose[\w.-]*\.ya?ml|[\w@.-]+\.service|supervisor[\w.-]*\.(conf|ini)|Procfile"
)
"""Names of the files that are read."""
_NOT_LIVE: Final = re.compile(
    r"(^|[^a-z])(dev|devel|development|devcontainer|test|tests|testing|ci|e2e|local|override)"
    r"([^a-z]|$)"
)
_WORKER: Final = re.compile(r"\bcelery\b.*\bworker\b")
_SERVICES: Final = re.compile(r"services:\s*(#.*)?$")
_SERVICE: Final = re.compile(r"( +)([\w.-]+):\s*(#.*)?$")
_COMMAND: Final = re.compile(r"( +)(?:command|entrypoint):(.*)$")
_GRACE: Final = re.compile(r"\s+stop_grace_period:\s*[\"']?([\w.]+)")
_UNITS: Final = {
    **dict.fromkeys(("s", "sec", "second", "seconds", ""), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
    "ms": 0.001,
}


@dataclass(frozen=True, slots=True)
class Stop:
    """A worker that a file starts. grace: seconds from SIGTERM to SIGKILL, None when unlimited.

    written: whether the file says so; else it is what the manager does by default.
    """

    path: str
    line: int
    manager: str
    grace: float | None
    written: bool


def is_deploy_file(name: str) -> bool:
    """Whether a file's name is one of a process manager's."""
    return NAMES.fullmatch(name) is not None


def stops(path: str, source: bytes) -> Iterator[Stop]:
    """The workers that a file starts; none for a file that by its name is not for production."""
    if _NOT_LIVE.search(path.lower()):
        return
    text = source.decode("utf-8", "replace")
    name = PurePosixPath(path).name
    if name.endswith((".yml", ".yaml")):
        yield from _compose(path, text.splitlines())
    elif name == "Procfile":
        for number, line in enumerate(text.splitlines(), 1):
            if _WORKER.search(line):
                # https://devcenter.heroku.com/articles/dynos#shutdown
                yield Stop(path, number, "Heroku", 30.0, False)
    elif name.endswith(".service"):
        yield from _sections(path, text, "systemd", "ExecStart", "TimeoutStopSec", 90.0)
    else:
        yield from _sections(path, text, "supervisor", "command", "stopwaitsecs", 10.0)


def _compose(path: str, lines: list[str]) -> Iterator[Stop]:
    start = next((i for i, line in enumerate(lines) if _SERVICES.match(line)), None)
    if start is None:
        return
    # An anchor may bring a grace period into any service.
    merged = any("<<:" in line for line in lines) and any(_GRACE.match(line) for line in lines)
    block: list[tuple[int, str]] = []
    indent = 0
    for number, line in enumerate([*lines[start + 1 :], "end:"], start + 2):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        depth = len(line) - len(line.lstrip())
        indent = indent or depth
        if depth <= indent:
            yield from _service(path, block, merged)
            block = []
        if depth == 0:
            return
        if depth > indent or _SERVICE.match(line):
            block.append((number, line))


def _service(path: str, block: list[tuple[int, str]], merged: bool) -> Iterator[Stop]:
    place = None
    for position, (number, line) in enumerate(block):
        command = _COMMAND.match(line)
        if command is None:
            continue
        said = [command[2]]
        for _, below in block[position + 1 :]:
            if len(below) - len(below.lstrip()) <= len(command[1]) and below.strip()[0] != "-":
                break
            said.append(below)
        if _WORKER.search(" ".join(said)):
            place = number
    if place is None:
        return
    for number, line in block:
        given = _GRACE.match(line)
        if given is not None:
            grace = seconds(given[1])
            if grace is not None:
                yield Stop(path, number, "docker compose", grace, True)
            return
    if not merged:
        # https://docs.docker.com/reference/compose-file/services/#stop_grace_period
        yield Stop(path, place, "docker compose", 10.0, False)


def _sections(
    path: str, text: str, manager: str, start: str, key: str, default: float
) -> Iterator[Stop]:
    """`[program:worker]`, `[Service]`: the sections whose command starts a worker."""
    lines = text.splitlines()
    heads = [i for i, line in enumerate(lines) if line.startswith("[")]
    for begin, end in zip(heads, [*heads[1:], len(lines)], strict=True):
        pairs = {
            line.partition("=")[0].strip(): (number, line.partition("=")[2].strip())
            for number, line in enumerate(lines[begin:end], begin + 1)
            if "=" in line and not line.startswith(("#", ";"))
        }
        if start not in pairs or not _WORKER.search(pairs[start][1]):
            continue
        if key not in pairs:
            yield Stop(path, pairs[start][0], manager, default, False)
        elif pairs[key][1] == "infinity":
            yield Stop(path, pairs[key][0], manager, None, True)
        elif (grace := seconds(pairs[key][1])) is not None:
            yield Stop(path, pairs[key][0], manager, grace, True)


def seconds(text: str) -> float | None:
    """Seconds of "90", "1m30s" or "5min 20s"; None for anything else."""
    compact = text.replace(" ", "").lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)([a-z]*)", compact)
    if not parts or "".join(a + b for a, b in parts) != compact:
        return None
    if any(unit not in _UNITS for _, unit in parts):
        return None
    return sum(float(amount) * _UNITS[unit] for amount, unit in parts)
