"""What of a canvas JSON does not carry: tasks with another serializer, and single values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kombu.exceptions import EncodeError

from offcanvas.canvas.nodes import Chunks, Map, Starmap, Task, walk
from offcanvas.celery_app.values import is_json, is_no_json, to_wire
from offcanvas.errors import UnserialisableValue

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.nodes import Node

_NONE: Mapping[str, Any] = MappingProxyType({})
#: What to do about a value that the app's JSON does not carry.
ADVICE = (
    "hand on an id or plain data, or have kombu.utils.json.register_type say how it becomes JSON"
)


def other_serializers(
    app: Celery, node: Node | None = None, options: Mapping[str, Any] = _NONE
) -> Iterator[tuple[str, str]]:
    """What says that something be carried by a serializer that writes no JSON: where, and which.

    The app's setting, ``options`` of the call, and of ``node`` options of its parts and the tasks.
    """
    if not is_json(app.conf.task_serializer):
        yield "app", f"task_serializer={app.conf.task_serializer}"
        return
    given = options.get("serializer")
    if given is not None and is_no_json(given):
        yield "call", f"serializer={given}"
    told: set[str] = set()
    for place in walk(node) if node is not None else ():
        part, own = place.node, place.node.options.serializer
        if isinstance(part, Map | Starmap | Chunks):
            # Celery takes celery.map's serializer for map and the like; what counts is the values.
            part = part.task
        name = part.name if isinstance(part, Task) else ""
        own = own or part.options.serializer
        usual = getattr(app.tasks.get(name), "serializer", None)
        if given is not None and part is node:
            continue  # the call's is the task's
        other = is_no_json(own) if own else usual is not None and not is_json(usual)
        said = f"{name}, serializer={own or usual}".removeprefix(", ")
        if other and said not in told:
            told.add(said)
            yield place.path, said


def require_json(app: Celery, plan: Node) -> None:
    """See that what a running task sends is to be carried as JSON.

    Raises:
        UnserialisableValue: it is not.
    """
    for where, which in other_serializers(app, plan):
        raise UnserialisableValue(
            f"{where}: {which}: everything is carried as JSON; use the JSON serializer, or your "
            "own that writes JSON"
        )


def refused_value(app: Celery, node: Node, error: EncodeError) -> UnserialisableValue:
    """The error of a value that is no JSON, with the place of the first such value."""
    for where, which in other_serializers(app):
        return UnserialisableValue(f"{where}: {which}: everything is carried as JSON")
    for place in walk(node):
        for what, value in _values(place.node):
            try:
                to_wire(value, app)
            except EncodeError as found:
                return UnserialisableValue(
                    f"{place.path}: {what} cannot be sent as JSON: {found}; {ADVICE}"
                )
    return UnserialisableValue(f"a value cannot be sent as JSON: {error}; {ADVICE}")


def _values(node: Node) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Task):
        yield from ((f"argument {n} of {node.name}", one) for n, one in enumerate(node.args, 1))
        yield from ((f"argument {name} of {node.name}", one) for name, one in node.kwargs)
    elif isinstance(node, Map | Starmap | Chunks):
        yield from ((f"an item of {node.task.name}", one) for one in node.items)
