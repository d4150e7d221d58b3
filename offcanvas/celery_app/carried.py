"""What of a canvas JSON does not carry: tasks with another serializer, and single values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kombu.exceptions import EncodeError

from offcanvas.canvas.nodes import Chunks, Map, Starmap, Task, walk
from offcanvas.celery_app.values import is_json, to_wire
from offcanvas.errors import UnserialisableValue

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.nodes import Node

#: What to do about a value that the app's JSON does not carry.
ADVICE = (
    "hand on an id or plain data, or have kombu.utils.json.register_type say how it becomes JSON"
)


def other_serializers(app: Celery, node: Node | None = None) -> Iterator[tuple[str, str]]:
    """The app, and tasks of ``node``, whose serializer writes no JSON: where, and which."""
    if not is_json(app.conf.task_serializer):
        yield "app", f"task_serializer={app.conf.task_serializer}"
        return
    told: set[str] = set()
    for place in walk(node) if node is not None else ():
        part = place.node
        if isinstance(part, Map | Starmap | Chunks):
            part = part.task
        if not isinstance(part, Task) or part.name in told:
            continue
        told.add(part.name)
        # Celery takes celery.map's serializer for map and the like; what counts is the values.
        own = getattr(app.tasks.get(part.name), "serializer", None)
        if own is not None and not is_json(own):
            yield place.path, f"{part.name}, serializer={own}"


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
