"""Celery's upgrade and flattening rules: any canvas to its plan.

``Planner.plan(node, call)`` answers what Celery would do with ``signature.apply_async(*call)``, as
nodes:

* chains hold no chains, no empty groups and no groups but at their end; a group with something
  after it has become the header of a chord, and a chord with a chain for a body inside a chain has
  been split into its first task and the rest; a chain of one step has become that step, but as a
  member of a group or the body of a chord;
* groups and headers hold no groups and no empty chains;
* options of chains, groups and chords, and the arguments of the call, have moved to the tasks they
  apply to; what is left on them are ids, and the errbacks to fire if the header of a chord fails;
* chunks are groups of starmaps (strictly, inside a canvas, one task that starts such a group).

By default each rule follows Celery's documentation. With ``strict`` the plan is what Celery 5.7
does, faults included; ``Deviation`` lists where the two part, and the planner notes those that a
canvas meets.

Sources: ``celery/canvas.py`` of 5.7.0, the functions named at each rule.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import TYPE_CHECKING
from uuid import uuid4

from offcanvas.canvas.nodes import (
    NO_OPTIONS,
    Chain,
    Chord,
    Chunks,
    Group,
    Map,
    Node,
    Options,
    Pairs,
    Starmap,
    Task,
    Value,
    with_options,
)
from offcanvas.errors import BadArguments, BadCanvas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


class Deviation(Enum):
    """Where Celery's documentation and Celery 5.7 part; the value says both, Celery last."""

    NESTED_GROUP_ORDER = (
        "a group inside a chord's header, or inside the group that ends a chain, keeps its order; "
        "Celery reverses it"
    )
    GROUP_BODY_THEN_GROUP = (
        "what follows a chord whose body is a group gets the list of the body's results; Celery "
        "runs it once for each of them and gives the caller one of its results "
        "(celery/celery#9021)"
    )
    INNER_CALLBACKS = (
        "link and link_error of a chain inside a chain are kept; Celery loses them when the inner "
        "chain comes out of JSON"
    )
    INNER_OPTIONS = (
        "options of a group inside a canvas reach its members; Celery drops them when the group is "
        "unrolled, nested or upgraded to a chord"
    )
    ARGUMENTS_OF_A_LEADING_GROUP = (
        "arguments of a call to a chain that starts with a group reach the group's members, or the "
        "first task if there is nothing in the group; Celery drops them"
    )
    CHORDS_THAT_END_A_HEADER = (
        "a group of chords that ends a member of a chord's header is one value in the list for the "
        "body; Celery calls the body with that group's list alone and waits for no other member"
    )
    CHUNKS_INSIDE = (
        "chunks inside a canvas, or out of JSON, are a group of starmaps; Celery starts the group "
        "and passes on its ids instead of its results (celery/celery#8200)"
    )


@dataclass(frozen=True, slots=True)
class Call:
    """What ``apply_async`` is given: partial arguments and options.

    ``fed`` says that a predecessor's value will come before the arguments.
    """

    args: tuple[Value, ...] = ()
    kwargs: Pairs = ()
    options: Options = NO_OPTIONS
    fed: bool = False


NO_CALL = Call()
_FED = Call(fed=True)

_IDS = frozenset({"task_id", "root_id", "parent_id", "group_id", "group_index"})
#: What ``_chain.run`` keeps from the first task (``_CHAIN_RUN_OPTIONS``).
_NOT_FIRST = _IDS | {"link", "link_error"}


