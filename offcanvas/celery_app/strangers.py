"""Tasks of other services: an app sends them by name, and has none of that name itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from offcanvas.canvas.lift import lift
from offcanvas.canvas.nodes import Node, Task, walk

if TYPE_CHECKING:
    from celery import Celery


def strangers(app: Celery, node: Node) -> tuple[frozenset[str], frozenset[str]]:
    """Names of tasks in the canvas: those that the app knows, and those that it does not."""
    names = {place.node.name for place in walk(node) if isinstance(place.node, Task)}
    known = {name for name in names if name in app.tasks}
    return frozenset(known), frozenset(names - known)


def only_strangers(app: Celery, signature: Mapping[str, Any]) -> bool:
    """Whether the app knows none of the tasks in the canvas, which has some."""
    if signature.get("subtask_type") is None and signature["task"] in app.tasks:
        return False
    known, strange = strangers(app, lift(signature))
    return bool(strange) and not known
