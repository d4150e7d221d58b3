"""A call as it can be sent again later, by another process: JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kombu.exceptions import EncodeError
from kombu.utils import json

from offcanvas.canvas.lift import lift
from offcanvas.canvas.lower import lower
from offcanvas.celery_app.planning import MESSAGE_ARGUMENTS
from offcanvas.errors import UnserialisableValue

if TYPE_CHECKING:
    from celery import Celery


@dataclass(frozen=True, slots=True)
class Call:
    """``signature.apply_async(args, kwargs, **options)`` of a root.

    Attributes:
        signature: of one task, or a canvas.
        args, kwargs, options: of the call; ``task_id`` is among the options.
        given: the root's parameters by name, as far as they are known.
    """

    signature: Mapping[str, Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    options: Mapping[str, Any]
    given: Mapping[str, Any]

    @property
    def is_canvas(self) -> bool:
        """Whether it is more than one task."""
        kind = self.signature.get("subtask_type")
        return kind is not None or self.signature["task"] in _MAPS

    @property
    def task_id(self) -> str:
        """The id of its result."""
        return str(self.options["task_id"])


_MAPS = frozenset({"celery.map", "celery.starmap"})


def dump(call: Call) -> str:
    """The call as text.

    Raises:
        UnserialisableValue: a value is none that JSON carries.
    """
    signature: Any = dict(call.signature)
    try:
        if call.is_canvas:
            signature = lower(lift(call.signature))
        options = {
            name: value
            for name, value in call.options.items()
            if name not in MESSAGE_ARGUMENTS or name in _KEPT
        }
        return str(
            json.dumps(
                {
                    "signature": signature,
                    "args": list(call.args),
                    "kwargs": dict(call.kwargs),
                    "options": options,
                    "given": dict(call.given),
                }
            )
        )
    except (TypeError, ValueError, EncodeError) as error:
        raise UnserialisableValue(
            f"a call of {call.signature['task']} cannot be claimed: claims carry JSON, and {error}"
        ) from error


#: Arguments of a message that a later process can use as well.
_KEPT = frozenset({"exchange", "routing_key", "retry", "retry_policy", "delivery_mode"})


def load(text: str, app: Celery) -> Call:
    """The call that ``dump`` wrote."""
    raw = json.loads(text)
    return Call(
        app.signature(raw["signature"])
        if raw["signature"].get("subtask_type")
        else raw["signature"],
        raw["args"],
        raw["kwargs"],
        raw["options"],
        raw["given"],
    )
