"""Random canvases as data, and the signatures they stand for.

A spec is built anew for every engine, because Celery changes signatures when it runs them.
"""

import json
from dataclasses import dataclass, fields
from uuid import uuid4

from celery import chain, chord, group, signature
from hypothesis import strategies as st

from tests.differential.tasks import REGISTRY, ROUTED, app

#: Tasks that take any arguments.
PLAIN = ("echo", "echo", "echo", "exotic", "flaky", "one", "tagged", "limited", "delayed")
FAILING = (
    *("boom", "crash", "stubborn", "swap_boom", "hushed_boom", "odd_boom", "timeout_boom"),
    *("base_boom", "cancelled_boom", "speechless_boom"),
)
#: Tasks that change what follows them, store nothing, run twice, or go another way.
ODD = (
    *("cut", "extend", "popped", "inserts", "hushed", "again"),
    *("delays", "sent_by_pattern", "sent_by_function"),
)
REPLACING = ("swap", "swap_chain", "swap_group", "starter")


class Brief:
    """A repr that leaves out defaults, to be pasted into a test."""

    def __repr__(self):
        given = (
            f"{item.name}={getattr(self, item.name)!r}"
            for item in fields(self)
            if getattr(self, item.name) != item.default
        )
        return f"{type(self).__name__}({', '.join(given)})"


@dataclass(frozen=True, repr=False)
class Call(Brief):
    """One task with its arguments and callbacks."""

    task: str
    args: tuple = ()
    kwargs: tuple = ()
    immutable: bool = False
    links: tuple = ()
    errbacks: tuple = ()
    options: tuple = ()

    def build(self):
        task = REGISTRY[self.task]
        make = task.si if self.immutable else task.s
        sig = make(*self.args, **dict(self.kwargs))
        sig.set(**dict(self.options))
        for link in self.links:
            sig.link(link.build())
        for errback in self.errbacks:
            sig.link_error(errback.build())
        return sig


@dataclass(frozen=True, repr=False)
class Items(Brief):
    """map, starmap or chunks of echo."""

    word: str
    items: tuple

    def build(self):
        echo = REGISTRY["echo"]
        if self.word == "chunks":
            return echo.chunks([(item,) for item in self.items], 2)
        if self.word == "starmap":
            return echo.starmap([(item,) for item in self.items])
        return echo.map(list(self.items))


@dataclass(frozen=True, repr=False)
class Revoked(Brief):
    """A task between two others, the first of which revokes it: ``by`` its "id" or a "stamp"."""

    by: str
    args: tuple = ()

    def build(self):
        echo, key = REGISTRY["echo"], str(uuid4())
        victim = echo.s(*self.args)
        if self.by == "id":
            victim.set(task_id=key)
        else:
            victim.stamp(mark=key)
        # Between them one more: Celery's worker may have taken the next message by then.
        return chain(REGISTRY["revokes"].si(self.by, key), echo.s(), victim, echo.s())


@dataclass(frozen=True, repr=False)
class Many(Brief):
    """chain or group; ``how`` is how it is written: "pipe", "call", or "raw" (as from JSON)."""

    word: str
    parts: tuple
    how: str = "call"
    errbacks: tuple = ()

    def build(self):
        parts = [part.build() for part in self.parts]
        if self.word == "group":
            made = group(parts, app=app)
        elif self.how == "pipe" and parts:
            made = parts[0]
            for part in parts[1:]:
                made |= part
        elif self.how == "raw":
            made = chain(*parts, app=app)
        else:
            made = chain(*parts)
        for errback in self.errbacks:
            made.link_error(errback.build())
        return made


@dataclass(frozen=True, repr=False)
class Chorded(Brief):
    """A chord."""

    header: tuple
    body: object
    errbacks: tuple = ()

    def build(self):
        made = chord([part.build() for part in self.header], self.body.build(), app=app)
        for errback in self.errbacks:
            made.link_error(errback.build())
        return made