@dataclass(slots=True)
class Planner:
    """The rules with their settings.

    Attributes:
        strict: do as Celery 5.7 does, not as it documents.
        errbacks_on_header: Celery's setting ``task_allow_error_cb_on_chord_header``.
        deviations: where the canvases planned so far met a difference between the two.
        new_id: makes the ids of what Celery freezes once and runs several times.
    """

    strict: bool = False
    errbacks_on_header: bool = False
    deviations: set[Deviation] = field(default_factory=set)
    new_id: Callable[[], str] = field(default=lambda: str(uuid4()), repr=False)

    def plan(self, node: Node, call: Call = NO_CALL) -> Node:
        """The plan of ``node`` called with ``call``.

        Raises:
            BadArguments: a group called with ``link`` or ``link_error``.
            BadCanvas: a chord without a body.
        """
        match node:
            case Group():
                if call.options.link or call.options.link_error:
                    raise BadArguments("Cannot add link to group: use a chord")
                return self._group(node, call, frozen=False)
            case Chunks():
                return self._group(_parts(node), call, frozen=False)
            case _:
                return self._plan(node, call)

    def _plan(self, node: Node, call: Call) -> Node:
        match node:
            case Task():
                return _bind(node, call)
            case Map() | Starmap():
                return replace(node, options=merge(node.options, call.options))
            case Chain():
                return self._chain(node, call)
            case Group():
                return self._group(node, call, frozen=True)
            case Chord():
                return self._chord(node, call)
            case Chunks():
                return self._chunks(node, call)
            case _:
                raise TypeError(f"not a node: {node!r}")

    def _deviates(self, deviation: Deviation) -> bool:
        self.deviations.add(deviation)
        return self.strict

    # -- chains: _chain.run, prepare_steps, unchain_tasks, _unroll_chords

    def _chain(self, chain: Chain, call: Call) -> Node:
        options = merge(chain.options, call.options)
        steps, forgetful = self._steps(chain.steps)
        if not steps:
            return Chain(steps=())
        if options.task_id and result_id(steps[-1]) is None:
            steps[-1] = _with_result_id(steps[-1], options.task_id)
        steps = self._with_callbacks(Chain(steps=tuple(steps), options=options))
        first = Call(
            () if chain.immutable else call.args,
            call.kwargs,
            _without(options, _NOT_FIRST),
            call.fed,
        )
        if (
            forgetful
            and (first.args or first.kwargs or first.fed)
            and self._deviates(Deviation.ARGUMENTS_OF_A_LEADING_GROUP)
        ):
            if first.fed:
                steps[0] = _taking_nothing(steps[0])
            first = Call(options=first.options)
        planned: list[Node] = []
        pending = steps
        while pending:
            step = pending.pop()
            if isinstance(step, Chord) and isinstance(step.body, Chain) and _led_by_task(step.body):
                pending += self._split(step, step.body)
                continue
            step_call = _FED if pending else first
            if isinstance(step, Chunks):
                # Parts of chunks are a group of any size, never unrolled.
                step = self._chunks(step, step_call)
            if planned and isinstance(step, Group):
                chord = Chord(header=step, body=planned.pop())
                planned.append(self._plan(self._upgraded(chord), step_call))
            elif planned and isinstance(step, Chord) and step.body and _ends_in_group(step.body):
                passed_on = self._pass_on(step, step.body, planned.pop())
                planned.append(self._plan(passed_on, step_call))
            else:
                planned.append(self._plan(step, step_call))
        planned.reverse()
        return planned[0] if len(planned) == 1 else Chain(steps=tuple(planned))

    def _part(self, node: Node, call: Call) -> Node:
        """The plan of a member of a group, or of the body of a chord.

        A chain stays one there, also of one step, with its own errbacks: if the chord's header
        fails, Celery fires those and not its steps' (_result_errbacks).
        """
        planned = self._plan(node, call)
        if not isinstance(node, Chain) or _is_empty_chain(planned):
            return planned
        steps = planned.steps if isinstance(planned, Chain) else (planned,)
        own = merge(node.options, call.options).link_error
        return Chain(steps=steps, options=Options(link_error=own))

    def _steps(self, given: Sequence[Node]) -> tuple[list[Node], bool]:
        """The steps of a chain; and whether Celery forgets the arguments of its call.

        prepare_steps clones a leading group with them, which its clone forgets, or hands them to
        what turns out to be empty.
        """
        steps = list(self._spliced(self._headed(given)))
        # A chain of empty groups only is an empty group (#9772).
        full = [step for step in steps if not _is_empty(step)]
        full = full or list(filter(_is_empty_group, steps[:1]))
        return full, bool(steps) and (isinstance(steps[0], Group) or _is_empty_chain(steps[0]))

    def _headed(self, given: Sequence[Node]) -> deque[Node]:
        """The head of a chain is looked at on its own (#9772), and so is unrolled once more."""
        steps, empty = deque(given), None
        while steps:
            head = steps.popleft()
            if isinstance(head, Chain):
                steps.extendleft(reversed(self._unchained(head)))
                continue
            head = self._unrolled(head)
            if not (_is_empty_group(head) and steps):
                steps.appendleft(head)
                return steps
            empty = head
        return deque([] if empty is None else [empty])

    def _spliced(self, given: Iterable[Node]) -> Iterator[Node]:
        """Without chains inside, but for empty ones."""
        for step in given:
            member = self._unrolled(step)
            if isinstance(member, Chain) and member.steps:
                yield from self._spliced(self._unchained(member))
            else:
                yield member

    def _unrolled(self, step: Node) -> Node:
        """The member of a group of one (maybe_unroll_group, one level, #1656)."""
        if not (isinstance(step, Group) and len(step.members) == 1):
            return step
        (member,) = step.members
        if step.options != NO_OPTIONS and not self._deviates(Deviation.INNER_OPTIONS):
            member = self._plan(member, Call(options=_without(step.options, _IDS)))
        return member

    def _unchained(self, chain: Chain) -> list[Node]:
        """A chain inside a chain (prepare_steps splices its tasks and forgets the rest)."""
        given = chain.options.link or chain.options.link_error
        if given and self._deviates(Deviation.INNER_CALLBACKS):
            return list(chain.steps)
        return self._with_callbacks(chain)

    def _with_callbacks(self, chain: Chain) -> list[Node]:
        """The steps; the last has the chain's callbacks, each its errbacks (unchain_tasks)."""
        steps = list(chain.steps)
        for callback in chain.options.link if steps else ():
            steps[-1] = self.link(steps[-1], callback)
        for errback in chain.options.link_error:
            steps = [self.link_error(step, errback) for step in steps]
        return steps

    def _split(self, chord: Chord, body: Chain) -> list[Node]:
        """``chord(header, a | b | c)`` in a chain is ``chord(header, a), b, c`` (_unroll_body)."""
        first, *rest = self._with_callbacks(body)
        first = replace(first, options=merge(first.options, _without(body.options, _NOT_FIRST)))
        following = [step for step in self._spliced(rest) if not _is_empty(step)]
        return [replace(chord, body=first), *following]

    def _upgraded(self, chord: Chord) -> Chord:
        """A group upgraded to a header loses its options in Celery (_maybe_group)."""
        options = _without(chord.header.options, _IDS)
        if options == NO_OPTIONS or self._deviates(Deviation.INNER_OPTIONS):
            header = replace(chord.header, options=_only(chord.header.options, "task_id"))
            return replace(chord, header=header)
        return chord

    def _pass_on(self, chord: Chord, body: Node, after: Node) -> Node:
        """``after`` follows a chord whose ``body`` ends in a group."""
        if self._deviates(Deviation.GROUP_BODY_THEN_GROUP):
            return replace(chord, body=self._chained_to_each(body, self._with_ids(after)))
        if isinstance(body, Chord) and body.body is not None:
            return replace(chord, body=self._pass_on(body, body.body, after))
        # A group for a body, with something after it, is the header of a chord.
        if isinstance(body, Group):
            return replace(chord, body=self._upgraded(Chord(header=body, body=after)))
        return replace(chord, body=Chain(steps=(body, after)))

    def _chained_to_each(self, body: Node, after: Node) -> Node:
        """The rest of the chain is an option of the body, which hands it to each of its members.

        A chord in the rest has one counter then, and its body is called once, when the header is
        done for the first time.
        """
        match body:
            case Group(members=members):
                again = after.header if isinstance(after, Chord) else after
                flat = self._flat(members, frozen=True)
                chains = [
                    Chain(steps=(one, again if place else after)) for place, one in enumerate(flat)
                ]
                # What is handed on once is the caller's result itself, not a group's only member.
                return chains[0] if len(chains) == 1 else replace(body, members=tuple(chains))
            case Chord(body=inner) if inner is not None:
                return replace(body, body=self._chained_to_each(inner, after))
            case _:
                return body

    def _with_ids(self, node: Node) -> Node:
        """Frozen before it is handed on, so that it has the same ids wherever it runs."""
        match node:
            case Chain(steps=steps):
                return replace(node, steps=tuple(map(self._with_ids, steps)))
            case Group(members=members):
                node = replace(node, members=tuple(map(self._with_ids, members)))
            case Chord(header=header, body=body) if body is not None:
                frozen: Group = self._with_ids(header)  # type: ignore[assignment]  # a Group stays one
                return replace(node, header=frozen, body=self._with_ids(body))
            case _:
                pass
        return with_options(node, task_id=node.options.task_id or self.new_id())

    # -- groups: apply_async, _prepared, _freeze_unroll

    def _group(self, group: Group, call: Call, *, frozen: bool) -> Group:
        options = merge(group.options, call.options)
        passed = replace(call, options=_without(options, _IDS))
        members = [
            self._part(member, passed) for member in self._flat(group.members, frozen=frozen)
        ]
        kept = tuple(member for member in members if not _is_empty_chain(member))
        return Group(members=kept, options=Options(task_id=options.task_id))

    def _flat(self, members: Sequence[Node], *, frozen: bool) -> Iterator[Node]:
        """Members with nested groups spread out.

        ``_freeze_unroll`` pushes a nested group's members onto the left of a deque one by one,
        which reverses them.
        """
        stack = list(reversed(members))
        while stack:
            member = stack.pop()
            if isinstance(member, Chunks):
                made = self._chunks(member, NO_CALL)
                if not isinstance(made, Group):
                    yield made
                    continue
                member = made
            if not isinstance(member, Group):
                yield member
                continue
            inner = list(member.members)
            options = _without(member.options, _IDS)
            if options != NO_OPTIONS and not self._deviates(Deviation.INNER_OPTIONS):
                inner = [self._plan(item, Call(options=options)) for item in inner]
            in_order = (
                not frozen or len(inner) < 2 or not self._deviates(Deviation.NESTED_GROUP_ORDER)
            )
            stack += reversed(inner) if in_order else inner

    def _chunks(self, chunks: Chunks, call: Call) -> Node:
        if self._deviates(Deviation.CHUNKS_INSIDE):
            # One task that starts the group, and so a leaf.
            return replace(chunks, options=merge(chunks.options, call.options))
        return self._group(_parts(chunks), call, frozen=True)

    # -- chords: apply_async, run, _add_body_callbacks

    def _chord(self, chord: Chord, call: Call) -> Chord:
        if chord.body is None:
            raise BadCanvas(
                "a chord without a body cannot run: give chord(header, body) its body, "
                "or use a group"
            )
        if _is_empty_chain(chord.body):
            raise BadCanvas("a chord's body is an empty chain; Celery fails on it as well")
        options = merge(chord.options, call.options)
        args = chord.args if chord.immutable else (*call.args, *chord.args)
        kwargs = _merge_pairs(chord.kwargs, call.kwargs)
        # countdown and eta delay the header, not the body (#7851); callbacks are the body's.
        passed = _without(options, _IDS | {"link", "link_error"})
        header = self._group(chord.header, Call(args, kwargs, passed, call.fed), frozen=True)
        body = chord.body
        if options.task_id and result_id(body) is None and header.options.task_id is None:
            body = _with_result_id(body, options.task_id)
        for callback in options.link:
            body = self._link_to_body(body, callback)
        for errback in options.link_error:
            body = _add_errback(body, errback)
        later = replace(passed, countdown=None, eta=None)
        # Fired when the header fails: the body's own errbacks, for a chain not those of its tasks.
        at_failure = Options(link_error=body.options.link_error)
        planned = self._part(body, Call(options=later, fed=True))
        return Chord(header=header, body=planned, options=at_failure, heard=self._heard(header))

    def _heard(self, header: Group) -> int | None:
        """The member whose group of chords calls the body itself (Chord.heard).

        Run from a group, a chord hands its own group on to its body, which then returns its part
        to that group's counter instead of the header's.
        """
        for place, member in enumerate(header.members):
            last = last_of(member)
            if (
                isinstance(last, Group)
                and last.members
                and all(_counts_apart(one) for one in last.members)
                and self._deviates(Deviation.CHORDS_THAT_END_A_HEADER)
            ):
                return place
        return None

    # -- link() and link_error() of each kind of signature

    def link(self, node: Node, callback: Node) -> Node:
        """``node.link(callback)``; on the group that ends a chain, an option for each member."""
        match node:
            case Chord(body=body) if body is not None:
                return replace(node, body=self._link_to_body(body, callback))
            case _:
                return with_options(node, link=_once(node.options.link, callback))

    def _link_to_body(self, body: Node, callback: Node) -> Node:
        if isinstance(body, Group) and body.members:
            # group.link: an immutable copy on the first member only
            first, *rest = body.members
            first = self.link(first, replace(callback, immutable=True))
            return replace(body, members=(first, *rest))
        return self.link(body, callback)

    def link_error(self, node: Node, errback: Node) -> Node:
        """``node.link_error(errback)``: members of a group, the body of a chord."""
        match node:
            case Group(members=members):
                linked = tuple(self.link_error(member, errback) for member in members)
                return replace(node, members=linked)
            case Chord(header=header, body=body):
                linked = tuple(self._header_error(member, errback) for member in header.members)
                return replace(
                    node,
                    header=replace(header, members=linked),
                    body=None if body is None else self.link_error(body, errback),
                )
            case _:
                return with_options(node, link_error=_once(node.options.link_error, errback))

    def _header_error(self, member: Node, errback: Node) -> Node:
        if self.errbacks_on_header:
            member = self.link_error(member, replace(errback, immutable=True))
        return self.link_error(member, errback) if isinstance(member, Chord) else member


