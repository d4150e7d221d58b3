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
        async def run_task(self, call): ...           # -> TaskOutcome, by task_runtime.run_task
        async def fail_chord(self, failure): ...      # -> TaskOutcome, by task_runtime.fail_chord
        async def store_failures(self, ids, error, culprit): ...  # by task_runtime.store_failures
        async def carry(self, values): return values  # or a reference, if messages have a limit
        async def sleep(self, seconds): ...
        def now(self): ...                            # seconds since the epoch
        async def gather(self, branches, walk): ...   # walk each, results in the order given
        def spawn(self, branch): ...                  # start a tree of its own, do not wait
        async def at_step(self, rest): ...            # between steps; may continue elsewhere

    end = await Walker(MyDriver()).walk(Branch(node=plan))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from offcanvas.canvas import wire
from offcanvas.canvas.calls import (
    FAILURE,
    IGNORED,
    REFUSED,
    REPLACED,
    RETRY,
    REVOKED,
    SUCCESS,
    Branch,
    ChordFailure,
    Context,
    End,
    ErrorWire,
    TaskCall,
    TaskOutcome,
    aware,
)
from offcanvas.canvas.lift import lift
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
    with_options,
)
from offcanvas.canvas.planner import handed_on, last_of, result_id
from offcanvas.engines.ahead import Step, changed, parted, sent, shapes, steps_of, told
from offcanvas.engines.driver import Driver, Members


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
        for beside in options.sent_beside:
            self.driver.spawn(Branch(beside))
        call = first_call(branch, node, self.driver.now)
        task_id, index = call.task_id, call.group_index
        following = branch.following
        steps = steps_of(following)
        call = sent(call, steps)
        await self._delay(options.countdown, options.eta)
        added: list[End] = []
        while True:
            outcome = await self.driver.run_task(call)
            self._start(outcome)
            if outcome.rest is not None:
                steps = changed(steps, outcome.rest)
            for again in outcome.retries:
                self._send_again(branch, call, steps, again)
            if outcome.parts:
                parts = [Branch.from_json(part) for part in outcome.parts]
                added += await self.driver.gather(parts, self._inner)
            if outcome.state == RETRY and outcome.retry is not None:
                call = replace(
                    sent(call, steps),
                    signature=outcome.retry,
                    retries=call.retries + (not outcome.why),
                    deliveries=call.deliveries + bool(outcome.why),
                    redelivered=outcome.why == "requeued",
                    eta=_eta(outcome.delay, None, self.driver.now),
                    expires_at=_expiry(outcome.retry["options"].get("expires"), self.driver.now),
                    given=outcome.given,
                )
                await self._delay(outcome.delay, None)
                continue
            if outcome.state == REPLACED and outcome.replacement is not None:
                # The replacement has the task's id, its callbacks and its place; what follows the
                # task follows the replacement.
                nodes = [step.node for step in steps]
                end = await self._inner(
                    replace(
                        branch,
                        node=wire.node_of(outcome.replacement),
                        given=(),
                        context=replace(
                            context, root_id=call.root_id, parent_id=task_id, group_index=index
                        ),
                        then=nodes[0] if nodes else None,
                        rest=tuple(nodes[1:]),
                        headers=_headers(call) or branch.headers,
                    )
                )
                if end.rest is not None:
                    steps = changed(steps, end.rest)
                return replace(end, rest=told(steps, following))
            end = End(
                state=outcome.state,
                value=outcome.value,
                error=outcome.error,
                result_id=task_id,
                task_id=task_id,
                root_id=call.root_id,
                added=tuple(added),
                rest=told(steps, following),
                headers=_headers(call),
                unstored=outcome.unstored,
            )
            if end.rest is not None and not following:
                # It has no place in a chain, and has made one: nobody waits for that.
                self._go_on(end, steps)
                return replace(end, rest=None)
            return end

    def _go_on(self, end: End, steps: Sequence[Step]) -> None:
        """Start what follows ``end`` as a tree of its own."""
        if end.state == SUCCESS and steps:
            node = Chain(steps=tuple(step.node for step in steps))
            place = Context(root_id=end.root_id, parent_id=end.task_id)
            self.driver.spawn(Branch(node, (end.value,), place, headers=end.headers))

    def _send_again(
        self, branch: Branch, call: TaskCall, steps: Sequence[Step], again: dict[str, Any]
    ) -> None:
        """``self.retry(throw=False)``: the same task once more, with all that follows it."""
        task = lift(again["retry"])
        retries = call.retries + 1
        node = with_options(
            task, task_id=call.task_id, retries=retries, countdown=again["delay"] or None, eta=None
        )
        place = replace(
            branch.context, root_id=call.root_id, parent_id=call.parent_id, in_chord=None
        )
        chain = Chain(steps=(node, *(step.node for step in steps)))
        self.driver.spawn(Branch(chain, context=place))

    def _start(self, outcome: TaskOutcome) -> None:
        for spawned in outcome.spawned:
            self.driver.spawn(Branch.from_json(spawned))

    async def _delay(self, countdown: float | None, eta: str | None) -> None:
        seconds = countdown or 0.0
        if not countdown and eta:
            seconds = aware(eta).timestamp() - self.driver.now()
        if seconds > 0:
            await self.driver.sleep(seconds)

    # -- chain

    async def _chain(self, branch: Branch, chain: Chain) -> End:
        context, given, outer = branch.context, branch.given, branch.following
        inner = replace(context, group_id=None, group_index=None, in_chord=None)
        end = End(state=SUCCESS, value=[], headers=branch.headers)
        last = len(chain.steps) - 1
        ours, theirs = steps_of(chain.steps), steps_of(outer)
        begun = False
        while ours:
            step, *ours = ours
            here = replace(
                context if step.number == last else inner,
                root_id=end.root_id or context.root_id,
                parent_id=end.task_id or context.parent_id,
            )
            in_order = [step, *ours][-1].number == last and (outer or not theirs)
            if begun and not self._depth and in_order:
                # The last of these steps will have the chain's own place.
                place = replace(context, root_id=here.root_id, parent_id=here.parent_id)
                rest = Chain(steps=(step.node, *(one.node for one in ours)))
                await self.driver.at_step(
                    replace(branch, node=rest, given=given, context=place, headers=end.headers)
                )
            begun = True
            following = [*ours, *theirs]
            nodes = [one.node for one in following]
            then, after = (nodes[0], tuple(nodes[1:])) if nodes else (None, ())
            end = await self._inner(Branch(step.node, given, here, then, after, end.headers))
            if end.rest is not None:
                made = changed(steps_of(nodes), end.rest)
                ours, theirs = parted(made, ours, theirs, last, done=step.number == last)
                end = replace(end, rest=None)
            if end.state != SUCCESS:
                stopped = await self._stop([one.node for one in ours], end, context)
                return replace(stopped, rest=told(theirs, outer))
            given = (end.value,)
            if step.number == last:
                if not outer:
                    self._go_on(end, [*ours, *theirs])
                    theirs = []
                break
        else:
            if chain.steps and not outer:
                # The step whose result is waited for was left out.
                end = replace(end, state=IGNORED, value=None, result_id=result_id(chain))
        return replace(end, rest=told(theirs, outer) if outer else None)

    async def _stop(self, rest: Sequence[Node], end: End, context: Context) -> End:
        """The steps after a failed one never run; their ids get its error (_fail_chain).

        Not those after one that ignores its result, if a chord's body will tell of it; without one,
        Celery's caller would wait for ever.
        """
        if not rest:
            return end
        unstored = end.unstored and context.in_chord is not None
        if end.state in {FAILURE, REFUSED} and end.error is not None and not unstored:
            ids = [task_id for step in rest for task_id in result_ids(step)]
            await self.driver.store_failures(ids, end.error, end.result_id)
        return replace(end, result_id=result_id(rest[-1]), unstored=unstored)

    # -- group

    async def _group(self, branch: Branch, group: Group) -> End:
        context = replace(branch.context, in_chord=None, group_index=None)
        ends = await self._members(group, branch, context)
        if len(ends) > 1 and ends[0].result_id and len({end.result_id for end in ends}) == 1:
            return ends[0]  # strictly as Celery: one thing, run several times under its one id
        return await self._carried(_joined(ends, group.options.task_id))

    async def _carried(self, end: End) -> End:
        """A list of values that is too long for the engine's messages travels by reference."""
        if end.state != SUCCESS or not isinstance(end.value, list):
            return end
        return replace(end, value=await self.driver.carry(end.value))

    async def _members(self, group: Group, branch: Branch, context: Context) -> list[End]:
        context = replace(context, group_id=group.options.task_id)
        members = Members(group, branch.given, context, branch.headers)
        return await self.driver.gather(members, self._inner)

    # -- chord

    async def _chord(self, branch: Branch, chord: Chord) -> End:
        body, context = chord.body, branch.context
        assert body is not None  # noqa: S101  # plans have bodies
        group_id = chord.header.options.task_id
        header = replace(context, in_chord=group_id)
        ends = await self._members(chord.header, branch, header)
        if chord.heard is None:
            ends = _as_read(chord.header.members, ends)
            members = [one for end in ends for one in (end, *end.added)]
            joined = await self._carried(_joined(members, group_id))
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
        end = await self._inner(
            replace(branch, node=body, given=(joined.value,), context=here, headers=joined.headers)
        )
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
        joined = any(map(_ends_in_group, members))
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


