"""What Temporal's list and pages say of a canvas: which one it is, and with what it was called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from offcanvas.canvas.calls import TaskCall
from offcanvas.canvas.draw import label, tree
from offcanvas.canvas.nodes import Node, Task, walk
from offcanvas.canvas.title import shortened, title

#: Bytes: databases of servers keep 255 of an id, of which children need some; of a summary a
#: server takes 400, and of details 20,000.
_ID, _SUMMARY, _DETAILS = 100, 200, 8_000
#: Nodes of a canvas that is drawn; larger ones have their title only.
_DRAWN = 2_000


@dataclass(frozen=True, slots=True)
class Shown:
    """The texts for one workflow.

    Attributes:
        id: the id of the result and the canvas's title, ``5f0c... (shop.double x 2) | shop.total``.
        summary: the title; of a lone task the call with its arguments.
        details: the canvas as a tree, with arguments, in Markdown.
        memo: title and id of the result, for programs.
    """

    id: str
    summary: str
    details: str
    memo: dict[str, str]


def shown(node: Node, result: str) -> Shown:
    """The texts for a workflow that walks ``node``; ``result`` is the id of its result."""
    named = title(node)
    return Shown(
        id=f"{result} {title(node, _ID)}",
        summary=shortened(_call(node) if isinstance(node, Task) else named, _SUMMARY),
        details=_drawn(node),
        memo={"canvas": named, "result": result},
    )


def call_summary(call: TaskCall) -> str:
    """Of an activity, whose name is the task's: the arguments, and which attempt it is."""
    signature = call.signature
    given = signature["options"].get("argsrepr")
    if given is None:
        words = [*map(repr, signature["args"])]
        words += [f"{name}={value!r}" for name, value in signature["kwargs"].items()]
        given = f"({', '.join(words)})"
    again = f" retry {call.retries}" if call.retries else ""
    return shortened(str(given), _SUMMARY - len(again)) + again


def batch_summary(calls: Sequence[TaskCall]) -> str:
    """Of an activity that runs several calls of one task: how many, and the first of them."""
    if len(calls) == 1:
        return call_summary(calls[0])
    count = f"x {len(calls)}: "
    return count + shortened(f"{call_summary(calls[0])}, ...", _SUMMARY - len(count))


def _call(task: Task) -> str:
    given = _argsrepr(task)
    return label(task) if given is None else f"{task.name}{given}"


def _argsrepr(node: Node) -> Any:
    # Celery's own way to keep arguments out of what people see.
    return dict(node.options.extra).get("argsrepr")


def _drawn(node: Node) -> str:
    for count, place in enumerate(walk(node)):
        if count > _DRAWN or _argsrepr(place.node) is not None:
            return ""
    text = tree(node)
    cut = text if len(text.encode()) <= _DETAILS else shortened(text, _DETAILS) + "\n"
    return f"```\n{cut}```"
