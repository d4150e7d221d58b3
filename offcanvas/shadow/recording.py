"""A recording, read: each root with its tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kombu.utils import json

from offcanvas.canvas.lift import lift
from offcanvas.canvas.nodes import Task, walk
from offcanvas.errors import UsageError


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one task, as Celery's worker ended it."""

    id: str
    task: str
    given: Mapping[str, Any]
    retries: int
    state: str
    value: Any = None
    error: tuple[str, str] | None = None
    kinds: tuple[str, ...] = ()
    errbacks: tuple[str, ...] = ()
    at: float = 0.0
    where: str = ""


@dataclass(slots=True)
class Recorded:
    """One root.

    Attributes:
        root: the id that its tasks share.
        name: which root it is.
        given: its parameters by name.
        canvas: the signature as a dictionary.
        result: the id of its result, or a list of them.
        attempts: in the order in which they ended.
        unreadable: values that could not be written down.
    """

    root: str
    name: str
    given: Mapping[str, Any]
    canvas: Mapping[str, Any]
    result: Any
    attempts: list[Attempt] = field(default_factory=list)
    unreadable: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether every result has a value."""
        ended = {one.id for one in self.attempts if one.state == "SUCCESS"}
        wanted = _flat(self.result)
        return bool(wanted) and set(wanted) <= ended

    @property
    def failures(self) -> list[Attempt]:
        """Attempts that have failed for good."""
        return [one for one in self.attempts if one.state == "FAILURE"]

    @property
    def is_complete(self) -> bool:
        """Whether its end was recorded: every result has a value, or a task has failed."""
        return not self.unreadable and (self.succeeded or bool(self.failures))

    def of_canvas(self) -> Recorded:
        """Without what bodies have sent: with bodies that are answered, nothing does."""
        there = steps_and_errbacks(self.canvas)
        kept = [one for one in self.attempts if one.task in there]
        return replace(self, attempts=kept)

    def value(self) -> Any:
        """What the root came to."""
        values = {one.id: one.value for one in self.attempts if one.state == "SUCCESS"}
        return _values(self.result, values)


def read(folder: Path) -> list[Recorded]:
    """All roots in the files of a folder, in the order in which they were sent.

    Raises:
        UsageError: there is no recording.
    """
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise UsageError(f"{folder}: there is no recording; see offcanvas shadow record --help")
    found: dict[str, Recorded] = {}
    attempts: list[tuple[str, Attempt]] = []
    unreadable: set[str] = set()
    moments: dict[str, float] = {}
    for path in files:
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
            except ValueError:  # a process was killed while it wrote
                continue
            if "unreadable" in line:
                unreadable.add(line["root"])
            elif line["kind"] == "root":
                moments[line["root"]] = line["at"]
                found[line["root"]] = Recorded(
                    line["root"], line["name"], line["given"], line["canvas"], line["result"]
                )
            else:
                attempts.append((line["root"], _attempt(line)))
    for root, attempt in sorted(attempts, key=lambda one: one[1].at):
        if root in found:
            found[root].attempts.append(attempt)
    for root in unreadable & found.keys():
        found[root].unreadable = True
    return sorted(found.values(), key=lambda one: moments[one.root])


def steps_and_errbacks(canvas: Mapping[str, Any]) -> set[str]:
    """The tasks that a canvas names, callbacks and error callbacks with it."""
    found: set[str] = set()
    for place in walk(lift(canvas)):
        node = place.node
        if isinstance(node, Task):
            found.add(node.name)
        found |= {one.name for one in node.options.link_error if isinstance(one, Task)}
    return found


def _attempt(line: Mapping[str, Any]) -> Attempt:
    error = line.get("error")
    return Attempt(
        line["id"],
        line["task"],
        line["given"],
        line["retries"],
        line["state"],
        line.get("value"),
        None if error is None else (error[0], error[1]),
        () if error is None else tuple(error[2]),
        tuple(line.get("errbacks") or ()),
        line["at"],
        error[3] if error is not None and len(error) > 3 else "",
    )


def _flat(ids: Any) -> Sequence[str]:
    if isinstance(ids, list):
        return [one for each in ids for one in _flat(each)]
    return [] if ids is None else [str(ids)]


def _values(ids: Any, values: Mapping[str, Any]) -> Any:
    return [_values(one, values) for one in ids] if isinstance(ids, list) else values.get(ids)
