"""A canvas as statements, for no engine yet: what both emitters print.

``lower`` turns a canvas without the world into this; an emitter decides how a call, a fan-out or a
wait is spelled. Expressions are Python source over the workflow's inputs (the builder's
parameters), its loaded data, loop variables and the variables of earlier statements.

    Do, Gather, Collect         one call; calls side by side; the same when members are conditional
    Loop, Branch                as written in the builder
    Sliced                      a fan-out of any width, whose slices may be runs of their own
    Wait                        countdown and eta
    Guarded                     error callbacks: steps after a failure, which is then raised
    Ending                      a step may say that nothing follows it
    Beside                      a callback whose failure is logged and not raised
    Set, Return, Fail           a variable; the result; what has to be written by hand
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

from offcanvas.port.ir import Canvas, Load, Options, Param, Place, Sent, Task


class Told(Enum):
    """What an error callback is told of the failure, in place of an expression."""

    KIND = "the class name of the step's error"
    TEXT = "the text of the step's error"
    ID = "the id of the workflow or flow run"


@dataclass(frozen=True, slots=True)
class Given:
    """One argument of a step: its parameter, and the value for it."""

    param: str
    value: str | Told
    spread: Literal["", "args", "kwargs"] = ""
    """Part of the step's ``*args`` or ``**kwargs`` under this name."""


@dataclass(frozen=True, slots=True)
class StepCall:
    """A step with its arguments; ``options`` are those of this one signature."""

    step: str
    given: tuple[Given, ...]
    options: Options
    place: Place


@dataclass(frozen=True, slots=True)
class SubCall:
    """A part of the canvas that is a coroutine or task of its own, with values for its names."""

    sub: str
    args: tuple[str, ...]


Invocation: TypeAlias = StepCall | SubCall


@dataclass(frozen=True, slots=True)
class One:
    """A member of a fan-out."""

    call: Invocation


@dataclass(frozen=True, slots=True)
class Head:
    """One ``for var in over if test`` of a comprehension; ``test`` may be ""."""

    var: str
    over: str
    test: str


@dataclass(frozen=True, slots=True)
class Many:
    """A member of a fan-out for each item of one or more nested loops."""

    call: Invocation
    heads: tuple[Head, ...]


Member: TypeAlias = One | Many


@dataclass(frozen=True, slots=True)
class Do:
    """A call whose result is ``target``; "" when nobody uses it."""

    target: str
    call: Invocation


@dataclass(frozen=True, slots=True)
class Gather:
    """Members side by side; ``target`` is the list of their results, of ``type``."""

    target: str
    members: tuple[Member, ...]
    type: str


@dataclass(frozen=True, slots=True)
class Add:
    """Inside of a ``Collect``: one more member."""

    call: Invocation


@dataclass(frozen=True, slots=True)
class Collect:
    """A fan-out whose members stand under loops and conditions: ``body`` adds them."""

    target: str
    body: tuple[Statement, ...]
    type: str


@dataclass(frozen=True, slots=True)
class Sliced:
    """A fan-out over ``items``, which ``canvas`` does for any part of them.

    param: the input of ``canvas`` that takes them; given: names that it needs besides. ``target``
    is the list of results; None when it is the routine's result.
    """

    canvas: str
    param: str
    items: str
    given: tuple[str, ...]
    target: str | None
    type: str


@dataclass(frozen=True, slots=True)
class Loop:
    """``for var in over``."""

    var: str
    over: str
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """``if test``."""

    test: str
    body: tuple[Statement, ...]
    orelse: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds, or (``until``) a moment, before what follows."""

    seconds: str
    until: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """A step in ``body`` may say that nothing follows it: the routine returns nothing then."""

    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Guarded:
    """``body``; if it fails, ``errbacks`` in order, and then its failure is raised."""

    body: tuple[Statement, ...]
    errbacks: tuple[StepCall, ...]
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Beside:
    """A success callback: its failure is logged and not raised."""

    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Set:
    """``target = value``."""

    target: str
    value: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Return:
    """The result."""

    value: str


@dataclass(frozen=True, slots=True)
class ReturnCall:
    """The result is that of a call."""

    call: Invocation


@dataclass(frozen=True, slots=True)
class ReturnGather:
    """The result is the list of results of a fan-out."""

    members: tuple[Member, ...]
    type: str


@dataclass(frozen=True, slots=True)
class Fail:
    """What was not translated: raises here."""

    code: str
    why: str
    place: Place


Statement: TypeAlias = (
    Do
    | Gather
    | Add
    | Collect
    | Sliced
    | Loop
    | Branch
    | Wait
    | Guarded
    | Ending
    | Beside
    | Set
    | Return
    | ReturnCall
    | ReturnGather
    | Fail
)


@dataclass(frozen=True, slots=True)
class Sub:
    """A part of a canvas under a name: a chain as a member of a fan-out, for example.

    ``params`` are the names it needs, those of the canvas's inputs included, with their types.
    """

    name: str
    params: tuple[Param, ...]
    body: tuple[Statement, ...]
    returns: str
    doc: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step that canvases call, whatever it does.

    kind: "task" calls a task's body; "map" and "starmap" loop over one parameter, ``items``;
    "errback" is told of a failure (``kind`` and ``error`` after its own parameters); "load" reads
    the world. ``params`` have types as source, never "". packs: what JSON does not carry of its
    result is pickled. sent: the forms in which Celery's messages hand it its arguments.
    """

    name: str
    kind: Literal["task", "map", "starmap", "errback", "load"]
    params: tuple[Param, ...]
    returns: str
    task: Task | None = None
    load: Load | None = None
    packs: bool = False
    sent: tuple[Sent, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """A canvas as statements."""

    canvas: Canvas
    body: tuple[Statement, ...]
    subs: tuple[Sub, ...]
    returns: str


@dataclass(frozen=True, slots=True)
class Program:
    """All canvases of a port and the steps they share, in the order of their first use."""

    package: str
    scripts: tuple[Script, ...]
    steps: tuple[Step, ...]