def merge(own: Options, given: Options) -> Options:
    """Options of a call over a signature's own (``Signature._merge``).

    What the call gives wins, but for the group's id and stamps, which stay once they are set.
    """
    if given == NO_OPTIONS:
        return own
    if own == NO_OPTIONS:
        return given
    merged = {
        item.name: mine if theirs == item.default else theirs
        for item in fields(Options)
        for mine, theirs in [(getattr(own, item.name), getattr(given, item.name))]
    }
    merged["group_id"] = own.group_id or given.group_id
    merged["stamps"] = tuple({**dict(own.stamps), **dict(given.stamps), **dict(own.stamps)}.items())
    merged["extra"] = tuple(sorted({**dict(own.extra), **dict(given.extra)}.items()))
    return Options(**merged)


def prepend(node: Node, given: Value) -> Node:
    """``node`` called with a predecessor's result: its first argument, unless it is immutable."""
    match node:
        case Task(immutable=False):
            return replace(node, args=(given, *node.args))
        case Chain(steps=(first, *rest), immutable=False):
            return replace(node, steps=(prepend(first, given), *rest))
        case Group(members=members):
            return replace(node, members=tuple(prepend(member, given) for member in members))
        case Chord(header=header):
            return replace(node, header=prepend(header, given))  # type: ignore[arg-type]  # a Group stays one
        case _:
            return node


