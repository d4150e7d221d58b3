"""``self.request.chain``: what follows a task, for the task to see and to change.

As in a Celery message it is a list of signatures, the next one last. Steps that are far ahead are
signatures that say only where they stand: they can be moved and left out, not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kombu.utils.json import dumps

from offcanvas.canvas import wire
from offcanvas.celery_app.freezing import step_of
from offcanvas.celery_app.values import from_wire

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.calls import TaskCall

#: The name of a step that is far ahead; no task has it.
FAR = "offcanvas.far_ahead"


class RequestChain:
    """What a task is sent of what follows it, to be held against what it leaves."""

    def __init__(self, app: Celery, call: TaskCall, *, strict: bool) -> None:
        self.app = app
        self.strict = strict
        self._steps: list[Any] = [from_wire(one, app) for one in call.near]
        self._texts = [_text(one) for one in self._steps]
        # Who sends no steps, and says what is passed on, has one that is not told of.
        far = call.far or int(bool(call.then) and not call.near)
        self._steps += [_far(len(call.near) + number) for number in range(far)]
        self._numbers = {id(one): number for number, one in enumerate(self._steps)}

    def __len__(self) -> int:
        return len(self._steps)

    def of_request(self) -> list[Any] | None:
        """For the request: the next step last."""
        return self._steps[::-1] or None

    def changes(self, now: Iterable[Any] | None) -> tuple[dict[str, Any], ...] | None:
        """What ``now`` makes of the steps (``TaskOutcome.rest``), None if it is the same.

        Raises:
            BadCanvas: something in it is not a signature.
            EncodeError: a value that the app's serializer refuses.
        """
        items = tuple(self._item(one) for one in reversed(list(now or ())))
        same = tuple({"step": number} for number in range(len(self._steps)))
        return None if items == same else items

    def _item(self, signature: Any) -> dict[str, Any]:
        number = self._numbers.get(id(signature))
        if number is None:
            number = self._alike(signature)
        if number is not None:
            near = number < len(self._texts)
            if not near or _text(signature) == self._texts[number]:
                return {"step": number}
        node = wire.plain(step_of(self.app, signature, strict=self.strict), paged=True)
        return {"node": node} if number is None else {"step": number, "node": node}

    def _alike(self, signature: Any) -> int | None:
        """The step that this was made of: a copy of a far one, or one that has the same id."""
        if not isinstance(signature, Mapping):
            return None
        if signature.get("task") == FAR:
            return int(signature["kwargs"]["step"])
        task_id = (signature.get("options") or {}).get("task_id")
        for number, step in enumerate(self._steps[: len(self._texts)]):
            if task_id is not None and step["options"].get("task_id") == task_id:
                return number
        text = _text(signature)
        return self._texts.index(text) if text in self._texts else None


def _far(number: int) -> dict[str, Any]:
    """The signature that stands for the step of this number."""
    return {
        "task": FAR,
        "args": [],
        "kwargs": {"step": number},
        "options": {},
        "subtask_type": None,
        "immutable": False,
    }


def _text(signature: Any) -> str:
    try:
        return dumps(signature, sort_keys=True)
    except (TypeError, ValueError):
        return repr(signature)