def first_call(branch: Branch, node: Leaf, now: Callable[[], float]) -> TaskCall:
    """The first attempt at the task that ``branch`` is; ``now`` gives seconds since the epoch.

    What follows in a chain is not in it (``ahead.sent``).
    """
    options, context = node.options, branch.context
    signature = lower(node)
    given = () if node.immutable else branch.given
    if given:
        signature["args"] = [*given, *signature["args"]]
    assert options.task_id is not None  # noqa: S101  # plans are frozen
    task_id = options.task_id
    return TaskCall(
        signature=signature,
        task_id=task_id,
        root_id=context.root_id or options.root_id or task_id,
        parent_id=context.parent_id or options.parent_id,
        group_id=options.group_id or context.group_id,
        group_index=context.group_index if options.group_index is None else options.group_index,
        retries=options.retries or 0,
        in_chord=context.in_chord is not None,
        eta=_eta(options.countdown, options.eta, now),
        expires_at=_expiry(options.expires, now),
        then=shapes(branch.then),
        headers=branch.headers,
        given=len(given),
    )


def _eta(countdown: float | None, eta: str | None, now: Callable[[], float]) -> str | None:
    return _from(now(), countdown) if countdown else eta


def _expiry(expires: float | str | None, now: Callable[[], float]) -> str | None:
    # Relative to the moment of sending, before any countdown (Celery.send_task).
    if expires is None or isinstance(expires, str):
        return expires
    return _from(now(), expires)


def _from(moment: float, seconds: float) -> str:
    return datetime.fromtimestamp(moment + seconds, tz=UTC).isoformat()


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
        headers=last.headers,
    )


def _ends_in_group(member: Node) -> bool:
    return isinstance(last_of(member), Group)


def _as_read(members: Sequence[Node], ends: list[End]) -> list[End]:
    """What a body gets of a header: of one with a group's results, Celery reads what is stored.

    A task that ignores its result is None there, failed or not; in the group Celery's worker would
    wait for it for ever, and here it counts (``RedisBackend.on_chord_part_return``).
    """
    if not any(end.unstored for end in ends) or not any(map(_ends_in_group, members)):
        return ends
    return [
        replace(end, state=SUCCESS, value=None, error=None)
        if end.unstored and not _ends_in_group(member) and end.state != IGNORED
        else end
        for member, end in zip(members, ends, strict=True)
    ]


def _headers(call: TaskCall) -> dict[str, Any] | None:
    headers: dict[str, Any] | None = call.signature["options"].get("headers")
    return headers or None


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
