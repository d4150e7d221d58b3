"""What one engine did with one canvas, in a form that can be compared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from kombu.utils.json import dumps

from offcanvas.checking.order import breaches
from offcanvas.engines.base import Outcome

#: An id, wherever it stands in a text.
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
#: Now, as tasks write it into arguments and results: ISO, with a time of day.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")
#: How many tasks the pool had before it lost a process, in the text of a WorkerLostError.
_JOB = re.compile(r"(Worker exited prematurely: [^:]*) Job: \d+")
#: Celery's own tasks that carry out a canvas, each engine in its way. Those that call the user's
#: tasks are what the user has written, and count.
_MACHINERY = "celery."
_COUNTED = frozenset({"celery.map", "celery.starmap"})

WAITS = "waits for ever"


class What(StrEnum):
    """What can differ."""

    ANSWER = "answer"
    TASKS = "tasks"
    ERRBACKS = "errbacks"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that an engine did otherwise than Celery."""

    what: What
    text: str

    def __str__(self) -> str:
        return f"{self.what}: {self.text}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen. Ids are replaced by the names of the tasks that ran under them.

    Attributes:
        answers: every answer that ``get()`` may give: where several members of a group have
            failed, Celery raises the error that arrived first.
        ran: attempts at tasks, with their arguments, and how many of each.
        called: errbacks that Celery calls in the worker (see ``celery_app.recorder``), likewise.
        breaches: tasks that began before what they had to wait for was done.
        complete: False if something still ran when the time was up.
    """

    answers: frozenset[str]
    ran: Counter[str]
    called: Counter[str]
    breaches: tuple[str, ...] = ()
    complete: bool = True

    def without_moments(self) -> Seen:
        """The same, with moments in time left out of answers and arguments."""
        return replace(
            self,
            answers=frozenset(map(_timeless, self.answers)),
            ran=_added_up(self.ran),
            called=_added_up(self.called),
        )

    def differences(self, real: Seen, there: str = "Celery") -> list[Difference]:
        """How this differs from ``real``, which was seen ``there``; empty if it does not."""
        found = []
        if not self.answers & real.answers:
            answers = [" or ".join(sorted(one.answers)) for one in (self, real)]
            found.append(Difference(What.ANSWER, f"get() {answers[0]}; on {there} it {answers[1]}"))
        for what, mine, other in (
            (What.TASKS, self.ran, real.ran),
            (What.ERRBACKS, self.called, real.called),
        ):
            for entry in sorted(mine.keys() | other.keys()):
                if mine[entry] != other[entry]:
                    text = f"{entry} ran {_times(mine[entry])}; on {there} {_times(other[entry])}"
                    found.append(Difference(what, text))
        return found + [Difference(What.ORDER, breach) for breach in self.breaches]


def _timeless(text: str) -> str:
    return _MOMENT.sub("<moment>", text)


def _added_up(counted: Counter[str]) -> Counter[str]:
    # Entries that differ in moments only become one.
    total: Counter[str] = Counter()
    for entry, count in counted.items():
        total[_timeless(entry)] += count
    return total


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def seen(outcome: Outcome, entries: Sequence[Mapping[str, Any]]) -> Seen:
    """What ``outcome`` and the entries of the ledger come to."""
    began = [entry for entry in entries if entry["event"] == "began" and _counts(entry["name"])]
    called = [entry for entry in entries if entry["event"] == "called"]
    names = {entry["id"]: f"<{entry['name']}>" for entry in began}
    return Seen(
        frozenset(_plain(answer, names) for answer in _answers(outcome)),
        _counted(began, names),
        _counted(called, names),
        tuple(breaches(outcome.plan, entries)),
        outcome.complete,
    )


def _counts(name: str) -> bool:
    return name in _COUNTED or not name.startswith(_MACHINERY)


def _counted(entries: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> Counter[str]:
    return Counter(_plain(written(entry), names) for entry in entries)


def written(entry: Mapping[str, Any]) -> str:
    """A task as it was called: ``orders.price("book", currency="EUR")``."""
    args, kwargs = entry["args"], entry["kwargs"]
    if entry["name"] in _COUNTED:
        args, kwargs = [kwargs["task"]["task"], kwargs["it"]], {}
    given = [dumps(arg) for arg in args] if isinstance(args, list) else [str(args)]
    if isinstance(kwargs, Mapping):
        given += [f"{name}={dumps(kwargs[name])}" for name in sorted(kwargs)]
    else:
        given.append(str(kwargs))
    retries = entry.get("retries") or 0
    return f"{entry['name']}({', '.join(given)})" + (f" retry {retries}" if retries else "")


def _answers(outcome: Outcome) -> list[str]:
    if outcome.state == "PENDING":
        return [WAITS]
    if outcome.state == "SUCCESS":
        return [f"returns {_value(outcome.value)}"]
    errors = [outcome.error, *outcome.others]
    return [f"raises {type(error).__name__}{error.args!r}" for error in errors if error is not None]


def _value(value: Any) -> str:
    try:
        return dumps(value)
    except (TypeError, ValueError):
        return repr(value)


def _plain(text: str, names: Mapping[str, str]) -> str:
    text = _JOB.sub(r"\1", text)
    return UUID.sub(lambda match: names.get(match.group(), "<id>"), text)
