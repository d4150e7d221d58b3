"""The canvas as frozen, typed nodes, in Celery's own words.

A node never changes; passes over nodes return new ones. Values (arguments, items of a map) are
carried as they are: the kit does not look inside them. Keyword arguments and options that Celery
does not name are tuples of pairs, so that equal canvases are equal nodes.

Nothing here imports Celery or an engine, so that the nodes can be used inside Temporal's workflow
sandbox.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: A value that Celery's serializer carries; never looked into.
Value: TypeAlias = object

#: Names with values, in the order given (arguments) or sorted (options).
Pairs: TypeAlias = tuple[tuple[str, Value], ...]


class _Brief:
    """A repr that leaves out what is not given; most options never are."""

    __slots__ = ()

    def __repr__(self) -> str:
        given = (
            f"{item.name}={value!r}"
            for item in fields(self)  # type: ignore[arg-type]  # every subclass is a dataclass
            if (value := getattr(self, item.name)) != item.default or item.default is MISSING
        )
        return f"{type(self).__name__}({', '.join(given)})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Options(_Brief):
    """Execution options of a signature: what ``Signature.options`` holds.

    Times are seconds, or an ISO 8601 text where Celery takes a datetime. ``None`` means not given.
    Fields up to ``group_index`` are those that ``freeze()`` assigns.
    Source: ``Task.apply_async`` and ``Celery.send_task`` of Celery 5.7.
    """

    task_id: str | None = None
    root_id: str | None = None
    parent_id: str | None = None
    group_id: str | None = None
    group_index: int | None = None

    queue: str | None = None
    priority: int | None = None
    countdown: float | None = None
    eta: str | None = None
    expires: float | str | None = None
    time_limit: float | None = None
    soft_time_limit: float | None = None
    ignore_result: bool | None = None
    serializer: str | None = None
    shadow: str | None = None
    retries: int | None = None
    replaced_task_nesting: int | None = None
    #: Of a task whose class has an ``apply_async`` of its own: it was asked; False if it has then
    #: not sent the task. None where it is still to be asked, or there is none.
    sent_by_class: bool | None = None
    #: What that class has sent besides, where nobody else takes it: begun with the task.
    sent_beside: tuple[Node, ...] = ()

    #: What ``sig.stamp(...)`` put in: header name and value, in the order given.
    stamps: Pairs = ()
    link: tuple[Node, ...] = ()
    link_error: tuple[Node, ...] = ()
    #: Options Celery passes through without naming them, sorted by name.
    extra: Pairs = ()


NO_OPTIONS = Options()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Node(_Brief):
    """What all kinds of signature share."""

    options: Options = NO_OPTIONS
    #: An immutable signature drops the arguments of its caller and of its predecessor.
    immutable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Task(Node):
    """One call of one task."""

    name: str
    args: tuple[Value, ...] = ()
    kwargs: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Chain(Node):
    """Steps one after the other; each gets the result of the one before as its first argument."""

    steps: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Group(Node):
    """Members side by side; the result is the list of theirs, in the members' order.

    They are a tuple, except in a plan that an engine has read (``wire.Pages``).
    """

    members: Sequence[Node]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Chord(Node):
    """A group whose list of results is the first argument of the body.

    ``args`` and ``kwargs`` are partial arguments waiting for the header's tasks. In a plan,
    ``heard`` is the place of the one header member whose value alone is the body's argument
    (Deviation.CHORDS_THAT_END_A_HEADER, strictly).
    """

    header: Group
    body: Node | None
    args: tuple[Value, ...] = ()
    kwargs: Pairs = ()
    heard: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Map(Node):
    """``[task(item) for item in items]`` as one task, in one process."""

    task: Task
    items: tuple[Value, ...]
    immutable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Starmap(Node):
    """``[task(*item) for item in items]`` as one task, in one process."""

    task: Task
    items: tuple[Value, ...]
    immutable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Chunks(Node):
    """A group of starmaps over parts of ``size`` items."""

    task: Task
    items: tuple[Value, ...]
    size: int
    immutable: bool = True


#: Nodes that run as one task in a plan.
Leaf: TypeAlias = Task | Map | Starmap | Chunks

KINDS: dict[str, type[Node]] = {
    "task": Task,
    "chain": Chain,
    "group": Group,
    "chord": Chord,
    "map": Map,
    "starmap": Starmap,
    "chunks": Chunks,
}

_WORDS = {cls: word for word, cls in KINDS.items()}


def kind(node: Node) -> str:
    """Celery's own word for the node: ``task``, ``chain``, ``group`` ..."""
    return _WORDS[type(node)]


def children(node: Node) -> Sequence[Node]:
    """The nodes directly inside, in the order in which they are written; no callbacks."""
    match node:
        case Chain(steps=steps):
            return steps
        case Group(members=members):
            return members
        case Chord(header=header, body=body):
            return (header,) if body is None else (header, body)
        case Map(task=task) | Starmap(task=task) | Chunks(task=task):
            return (task,)
        case _:
            return ()


@dataclass(frozen=True, slots=True)
class Place:
    """A node and where it stands, written as a path like ``chord.header[2].link[0]``."""

    path: str
    node: Node = field(repr=False)


def walk(node: Node, path: str | None = None) -> Iterator[Place]:
    """Every node inside, itself first, callbacks included, with its path."""
    here = kind(node) if path is None else path
    yield Place(here, node)
    match node:
        case Chain(steps=steps):
            for index, step in enumerate(steps):
                yield from walk(step, f"{here}[{index}]")
        case Group(members=members):
            for index, member in enumerate(members):
                yield from walk(member, f"{here}[{index}]")
        case Chord(header=header, body=body):
            for index, member in enumerate(header.members):
                yield from walk(member, f"{here}.header[{index}]")
            if body is not None:
                yield from walk(body, f"{here}.body")
        case _:
            pass
    for index, callback in enumerate(node.options.link):
        yield from walk(callback, f"{here}.link[{index}]")
    for index, errback in enumerate(node.options.link_error):
        yield from walk(errback, f"{here}.link_error[{index}]")


def with_options(node: Node, **changes: object) -> Node:
    """The same node with other options (names are those of ``Options``)."""
    return replace(node, options=replace(node.options, **changes))  # type: ignore[arg-type]  # checked by Options itself
