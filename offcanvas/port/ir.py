"""A builder's canvas as the source says it: loops stay loops, and conditions conditions.

Where ``offcanvas.canvas.nodes`` is one canvas with all its values, this is the function that makes
canvases: expressions are kept as Python source, and the parts of a chain or a group may stand in an
``Each`` or an ``If``. Nothing in here knows an engine.

    Step, Spread                    one call of a task; map, starmap and chunks of one
    Seq, Side, Join                 chain, group, chord
    Choice, Nothing                 one of two canvases; no canvas, but plain data
    Todo                            what was not understood; it raises, it is never dropped
    Each, If                        parts of a Seq or a Side under a loop or a condition
    Load, Let                       data that the canvas is built from: of the world, or computed
    Canvas, Task, Plan              a builder, a task, and all that one port is about
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from offcanvas.port.policy import Policy
    from offcanvas.port.trace import Trace

#: Where the canvas of a builder goes: to its caller, to the broker as the function's last act, in
#: the place of the task that built it, or to the broker with the task waiting for its result.
How: TypeAlias = Literal["returned", "sent", "replaces", "awaited"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of the project: its path relative to the project's root, and a line from 1."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


#: What a note is about that concerns all canvases.
ALL: Final = "*"


@dataclass(frozen=True, slots=True)
class Note:
    """What the user has to know or to decide, with its code (see ``codes``) and where it arises.

    ``about`` is the task or canvas it concerns, so that an emitter can write it beside its code, or
    ``ALL``.
    """

    code: str
    place: Place
    message: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a builder or a task. ``annotation`` and ``default`` are source, or "".

    packed: what JSON does not carry comes pickled, as Celery sent it.
    """

    name: str
    annotation: str = ""
    default: str = ""
    kind: Literal["positional", "keyword", "args", "kwargs"] = "positional"
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Errback:
    """``link_error``: a step after the failure of what it hangs on.

    ``style`` is Celery's rule (canvas-semantics, "link_error, which style"): "new" is called with
    request, exception and traceback; "old" with the failing task's id; "bare" with neither.
    """

    step: Step
    style: Literal["new", "old", "bare"]


@dataclass(frozen=True, slots=True)
class Options:
    """Execution options of one signature, as expressions. ``eta`` is seconds since 1970 once the
    world has been taken out of the canvas, and a datetime before.
    """

    countdown: str = ""
    eta: str = ""
    expires: str = ""
    queue: str = ""
    priority: str = ""
    time_limit: str = ""
    soft_time_limit: str = ""
    ignore_result: bool = False


NO_OPTIONS = Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What all canvases share. ``links`` follow a success, ``errbacks`` a failure.

    Equal canvases are equal wherever they are written.
    """

    place: Place = field(compare=False)
    links: tuple[Node, ...] = ()
    errbacks: tuple[Errback, ...] = ()
    options: Options = NO_OPTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Node):
    """One call of one task; ``task`` is the registered name, arguments are Python source."""

    task: str
    args: tuple[str, ...] = ()
    kwargs: tuple[tuple[str, str], ...] = ()
    immutable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread(Node):
    """``map``, ``starmap`` or ``chunks`` of ``task`` over ``items``, ``size`` at a time."""

    word: Literal["map", "starmap", "chunks"]
    task: str
    items: str
    size: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seq(Node):
    """A chain: each part gets the result of the one before. ``piped``: written with ``|``."""

    parts: tuple[Part, ...]
    piped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Side(Node):
    """A group: the parts run side by side; the result is the list of theirs."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Join(Node):
    """A chord: ``body`` gets the list of the header's results."""

    header: Side
    body: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Node):
    """One of two canvases, by a condition of the builder."""

    test: str
    then: Node
    orelse: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing(Node):
    """No canvas on this way through the builder; ``value`` is what it returns instead."""

    value: str = "None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo(Node):
    """What cannot be translated: code that raises at this point, with the code and the reason."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Each:
    """``parts`` once for each item of ``over``; ``var`` is a name, or names with commas."""

    var: str
    over: str
    parts: tuple[Part, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class If:
    """``parts`` under a condition, and those under its opposite."""

    test: str
    parts: tuple[Part, ...]
    orelse: tuple[Part, ...]
    place: Place


Part: TypeAlias = Node | Each | If


@dataclass(frozen=True, slots=True)
class Field:
    """One value that a row carries: its name, the expression that reads it, and its type.

    ``default`` is source, of a field that not every row has. packed: as of ``Param``.
    """

    name: str
    reads: str
    type: str = "Any"
    default: str = ""
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What a canvas reads of each item of an iterable: fields, never the item itself.

    ``loop`` is the loop over the world's items, as source (``order in rows.open_orders(day)``).
    """

    name: str
    var: str
    fields: tuple[Field, ...]
    doc: str


@dataclass(frozen=True, slots=True)
class Sent:
    """How a message hands its arguments on: so many by position, and these by name.

    ``None`` for what is not known before it runs.
    """

    count: int | None
    names: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Let:
    """A name for data that needs nothing but inputs."""

    name: str
    value: str
    place: Place


