"""Celery signatures to nodes.

A ``celery.Signature`` is a dictionary, and after a trip through JSON it is a plain one; both lift
to the same node. Ids that ``freeze()`` has assigned are kept. What belongs to one published
message and not to the canvas is left out: ``reply_to``, and the copies of chord bodies and chain
rests that freezing puts on header tasks and steps, whose meaning is the shape of the tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

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
)
from offcanvas.errors import BadCanvas

_SCALARS = frozenset({str, int, float, bool, type(None), bytes})
_OWN_FORM = frozenset(
    {"countdown", "eta", "expires", "link", "link_error", "sent_beside", "stamps", "extra"}
)
_NAMED = frozenset(field.name for field in fields(Options)) - _OWN_FORM
_TIMES = frozenset({"countdown", "eta", "expires"})
_CALLBACKS = frozenset({"link", "link_error"})
_MESSAGE_ONLY = frozenset({"reply_to", "chord", "chain", "stamped_headers", "add_to_parent"})


def lift(signature: Mapping[str, Any]) -> Node:
    """The node for ``signature``, a ``celery.Signature`` or its dictionary form.

    Generators in groups, maps and chunks are read to their end.

    Raises:
        BadCanvas: ``signature`` is not a signature; the message says what and where.
    """
    return _lift(signature, "canvas")


def _lift(sig: object, where: str) -> Node:
    if not isinstance(sig, Mapping) or not isinstance(sig.get("task"), str):
        raise BadCanvas(
            f"{where}: expected a Celery signature, got {type(sig).__name__} {_short(sig)}; "
            f"write task.s(...) instead of task or task(...)"
        )
    name: str = sig["task"]
    word = sig.get("subtask_type") or _BUILTIN.get(name)
    if word in (None, "task"):
        args, kwargs = _arguments(sig, where)
        return Task(
            name=name,
            args=args,
            kwargs=kwargs,
            options=_options(sig, where),
            immutable=bool(sig.get("immutable")),
        )
    try:
        build = _BUILDERS[word]
    except KeyError:
        raise BadCanvas(
            f"{where}: unknown kind of signature {word!r}; a custom Signature type must be "
            f"turned into Celery's own before it is lifted"
        ) from None
    return build(sig, where)


def _arguments(sig: Mapping[str, Any], where: str) -> tuple[tuple[Value, ...], Pairs]:
    args, kwargs = sig.get("args") or (), sig.get("kwargs") or {}
    if not isinstance(args, Sequence) or not isinstance(kwargs, Mapping):
        raise BadCanvas(f"{where}: args must be a list and kwargs a mapping")
    return tuple(map(value, args)), tuple((str(k), value(v)) for k, v in kwargs.items())


def value(given: Any) -> Value:
    """``given`` in the one form it has before and after JSON: lists for tuples, text for keys.

    Signatures among the arguments become plain dictionaries. Anything else is kept: whether the
    app's serializer carries it is decided when it is sent.
    """
    kind = type(given)
    if kind in _SCALARS:
        return given
    if isinstance(given, Mapping):
        return {_key(k): value(v) for k, v in given.items()}
    # A named tuple is a list to JSON, like any other.
    if isinstance(given, (list, tuple)):
        return [value(item) for item in given]
    return given


def _key(key: object) -> object:
    # What json.dumps makes of keys; others it refuses, and so will the serializer.
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str(key) if isinstance(key, (int, float)) else key


def _tasks(tasks: object, where: str) -> tuple[Node, ...]:
    if isinstance(tasks, Mapping):  # a chord's header frozen into a group, or a lone signature
        node = _lift(tasks, where)
        return tuple(node.members) if isinstance(node, Group) else (node,)
    if not isinstance(tasks, Iterable):
        raise BadCanvas(f"{where}: expected a list of signatures, got {_short(tasks)}")
    return tuple(_lift(task, f"{where}[{index}]") for index, task in enumerate(tasks))


def _chain(sig: Mapping[str, Any], where: str) -> Chain:
    return Chain(
        steps=_tasks(sig["kwargs"]["tasks"], where),
        options=_options(sig, where),
        immutable=bool(sig.get("immutable")),
    )


def _group(sig: Mapping[str, Any], where: str) -> Group:
    return Group(
        members=_tasks(sig["kwargs"]["tasks"], where),
        options=_options(sig, where),
        immutable=bool(sig.get("immutable")),
    )


def _chord(sig: Mapping[str, Any], where: str) -> Chord:
    kwargs = sig["kwargs"]
    given, body = kwargs.get("header") or (), kwargs.get("body")
    place = f"{where}.header"
    header: Group
    if isinstance(given, Mapping):
        node = _lift(given, place)
        header = node if isinstance(node, Group) else Group(members=(node,))
    else:
        header = Group(members=_tasks(given, place))
    args = tuple(map(value, sig.get("args") or ()))
    partial = kwargs.get("kwargs") or {}
    return Chord(
        header=header,
        body=None if body is None else _lift(body, f"{where}.body"),
        args=args,
        kwargs=tuple((str(k), value(v)) for k, v in partial.items()),
        options=_options(sig, where),
        immutable=bool(sig.get("immutable")),
    )


def _of_items(sig: Mapping[str, Any], where: str) -> tuple[Task, tuple[Value, ...]]:
    kwargs = sig["kwargs"]
    task = _lift(kwargs["task"], f"{where}.task")
    if not isinstance(task, Task):
        raise BadCanvas(f"{where}: map, starmap and chunks take a task, not a canvas")
    return task, tuple(map(value, kwargs["it"]))


def _map(sig: Mapping[str, Any], where: str) -> Map:
    task, items = _of_items(sig, where)
    return Map(task=task, items=items, options=_options(sig, where))


def _starmap(sig: Mapping[str, Any], where: str) -> Starmap:
    task, items = _of_items(sig, where)
    return Starmap(task=task, items=items, options=_options(sig, where))


def _chunks(sig: Mapping[str, Any], where: str) -> Chunks:
    task, items = _of_items(sig, where)
    size = sig["kwargs"]["n"]
    return Chunks(task=task, items=items, size=size, options=_options(sig, where))


_BUILDERS = {
    "chain": _chain,
    "group": _group,
    "chord": _chord,
    "map": _map,
    "starmap": _starmap,
    "chunks": _chunks,
}

# map, starmap and chunks never say what they are in subtask_type; their task names do.
_BUILTIN = {
    "celery.map": "map",
    "celery.starmap": "starmap",
    "celery.chunks": "chunks",
    "celery.chain": "chain",
    "celery.group": "group",
    "celery.chord": "chord",
}


def _options(sig: Mapping[str, Any], where: str) -> Options:
    given: Mapping[str, Any] = sig.get("options") or {}
    return lift_options(given, where) if given else NO_OPTIONS


def lift_options(given: Mapping[str, Any], where: str = "options") -> Options:
    """Options as ``Signature.options`` or the keywords of ``apply_async`` hold them.

    Raises:
        BadCanvas: a callback that is not a signature, or a time that Celery does not take.
    """
    fields: dict[str, Any] = {}
    stamped = given.get("stamped_headers") or ()
    extra: list[tuple[str, Value]] = []
    stamps: list[tuple[str, Value]] = []
    for name, option in given.items():
        if name in stamped:
            stamps.append((name, value(option)))
        elif option is None or name in _MESSAGE_ONLY:
            continue  # Celery drops options that are None
        elif name in _NAMED:
            fields[name] = option
        elif name in _TIMES:
            fields[name] = _time(option, f"{where}.{name}")
        elif name in _CALLBACKS:
            fields[name] = _callbacks(option, f"{where}.{name}")
        else:
            extra.append((name, value(option)))
    if stamps:
        fields["stamps"] = tuple(stamps)
    if extra:
        fields["extra"] = tuple(sorted(extra, key=lambda pair: pair[0]))
    return Options(**fields)


def _time(option: object, where: str) -> object:
    if isinstance(option, timedelta):  # Celery raises a TypeError when it sends the task
        raise BadCanvas(
            f"{where}: Celery takes no timedelta here; give seconds, {option.total_seconds():g}"
        )
    return option.isoformat() if isinstance(option, datetime) else option


def _callbacks(option: object, where: str) -> tuple[Node, ...]:
    if isinstance(option, Mapping):
        return (_lift(option, where),)
    return _tasks(option, where)


def _short(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 60 else text[:57] + "..."
