"""What crosses between the walker and a worker: one task's call, its outcome, a branch to walk.

Everything here is plain JSON on the wire: values stay in their wire form (kombu's marks for dates
and the like included) and are never looked into. Neither Celery nor an engine is imported, so that
these types can be used inside a Temporal workflow.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeAlias

from offcanvas.canvas import wire
from offcanvas.canvas.nodes import Node, Value

#: An exception as Celery stores it: {"exc_type", "exc_module", "exc_message"}.
ErrorWire: TypeAlias = dict[str, Any]

#: States of a task outcome. The first five are Celery's; REPLACED is ``self.replace``; REFUSED
#: means that the arguments do not fit, so that nothing has run.
SUCCESS, FAILURE, RETRY, REVOKED, IGNORED = "SUCCESS", "FAILURE", "RETRY", "REVOKED", "IGNORED"
REPLACED, REFUSED = "REPLACED", "REFUSED"
#: Nothing has run: the task may begin after ``delay`` seconds (``rate_limit``).
LATER = "LATER"
#: Nothing has run: the task was in a batch that has ended before its turn. With ``why`` "alone" it
#: goes by itself; with "told" it has run, and is asked again what it came to.
LEFT = "LEFT"

#: The one key of a reference in the place of a value: a list of ids, of results that are texts, and
#: together the JSON of the value (``engines.processes.reference``).
STORED_TEXT = "__offcanvas_text__"


@dataclass(frozen=True, slots=True)
class Context:
    """Where a branch stands in its tree; what ``self.request`` will say.

    ``in_chord`` is the id of the chord's group when the branch is one of its header tasks.
    """

    root_id: str | None = None
    parent_id: str | None = None
    group_id: str | None = None
    group_index: int | None = None
    in_chord: str | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of a plan to walk: the node, the result it is called with, and its place.

    ``given`` is a predecessor's value, at most one; ``then`` is a node that holds the tasks that
    will get this branch's value, against whose parameters the value is checked, and ``rest`` what
    follows that one in the chain. ``headers`` are those of the task that comes before.
    """

    node: Node
    given: tuple[Value, ...] = ()
    context: Context = Context()
    then: Node | None = None
    rest: tuple[Node, ...] = ()
    headers: dict[str, Any] | None = None

    @property
    def following(self) -> tuple[Node, ...]:
        """What follows the branch in its chain, one after the other."""
        return () if self.then is None else (self.then, *self.rest)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for an engine that walks branches elsewhere."""
        return {
            "node": wire.plain(self.node, paged=True),
            "given": list(self.given),
            "context": _given(self.context),
            "then": None if self.then is None else wire.plain(self.then, paged=True),
            **({"rest": [wire.plain(one, paged=True) for one in self.rest]} if self.rest else {}),
            **({"headers": self.headers} if self.headers else {}),
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Branch:
        """The branch that ``to_json`` wrote."""
        return cls(
            node=wire.node_of(raw["node"]),
            given=tuple(raw["given"]),
            context=Context(**raw["context"]),
            then=None if raw["then"] is None else wire.node_of(raw["then"]),
            rest=tuple(map(wire.node_of, raw.get("rest", ()))),
            headers=raw.get("headers"),
        )


@dataclass(frozen=True, slots=True)
class End:
    """How a branch ended.

    ``state`` is SUCCESS (then ``value``), FAILURE or REVOKED (then ``error``), REFUSED (``error``
    says which arguments did not fit) or IGNORED: it stopped without a result, as after
    ``Ignore``, and nothing that waits for it will go on.

    ``result_id`` is the id of the branch's result; ``task_id`` the task that ran last, and
    ``root_id`` its root: what follows has them for parent and root; ``headers`` are that task's.
    ``added`` are values of tasks that joined the branch's chord by ``self.add_to_chord``. ``rest``
    is what a task has made of what follows it (``TaskOutcome.rest``), None if it has left it.
    ``unstored``: nothing is stored under ``result_id``, as the task ignores its result.
    """

    state: str
    value: Value = None
    error: ErrorWire | None = None
    result_id: str | None = None
    task_id: str | None = None
    root_id: str | None = None
    added: tuple[End, ...] = ()
    rest: tuple[dict[str, Any], ...] | None = None
    headers: dict[str, Any] | None = None
    unstored: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        added = {"added": [end.to_json() for end in self.added]} if self.added else {}
        return {**_given(self), **added}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> End:
        """The end that ``to_json`` wrote."""
        added = tuple(map(cls.from_json, raw.get("added", ())))
        return cls(**{**raw, "added": added, "rest": _listed(raw.get("rest"))})


@dataclass(frozen=True, slots=True)
class TaskCall:
    """One attempt at one task: all that ``task_runtime.run_task`` needs, as plain JSON.

    ``signature`` is the Celery signature dictionary with arguments merged, callbacks and errbacks
    in its options. ``eta`` and ``expires_at`` are ISO times. ``then`` are signatures of the tasks
    that get the value next: it is bound to their parameters before the task counts as done, as
    Celery does by sending them from the task's worker.

    ``near`` are the signatures of the steps that follow in the chain, in their order, as far as
    they are few, and ``far`` how many come after those: ``self.request.chain``. ``redelivered``
    says that an attempt has ended with ``Reject(requeue=True)``; ``deliveries`` counts attempts
    that are not retries. ``headers`` are those of the task that comes before.

    The first ``given`` arguments are what the walker has handed on, which may be references in the
    place of values; all others are values.
    """

    signature: dict[str, Any]
    task_id: str
    root_id: str
    parent_id: str | None = None
    group_id: str | None = None
    group_index: int | None = None
    retries: int = 0
    in_chord: bool = False
    eta: str | None = None
    expires_at: str | None = None
    then: tuple[dict[str, Any], ...] = ()
    near: tuple[dict[str, Any], ...] = ()
    far: int = 0
    deliveries: int = 0
    redelivered: bool = False
    headers: dict[str, Any] | None = None
    given: int = 0

    @property
    def name(self) -> str:
        """The task's name, for the engine's own displays."""
        name: str = self.signature["task"]
        return name

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return _given(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> TaskCall:
        """The call that ``to_json`` wrote."""
        listed = {name: tuple(raw.get(name, ())) for name in ("then", "near")}
        return cls(**{**raw, **listed})


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """What one attempt came to, as plain JSON.

    ``spawned`` are branches that the task's code, its callbacks and errbacks have started;
    ``parts`` are branches added to the running chord; ``revoked`` what it has revoked, each with
    ``ids`` and ``terminate``, which is for the driver to see to. For RETRY, ``retry`` is the next
    signature, with ``given`` arguments as in ``TaskCall``, and ``delay`` the seconds to wait; for
    REPLACED, ``replacement`` is a planned and
    frozen node in wire form.

    ``retries`` are retries that the task has sent without ending (``self.retry(throw=False)``),
    each with ``retry`` and ``delay``. ``why`` says what a RETRY is that does not count as one:
    "requeued" (``Reject(requeue=True)``), or "sent", when the class of the task has been asked and
    says that it be sent otherwise.

    ``rest`` is what the task has made of ``self.request.chain``, None if it has left it: in the
    order in which they run, ``{"step": n}`` for what was the nth to follow, ``{"node": ...}`` for
    something new, and both for a step that was changed.

    ``unstored``: the task has ended, and ignores what it came to (``ignore_result``).
    """

    state: str
    value: Value = None
    error: ErrorWire | None = None
    spawned: tuple[dict[str, Any], ...] = ()
    parts: tuple[dict[str, Any], ...] = ()
    revoked: tuple[dict[str, Any], ...] = ()
    retry: dict[str, Any] | None = None
    delay: float = 0.0
    given: int = 0
    replacement: dict[str, Any] | None = None
    retries: tuple[dict[str, Any], ...] = ()
    why: str = ""
    rest: tuple[dict[str, Any], ...] | None = None
    unstored: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return _given(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> TaskOutcome:
        """The outcome that ``to_json`` wrote."""
        names = ("spawned", "parts", "revoked", "retries")
        listed = {name: tuple(raw.get(name, ())) for name in names}
        return cls(**{**raw, **listed, "rest": _listed(raw.get("rest"))})


@dataclass(frozen=True, slots=True)
class ChordFailure:
    """A chord whose body will not run, as plain JSON.

    ``body`` is the body's signature dictionary; ``culprit`` the result id of the first header
    task in order that failed, with its ``error``. With ``culprit`` None the body itself could not
    be called, and ``error`` says why. ``joined``: a member of the header gives a group's results,
    which Celery on Redis joins; its ChordError then names no task.
    """

    body: dict[str, Any]
    error: ErrorWire
    culprit: str | None = None
    joined: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return _given(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> ChordFailure:
        """The failure that ``to_json`` wrote."""
        return cls(**raw)


def aware(text: str) -> datetime:
    """The moment that an ISO text names; in UTC unless it says otherwise, wherever this runs."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _listed(raw: Any) -> tuple[dict[str, Any], ...] | None:
    return None if raw is None else tuple(raw)


def _given(thing: Any) -> dict[str, Any]:
    """The fields that differ from their defaults: few of most calls, so that payloads are small."""
    defaults = _defaults(type(thing))  # type: ignore[arg-type]  # mypy: a class may have no hash
    read = ((name, default, getattr(thing, name)) for name, default in defaults)
    return {name: here for name, default, here in read if here is not default and here != default}


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((item.name, item.default) for item in fields(kind))
