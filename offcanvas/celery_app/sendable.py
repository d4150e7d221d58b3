"""What Celery refuses when it sends a task, found before anything starts.

Celery looks at most options only when it makes the message: times that are none, a queue that
``task_queues`` does not have, a serializer that nobody has registered. An engine without messages
would run such a canvas, or fail in the middle of it.
Source: ``Celery.send_task``, ``AMQP.as_task_v2`` and ``Router.route`` of Celery 5.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from numbers import Real
from typing import TYPE_CHECKING, Any

from kombu.compression import get_encoder
from kombu.serialization import dumps

from offcanvas.canvas.nodes import Chunks, Map, Starmap, Task, walk
from offcanvas.errors import BadCanvas, line_of

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.nodes import Node, Options

#: Numbers of seconds; and moments as ISO text, of which one may be a number of seconds as well.
_SECONDS = ("countdown", "time_limit", "soft_time_limit")
_MOMENTS: Mapping[str, Any] = {"eta": str | None, "expires": str | Real | None}


def require_sendable(app: Celery, plan: Node) -> None:
    """Nothing, if Celery would send every task of ``plan``.

    Raises:
        BadCanvas: the first that it would not, with its place and the reason.
    """
    fine: set[str] = set()  # ten thousand members of a group mostly have the same options
    for place in walk(plan):
        node = place.node
        if not isinstance(node, Task | Map | Starmap | Chunks):
            continue
        name = node.name if isinstance(node, Task) else "celery.map"
        checked = f"{name} {node.options!r}"
        if checked in fine:
            continue
        fine.add(checked)
        for reason in _reasons(app, name, node.options):
            raise BadCanvas(f"{place.path}: {name} cannot be sent: {reason}")


def _reasons(app: Any, name: str, options: Options) -> Iterator[str]:
    given = {item.name: getattr(options, item.name) for item in fields(options)}
    for option in _SECONDS:
        if not isinstance(given[option], Real | None):
            yield f"{option}={given[option]!r} is not a number of seconds"
    for option, kinds in _MOMENTS.items():
        if not isinstance(given[option], kinds):
            yield f"{option}={given[option]!r} is not a time that Celery takes there"
        elif isinstance(given[option], str) and _raises(datetime.fromisoformat, given[option]):
            yield f"{option}={given[option]!r} is not an ISO 8601 time"
    queue = {"queue": given["queue"]} if given["queue"] is not None else {}
    yield from _raises(app.amqp.router.route, queue, name)
    if given["serializer"] is not None:
        yield from _raises(dumps, None, given["serializer"])
    compression = dict(options.extra).get("compression")
    if compression is not None and _raises(get_encoder, compression):
        yield f"compression={compression!r} is registered nowhere"


def _raises(function: Callable[..., object], *args: Any) -> list[str]:
    """What the function says against it, in one line; an empty list for nothing."""
    try:
        function(*args)
    except Exception as error:  # routers are the user's code
        return [line_of(error)]
    return []