def handed_on(group: Group) -> bool:
    """Whether all members go on to the same thing (Deviation.GROUP_BODY_THEN_GROUP, strictly)."""
    lasts = [member.steps[-1] for member in group.members if isinstance(member, Chain)]
    if not 1 < len(lasts) == len(group.members) or result_id(lasts[0]) is None:
        return False
    first = lasts[0]
    same = (first, first.header) if isinstance(first, Chord) else (first,)
    return all(last in same for last in lasts[1:])


def result_id(node: Node) -> str | None:
    """The id that the caller's result has: the last step's, the body's, a group's own."""
    match node:
        case Chain(steps=steps) if steps:
            return result_id(steps[-1])
        case Chord(body=body) if body is not None:
            return result_id(body)
        case _:
            return node.options.task_id


def _with_result_id(node: Node, task_id: str) -> Node:
    match node:
        case Chain(steps=steps) if steps:
            return replace(node, steps=(*steps[:-1], _with_result_id(steps[-1], task_id)))
        case Chord(body=body) if body is not None:
            return replace(node, body=_with_result_id(body, task_id))
        case _:
            return with_options(node, task_id=task_id)


def entries(node: Node) -> Iterator[Task]:
    """The tasks of a plan that get the first arguments: those Celery sends when it is called."""
    match node:
        case Task():
            yield node
        case Chain(steps=steps) if steps:
            yield from entries(steps[0])
        case Group(members=members):
            for member in members:
                yield from entries(member)
        case Chord(header=header, body=body):
            yield from entries(header)
            if not header.members and body is not None:
                # Called with the empty list of results, whatever the chord is called with.
                for task in entries(prepend(body, [])):
                    yield replace(task, immutable=True)
        case _:
            pass


