"""Nodes back to signatures, as the dictionaries that ``celery.signature()`` takes.

The inverse of ``lift``: lifting what this returns gives the node again. Used where Celery's own
code has to see a signature: when ids are frozen, and when callbacks are sent from a task.
"""

from __future__ import annotations

from dataclasses import fields
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
    Starmap,
    Task,
)

_OWN = frozenset({"link", "link_error", "stamps", "extra", "sent_beside"})
_PLAIN = tuple(field.name for field in fields(Options) if field.name not in _OWN)


def lower(node: Node) -> dict[str, Any]:
    """The signature dictionary of ``node``, as ``dict(signature)`` shows it."""
    match node:
        case Task(name=name, args=args, kwargs=kwargs):
            return _signature(node, name, None, args, dict(kwargs))
        case Chain(steps=steps):
            tasks = [lower(step) for step in steps]
            return _signature(node, "celery.chain", "chain", (), {"tasks": tasks})
        case Group(members=members):
            tasks = [lower(member) for member in members]
            return _signature(node, "celery.group", "group", (), {"tasks": tasks})
        case Chord(header=header, body=body, args=args, kwargs=kwargs):
            inner = {
                "header": _header(header),
                "body": None if body is None else lower(body),
                "kwargs": dict(kwargs),
            }
            return _signature(node, "celery.chord", "chord", args, inner)
        case Map(task=task, items=items):
            return _signature(node, "celery.map", None, (), {"task": lower(task), "it": [*items]})
        case Starmap(task=task, items=items):
            inner = {"task": lower(task), "it": [*items]}
            return _signature(node, "celery.starmap", None, (), inner)
        case Chunks(task=task, items=items, size=size):
            inner = {"task": lower(task), "it": [*items], "n": size}
            return _signature(node, "celery.chunks", None, (), inner)
        case _:
            raise TypeError(f"not a node: {node!r}")


def _header(header: Group) -> Any:
    # A header without options is a bare list, as chord() makes it of the group it was given.
    if header.options == NO_OPTIONS:
        return [lower(member) for member in header.members]
    return lower(header)


def _signature(
    node: Node, name: str, word: str | None, args: tuple[object, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    return {
        "task": name,
        "args": list(args),
        "kwargs": kwargs,
        "options": lower_options(node.options),
        "subtask_type": word,
        "immutable": node.immutable,
    }


def lower_options(options: Options) -> dict[str, Any]:
    """The options dictionary: given ones only, stamps spread out as Celery has them."""
    if options == NO_OPTIONS:
        return {}
    lowered = {name: given for name in _PLAIN if (given := getattr(options, name)) is not None}
    if options.link:
        lowered["link"] = [lower(callback) for callback in options.link]
    if options.link_error:
        lowered["link_error"] = [lower(errback) for errback in options.link_error]
    if options.stamps:
        lowered.update(options.stamps)
        lowered["stamped_headers"] = [name for name, _ in options.stamps]
    lowered.update(options.extra)
    return lowered