@dataclass(frozen=True, slots=True)
class Load:
    """A step that returns data of the world: ``name = step(*inputs)``.

    ``reads`` is the expression or, for a ``row`` that is not None, the iterable whose items it is
    read from. ``inputs`` are the names that ``reads`` needs of the canvas. ``body`` is a whole
    function in place of ``reads`` (statements as source, ``reads`` is then what it returns);
    ``several`` is the class of what it returns when that are several values, in this order, and
    ``records`` are classes of the lists among them. ``ends``: it may say with None that no canvas
    follows.
    ``repeatable``: only reads, so that it may be tried again. ``after``: it is made of what a task
    does once it has waited for its canvas; its body returns.
    """

    name: str
    step: str
    reads: str
    inputs: tuple[Param, ...]
    type: str
    place: Place
    row: Row | None = None
    body: str = ""
    repeatable: bool = True
    after: bool = False
    several: Row | None = None
    records: tuple[Row, ...] = ()
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What the class of a task, ``owner`` in the file ``path``, has around each body.

    items: the expressions of the ``with``. locals: names that these need with their values.
    globals: names of modules that both need, each with the file of its module.
    """

    path: str
    owner: str
    items: tuple[str, ...]
    locals: tuple[tuple[str, str], ...]
    globals: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Canvas:
    """One builder: what it is given, the data it reads first, and the canvas it makes.

    ``name`` is its alone in the plan, and ``function`` what it is called in ``module``, the dotted
    module that it is written in; ``task`` is the registered name when it is the body of a task.
    A task that waits has its canvas's result under the name ``result``, and then does ``after``.
    ``built`` are the values of an object that was built already, by parameter.
    ``rows`` are classes of lists among its parameters. ``site``: it is sent in the midst of other
    code, which hands in ``given``, by parameter, as source. ``lone``: it is one task, which the
    body of another one sends, in the forms ``sent``.
    """

    name: str
    module: str
    params: tuple[Param, ...]
    data: tuple[Let | Load, ...]
    root: Node
    how: How
    doc: str
    place: Place
    end: int
    task: str = ""
    function: str = ""
    rows: tuple[Row, ...] = ()
    result: str = ""
    after: Load | None = None
    built: tuple[tuple[str, Any], ...] | None = None
    site: bool = False
    given: tuple[tuple[str, str], ...] = ()
    lone: bool = False
    sent: tuple[Sent, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A task that canvases of the plan call.

    ``function`` is its name in ``module``; ``params`` are what a caller gives, without ``self``.
    ``ends``: its body may say that nothing follows it (``self.request.chain = None``).
    ``attempt``: its body is given an ``Attempt`` in the place of its task object.
    ``decorators`` are those around its function, without the one that makes it a task. ``hooks``
    are methods of its base class that Celery calls around it, or that class if it is a library's.
    ``renews``: it asks for attempts with other arguments; for each way what is given anew, "args",
    "kwargs" or "both". ``context``: what its class has around the body.
    """

    name: str
    module: str
    function: str
    params: tuple[Param, ...]
    returns: str
    bound: bool
    is_async: bool
    doc: str
    policy: Policy
    place: Place
    ends: bool = False
    attempt: bool = False
    decorators: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    renews: frozenset[str] = frozenset()
    context: Context | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one port is about. ``tasks`` are by registered name, in the order of their use."""

    package: str
    canvases: tuple[Canvas, ...]
    tasks: Mapping[str, Task]
    notes: tuple[Note, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    """Literals of the builders' modules that canvases use: name to source."""
    samples: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Keyword arguments that the originals were called with, by canvas."""
    traces: Mapping[str, Sequence[Trace]] = field(default_factory=dict)
    """What the steps of a canvas are given with its samples, by canvas."""
    pickles: bool = False
    """Celery sends arguments and results as pickle: objects travel too."""


def parts_of(node: Node) -> tuple[Part, ...]:
    """The parts directly inside, in the order of writing; no callbacks."""
    match node:
        case Seq(parts=parts) | Side(parts=parts):
            return parts
        case Join(header=header, body=body):
            return (header, body)
        case Choice(then=then, orelse=orelse):
            return (then, orelse)
        case _:
            return ()


def members(parts: Iterable[Part]) -> list[Node]:
    """The members that stand under loops and conditions, without what is in them."""
    found: list[Node] = []
    for part in parts:
        match part:
            case Each(parts=inner):
                found += members(inner)
            case If(parts=inner, orelse=orelse):
                found += members((*inner, *orelse))
            case Node():
                found.append(part)
    return found


def walk(part: Part) -> Iterator[Part]:
    """A part and all that is in it, callbacks included."""
    yield part
    match part:
        case Each(parts=parts):
            for inner in parts:
                yield from walk(inner)
        case If(parts=parts, orelse=orelse):
            for inner in (*parts, *orelse):
                yield from walk(inner)
        case Node():
            for inner in parts_of(part):
                yield from walk(inner)
            for link in part.links:
                yield from walk(link)
            for errback in part.errbacks:
                yield from walk(errback.step)