def last_of(node: Node) -> Node:
    """The part of ``node`` whose result is the result."""
    match node:
        case Chain(steps=(*_, last)):
            return last_of(last)
        case Chord(body=body) if body is not None:
            return last_of(body)
        case _:
            return node


def _counts_apart(node: Node) -> bool:
    """A chord whose value is that of a task, and of no chain."""
    while isinstance(node, Chord) and node.body is not None:
        node = node.body
        if not isinstance(node, (Chord, Chain, Group)):
            return True
    return False


def _bind(task: Task, call: Call) -> Task:
    options = merge(task.options, call.options)
    if task.immutable or not (call.args or call.kwargs):
        return task if options is task.options else replace(task, options=options)
    return replace(
        task,
        args=(*call.args, *task.args),
        kwargs=_merge_pairs(task.kwargs, call.kwargs),
        options=options,
    )


def _taking_nothing(node: Node) -> Node:
    """The plan ``node`` with tasks at its beginning that drop what it is called with."""
    match node:
        case Task():
            return replace(node, immutable=True)
        case Chain(steps=(first, *rest)):
            return replace(node, steps=(_taking_nothing(first), *rest))
        case Group(members=members):
            return replace(node, members=tuple(map(_taking_nothing, members)))
        case Chord(header=header):
            return replace(node, header=_taking_nothing(header))  # type: ignore[arg-type]  # a Group stays one
        case _:
            return node