@dataclass(frozen=True, repr=False)
class Example(Brief):
    """A canvas, how it reaches the caller, and what it is called with."""

    canvas: object
    args: tuple = ()
    wired: bool = False

    def build(self):
        sig = self.canvas.build()
        # Out of JSON, chunks are the task celery.chunks, which a node does not tell apart.
        wired = self.wired and sig.task != "celery.chunks"
        return signature(json.loads(json.dumps(sig)), app=app) if wired else sig


values = st.one_of(
    st.integers(0, 9), st.sampled_from(["x", "", None, True]), st.just([1, [2]]), st.just({"k": 1})
)
arguments = st.lists(values, max_size=2).map(tuple)
keywords = st.sampled_from([(), (("key", 1),)])


#: Options of a signature, none of which changes what comes of a canvas.
options = st.sampled_from(
    [
        (),
        (),
        (("compression", "gzip"),),
        (("priority", 3),),
        (("time_limit", 60), ("soft_time_limit", 30)),
        (("headers", {"tenant": "acme"}),),
        (("expires", 600),),
        (("ignore_result", True),),
        (("queue", ROUTED),),
    ]
)


def calls(names, links=st.just(()), errbacks=st.just(())):  # noqa: B008  # strategies are values
    return st.builds(
        Call,
        task=st.sampled_from(names),
        args=arguments,
        kwargs=keywords,
        immutable=st.booleans(),
        links=links,
        errbacks=errbacks,
        options=options,
    ).map(_fitting)


def _fitting(call):
    """``one`` takes exactly one argument, which is its predecessor's or its own."""
    if call.task != "one":
        return call
    args = call.args[:1] or (0,)
    return Call("one", args, call.kwargs, True, call.links, call.errbacks, call.options)


callbacks = st.lists(calls(("note", "echo")), max_size=1).map(tuple)
errbacks = st.lists(
    st.one_of(
        st.just(Call("errback")),
        st.just(Call("note", args=("old",))),
        st.just(Call("note", args=("stored",), immutable=True)),
    ),
    max_size=2,
    unique=True,
).map(tuple)

leaves = st.one_of(
    calls(PLAIN, callbacks, errbacks),
    calls(PLAIN),
    calls(FAILING, callbacks, errbacks),
    calls(REPLACING, callbacks, errbacks),
    calls(ODD, callbacks, errbacks),
    st.builds(Revoked, st.sampled_from(["id", "stamp"]), arguments),
    st.builds(
        Items,
        st.sampled_from(["map", "starmap", "chunks"]),
        st.lists(values, max_size=3).map(tuple),
    ),
)


def seldom(strategy):
    """Mostly nothing: errbacks of whole canvases multiply."""
    return st.one_of(st.just(()), st.just(()), strategy)


def _sound(spec):
    """No empty chain with nothing beside it: Celery fails on those, in several ways."""
    return _has_task(spec) or not _hollow(spec)


def _has_task(spec):
    return not isinstance(spec, Many) or any(map(_has_task, spec.parts))


def _hollow(spec):
    if not isinstance(spec, Many):
        return False
    return (spec.word == "chain" and not spec.parts) or any(map(_hollow, spec.parts))


def nested(inner):
    several = st.lists(inner, max_size=2).map(tuple)
    return st.one_of(
        st.builds(
            Many,
            st.just("chain"),
            several,
            st.sampled_from(["pipe", "call", "raw"]),
            seldom(errbacks),
        ).filter(lambda made: not made.parts or _sound(made)),
        st.builds(Many, st.just("group"), several, st.just("call"), seldom(errbacks)),
        st.builds(Chorded, several, inner.filter(_sound), seldom(errbacks)),
    )


canvases = leaves
for _ in range(3):
    canvases = st.one_of(leaves, nested(canvases))
#: Of tasks that are sent alone, too.
canvases = st.one_of(nested(canvases), nested(canvases), nested(canvases), leaves)

examples = st.builds(Example, canvas=canvases, args=arguments, wired=st.booleans())
#: One level deep: enough to find a gross fault, and quick.
shallow = st.builds(Example, canvas=nested(leaves), args=arguments)
