"""The walk over a plan: what runs after what, and what a failure stops.

One walker serves every engine. It is an ``async`` function over a frozen plan and a ``Driver``, the
engine's hands: run one task, wait, run branches side by side. It reads no clock, draws no random
number, does no I/O and imports neither Celery nor an engine, so that it can run inside a Temporal
workflow (deterministic, replayed), inside a Prefect flow, or on a plain event loop.

Division of labour:

* the walker decides order: chain, group, chord, retries, replacement, delays;
* ``task_runtime`` runs one task in a worker process with Celery's own tracer, which calls hooks
  and signals, stores the result, and *dispatches* callbacks, errbacks and nested canvases. What it
  dispatches comes back in the outcome (``spawned``), and the walker has the driver start it.

Everything that crosses the driver is plain JSON: values stay in their wire form (kombu's marks for
dates and the like included) and are never looked into.

Writing a driver::

    class MyDriver:                                   # see Driver for each method
        async def run_task(self, call): ...           # -> TaskOutcome, from task_runtime.run_task
        async def fail_chord(self, call): ...         # -> Failure, from task_runtime.fail_chord
        async def store_failures(self, ids, error, culprit): ...  # task_runtime.store_failures
        async def sleep(self, seconds): ...
        def now(self): ...                            # seconds since the epoch
        async def gather(self, branches, walk): ...   # walk each, results in the order given
        def spawn(self, branch): ...                  # start a tree of its own, do not wait

    end = await Walker(MyDriver()).walk(Branch(node=plan))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, overload

from offcanvas.canvas import wire
from offcanvas.canvas.lower import lower
from offcanvas.canvas.nodes import (
    Chain,
    Chord,
    Chunks,
    Group,
    Leaf,
    Map,
    Node,
    Starmap,
    Task,
    Value,
    with_options,
)
from offcanvas.canvas.rules import entries, handed_on, last_of, result_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: An exception as Celery stores it: {"exc_type", "exc_module", "exc_message"}.
ErrorWire: TypeAlias = dict[str, Any]

#: States of a task outcome. The first five are Celery's; REPLACED is ``self.replace``; REFUSED
#: means that the arguments do not fit, so that nothing has run.
SUCCESS, FAILURE, RETRY, REVOKED, IGNORED = "SUCCESS", "FAILURE", "RETRY", "REVOKED", "IGNORED"
REPLACED, REFUSED = "REPLACED", "REFUSED"


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
    will get this branch's value, against whose parameters the value is checked.
    """

    node: Node
    given: tuple[Value, ...] = ()
    context: Context = Context()
    then: Node | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for an engine that walks branches elsewhere."""
        return {
            "node": wire.plain(self.node, paged=True),
            "given": list(self.given),
            "context": _given(self.context),
            "then": None if self.then is None else wire.plain(self.then, paged=True),
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Branch:
        """The branch that ``to_json`` wrote."""
        return cls(
            node=wire.node_of(raw["node"]),
            given=tuple(raw["given"]),
            context=Context(**raw["context"]),
            then=None if raw["then"] is None else wire.node_of(raw["then"]),
        )


@dataclass(frozen=True, slots=True)
class Members(Sequence[Branch]):
    """The members of a group as branches, each made when it is asked for."""

    group: Group
    given: tuple[Value, ...]
    context: Context

    def __len__(self) -> int:
        return len(self.group.members)

    @overload
    def __getitem__(self, index: int) -> Branch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Branch]: ...
    def __getitem__(self, index: int | slice) -> Branch | list[Branch]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        member = self.group.members[index]
        return Branch(member, self.given, replace(self.context, group_index=index))


@dataclass(frozen=True, slots=True)
class End:
    """How a branch ended.

    ``state`` is SUCCESS (then ``value``), FAILURE or REVOKED (then ``error``), REFUSED (``error``
    says which arguments did not fit) or IGNORED: it stopped without a result, as after
    ``Ignore``, and nothing that waits for it will go on.

    ``result_id`` is the id of the branch's result; ``task_id`` the task that ran last, and
    ``root_id`` its root: what follows has them for parent and root. ``added`` are values of tasks
    that joined the branch's chord by ``self.add_to_chord``.
    """

    state: str
    value: Value = None
    error: ErrorWire | None = None
    result_id: str | None = None
    task_id: str | None = None
    root_id: str | None = None
    added: tuple[End, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        added = {"added": [end.to_json() for end in self.added]} if self.added else {}
        return {**_given(self), **added}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> End:
        """The end that ``to_json`` wrote."""
        return cls(**{**raw, "added": tuple(map(cls.from_json, raw.get("added", ())))})


@dataclass(frozen=True, slots=True)
class TaskCall:
    """One attempt at one task: all that ``task_runtime.run_task`` needs, as plain JSON.

    ``signature`` is the Celery signature dictionary with arguments merged, callbacks and errbacks
    in its options. ``eta`` and ``expires_at`` are ISO times. ``then`` are signatures of the tasks
    that get the value next: it is bound to their parameters before the task counts as done, as
    Celery does by sending them from the task's worker.
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
        return cls(**{**raw, "then": tuple(raw.get("then", ()))})


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """What one attempt came to, as plain JSON.

    ``spawned`` are branches that the task's code, its callbacks and errbacks have started;
    ``parts`` are branches added to the running chord; ``revoked`` what it has revoked, each with
    ``ids`` and ``terminate``, which is for the driver to see to. For RETRY, ``retry`` is the next
    signature and ``delay`` the seconds to wait; for REPLACED, ``replacement`` is a planned and
    frozen node in wire form.
    """

    state: str
    value: Value = None
    error: ErrorWire | None = None
    spawned: tuple[dict[str, Any], ...] = ()
    parts: tuple[dict[str, Any], ...] = ()
    revoked: tuple[dict[str, Any], ...] = ()
    retry: dict[str, Any] | None = None
    delay: float = 0.0
    replacement: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return _given(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> TaskOutcome:
        """The outcome that ``to_json`` wrote."""
        listed = {name: tuple(raw.get(name, ())) for name in ("spawned", "parts", "revoked")}
        return cls(**{**raw, **listed})


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


class Driver(Protocol):
    """What an engine does for the walker. Methods may be called concurrently."""

    async def run_task(self, call: TaskCall) -> TaskOutcome:
        """Run one attempt in a worker (``task_runtime.run_task``). Task failures are outcomes."""

    async def fail_chord(self, failure: ChordFailure) -> TaskOutcome:
        """Fail a chord's body and fire its errbacks (``task_runtime.fail_chord``)."""

    async def store_failures(
        self, task_ids: Sequence[str], error: ErrorWire, culprit: str | None
    ) -> None:
        """Store ``error`` for tasks that will never run (``task_runtime.store_failures``)."""

    async def sleep(self, seconds: float) -> None:
        """Wait; durable where the engine can."""

    def now(self) -> float:
        """Seconds since the epoch, from a clock that replays where the engine replays."""

    async def gather(
        self, branches: Sequence[Branch], walk: Callable[[Branch], Awaitable[End]]
    ) -> list[End]:
        """Walk all branches and return all ends, in the order of the branches.

        ``walk`` does it here; an engine may instead send branches elsewhere, in slices, and walk
        them there with a walker of its own.
        """

    def spawn(self, branch: Branch) -> None:
        """Start a tree of its own; the walk does not wait for it."""

    async def at_step(self, rest: Branch) -> None:
        """Called between the steps of the outermost chain with what is left to do.

        The place to continue a long chain elsewhere: raise what ends this walk, and walk ``rest``
        there.
        """


@dataclass(slots=True)
class Walker:
    """Walks plans by a driver. It keeps no state between calls."""

    driver: Driver
    _depth: int = field(default=0, repr=False)

    async def walk(self, branch: Branch) -> End:
        """Walk ``branch`` to its end. Failures of tasks are ends; the driver's own errors raise."""
        match branch.node:
            case Task() | Map() | Starmap() | Chunks():
                return await self._task(branch, branch.node)
            case Chain():
                return await self._chain(branch, branch.node)
            case Group():
                return await self._group(branch, branch.node)
            case Chord():
                return await self._chord(branch, branch.node)
            case _:
                raise TypeError(f"not a plan: {branch.node!r}")

    async def _inner(self, branch: Branch) -> End:
        return await Walker(self.driver, self._depth + 1).walk(branch)

    # -- one task

    async def _task(self, branch: Branch, node: Leaf) -> End:
        options, context = node.options, branch.context
        signature = lower(node)
        if branch.given and not node.immutable:
            signature["args"] = [*branch.given, *signature["args"]]
        assert options.task_id is not None  # noqa: S101  # plans are frozen
        task_id = options.task_id
        index = context.group_index if options.group_index is None else options.group_index
        call = TaskCall(
            signature=signature,
            task_id=task_id,
            root_id=context.root_id or options.root_id or task_id,
            parent_id=context.parent_id or options.parent_id,
            group_id=options.group_id or context.group_id,
            group_index=index,
            retries=options.retries or 0,
            in_chord=context.in_chord is not None,
            eta=self._eta(options.countdown, options.eta),
            expires_at=self._expiry(options.expires),
            then=_shapes(branch.then),
        )
        await self._delay(options.countdown, options.eta)
        added: list[End] = []
        while True:
            outcome = await self.driver.run_task(call)
            self._start(outcome)
            if outcome.parts:
                parts = [Branch.from_json(part) for part in outcome.parts]
                added += await self.driver.gather(parts, self._inner)
            if outcome.state == RETRY and outcome.retry is not None:
                call = replace(
                    call,
                    signature=outcome.retry,
                    retries=call.retries + 1,
                    eta=self._eta(outcome.delay, None),
                    expires_at=self._expiry(outcome.retry["options"].get("expires")),
                )
                await self._delay(outcome.delay, None)
                continue
            if outcome.state == REPLACED and outcome.replacement is not None:
                # The replacement has the task's id, its callbacks and its place; what follows the
                # task follows the replacement.
                return await self._inner(
                    replace(
                        branch,
                        node=wire.node_of(outcome.replacement),
                        given=(),
                        context=replace(
                            context, root_id=call.root_id, parent_id=task_id, group_index=index
                        ),
                    )
                )
            return End(
                state=outcome.state,
                value=outcome.value,
                error=outcome.error,
                result_id=task_id,
                task_id=task_id,
                root_id=call.root_id,
                added=tuple(added),
            )

    def _start(self, outcome: TaskOutcome) -> None:
        for spawned in outcome.spawned:
            self.driver.spawn(Branch.from_json(spawned))

    async def _delay(self, countdown: float | None, eta: str | None) -> None:
        seconds = countdown or 0.0
        if not countdown and eta:
            seconds = aware(eta).timestamp() - self.driver.now()
        if seconds > 0:
            await self.driver.sleep(seconds)

    def _eta(self, countdown: float | None, eta: str | None) -> str | None:
        return self._from_now(countdown) if countdown else eta

    def _expiry(self, expires: float | str | None) -> str | None:
        # Relative to the moment of sending, before any countdown (Celery.send_task).
        if expires is None or isinstance(expires, str):
            return expires
        return self._from_now(expires)

    def _from_now(self, seconds: float) -> str:
        return datetime.fromtimestamp(self.driver.now() + seconds, tz=UTC).isoformat()

    # -- chain

    async def _chain(self, branch: Branch, chain: Chain) -> End:
        steps, context, given = chain.steps, branch.context, branch.given
        inner = replace(context, group_id=None, group_index=None, in_chord=None)
        end = End(state=SUCCESS, value=[])
        for position, step in enumerate(steps):
            last = position == len(steps) - 1
            here = replace(
                context if last else inner,
                root_id=end.root_id or context.root_id,
                parent_id=end.task_id or context.parent_id,
            )
            if position and not self._depth:
                # The last of these steps will have the chain's own place.
                place = replace(context, root_id=here.root_id, parent_id=here.parent_id)
                rest = Chain(steps=steps[position:])
                await self.driver.at_step(replace(branch, node=rest, given=given, context=place))
            then = branch.then if last else steps[position + 1]
            end = await self._inner(Branch(step, given, here, then))
            if end.state != SUCCESS:
                return await self._stop(steps[position + 1 :], end)
            given = (end.value,)
        return end

    async def _stop(self, rest: Sequence[Node], end: End) -> End:
        """The steps after a failed one never run; their ids get its error (_fail_chain)."""
        if not rest:
            return end
        if end.state in {FAILURE, REFUSED} and end.error is not None:
            ids = [task_id for step in rest for task_id in result_ids(step)]
            await self.driver.store_failures(ids, end.error, end.result_id)
        return replace(end, result_id=result_id(rest[-1]))

    # -- group

    async def _group(self, branch: Branch, group: Group) -> End:
        context = replace(branch.context, in_chord=None, group_index=None)
        ends = await self._members(group, branch, context)
        if len(ends) > 1 and ends[0].result_id and len({end.result_id for end in ends}) == 1:
            return ends[0]  # strictly as Celery: one thing, run several times under its one id
        return _joined(ends, group.options.task_id)

    async def _members(self, group: Group, branch: Branch, context: Context) -> list[End]:
        context = replace(context, group_id=group.options.task_id)
        return await self.driver.gather(Members(group, branch.given, context), self._inner)

    # -- chord

    async def _chord(self, branch: Branch, chord: Chord) -> End:
        body, context = chord.body, branch.context
        assert body is not None  # noqa: S101  # plans have bodies
        group_id = chord.header.options.task_id
        header = replace(context, in_chord=group_id)
        ends = await self._members(chord.header, branch, header)
        if chord.heard is None:
            joined = _joined([one for end in ends for one in (end, *end.added)], group_id)
        else:
            joined = ends[chord.heard]
        if joined.state in {FAILURE, REVOKED, REFUSED} and joined.error is not None:
            return await self._fail(chord, body, joined.error, joined.result_id, joined)
        if joined.state != SUCCESS:
            return replace(joined, result_id=result_id(body))
        here = replace(
            context,
            root_id=joined.root_id or context.root_id,
            parent_id=joined.task_id or context.parent_id,
            group_id=context.group_id or group_id,
        )
        end = await self._inner(Branch(body, (joined.value,), here, branch.then))
        if end.state == REFUSED and end.error is not None:
            return await self._fail(chord, body, end.error, None, end)
        return end

    async def _fail(
        self, chord: Chord, body: Node, error: ErrorWire, culprit: str | None, end: End
    ) -> End:
        # Chains and chords have no id of their own in a plan. What Celery calls theirs when a chord
        # fails is that of their result, or a new one that nobody waits for.
        named: Node = body
        if isinstance(body, Group) and handed_on(body):
            # To Celery the members are the tasks; what they are handed is one of their options.
            firsts = (member.steps[0] for member in body.members if isinstance(member, Chain))
            named = replace(body, members=tuple(firsts))
        elif not isinstance(body, Group):
            named = with_options(body, task_id=result_id(body), link_error=chord.options.link_error)
        members = () if chord.heard is not None else chord.header.members
        joined = any(isinstance(last_of(member), Group) for member in members)
        outcome = await self.driver.fail_chord(ChordFailure(lower(named), error, culprit, joined))
        self._start(outcome)
        last = last_of(body)
        if last is not body and isinstance(last, Group):
            await self.driver.store_failures(result_ids(last), error, culprit)
        return End(
            state=FAILURE,
            error=outcome.error,
            result_id=result_id(body),
            task_id=end.task_id,
            root_id=end.root_id,
        )


def _joined(ends: Sequence[End], group_id: str | None) -> End:
    """All siblings have ended: the list of their values, or the first failure in order.

    One that stopped without a result outweighs failures: nobody will ever see the group complete.
    """
    last = ends[-1] if ends else End(state=SUCCESS)
    for state in (IGNORED, FAILURE, REVOKED, REFUSED):
        for end in ends:
            if end.state == state or (state == FAILURE and end.state in {REVOKED, REFUSED}):
                return replace(end, added=())
    return End(
        state=SUCCESS,
        value=[end.value for end in ends],
        result_id=group_id,
        task_id=last.task_id,
        root_id=last.root_id,
    )


def result_ids(node: Node) -> list[str]:
    """The ids under which the caller's result of ``node`` is waited for, members' included."""
    match node:
        case Chain(steps=steps):
            return [task_id for step in steps for task_id in result_ids(step)]
        case Group(members=members):
            return [task_id for member in members for task_id in result_ids(member)]
        case Chord(body=body) if body is not None:
            return result_ids(body)
        case _:
            return [node.options.task_id] if node.options.task_id else []


def _shapes(then: Node | None) -> tuple[dict[str, Any], ...]:
    """One signature for each way in which a predecessor's value will be passed on.

    Ten thousand equal members need the check once.
    """
    shapes: dict[object, Task] = {}
    if then is not None:
        for task in entries(then):
            shape = (task.name, len(task.args), tuple(sorted(dict(task.kwargs))), task.immutable)
            shapes.setdefault(shape, task)
    # A value is encoded only if somebody takes it: those who do come first.
    return tuple(
        {
            "task": task.name,
            "args": [None] * len(task.args),
            "kwargs": dict.fromkeys(dict(task.kwargs)),
            "options": {"task_id": task.options.task_id},
            "subtask_type": None,
            "immutable": task.immutable,
        }
        for task in sorted(shapes.values(), key=lambda task: task.immutable)
    )


def aware(text: str) -> datetime:
    """The moment that an ISO text names; in UTC unless it says otherwise, wherever this runs."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _given(thing: Any) -> dict[str, Any]:
    """The fields that are not what they are unless said otherwise: most cross with few."""
    defaults = _defaults(type(thing))  # type: ignore[arg-type]  # mypy: a class may have no hash
    read = ((name, default, getattr(thing, name)) for name, default in defaults)
    return {name: here for name, default, here in read if here is not default and here != default}


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((item.name, item.default) for item in fields(kind))