def _merge_pairs(own: Pairs, given: Pairs) -> Pairs:
    return tuple({**dict(own), **dict(given)}.items()) if given else own


def _without(options: Options, names: frozenset[str]) -> Options:
    if options == NO_OPTIONS:
        return options
    return replace(options, **{name: getattr(NO_OPTIONS, name) for name in names})


def _only(options: Options, name: str) -> Options:
    return replace(NO_OPTIONS, **{name: getattr(options, name)})


def _once(callbacks: tuple[Node, ...], callback: Node) -> tuple[Node, ...]:
    return callbacks if callback in callbacks else (*callbacks, callback)


def _is_empty_group(node: Node) -> bool:
    return isinstance(node, Group) and not node.members


def _is_empty(node: Node) -> bool:
    return _is_empty_group(node) or _is_empty_chain(node)


def _is_empty_chain(node: Node) -> bool:
    return isinstance(node, Chain) and not node.steps


def _led_by_task(body: Chain) -> bool:
    return bool(body.steps) and not isinstance(body.steps[0], Group)


def _ends_in_group(node: Node | None) -> bool:
    match node:
        case Group():
            return True
        case Chord(body=body):
            return _ends_in_group(body)
        case _:
            return False


def _add_errback(body: Node, errback: Node) -> Node:
    """``_chord._add_body_callbacks``: a chord for a body has it for itself, as its option."""
    if isinstance(body, Group):
        return _link_error_to_body(body, errback)
    return with_options(body, link_error=_once(body.options.link_error, errback))


def _link_error_to_body(body: Node, errback: Node, *, runs_as_group: bool = True) -> Node:
    """``_link_error_to_body_tasks``: tasks of a group body, bodies of chords, not headers."""
    match body:
        case Group(members=members, options=options):
            if runs_as_group and options.link_error:
                return with_options(body, link_error=(*options.link_error, errback))
            return replace(
                body,
                members=tuple(
                    _link_error_to_body(item, errback, runs_as_group=False) for item in members
                ),
            )
        case Chord(body=inner) if inner is not None:
            return replace(body, body=_link_error_to_body(inner, errback))
        case _:
            return with_options(body, link_error=_once(body.options.link_error, errback))


def _parts(chunks: Chunks) -> Group:
    items, size = chunks.items, chunks.size
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    return Group(
        members=tuple(Starmap(task=chunks.task, items=part) for part in parts),
        options=chunks.options,
    )
