"""Values and errors as they cross: kombu's JSON, with its marks for dates and the like."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kombu.exceptions import EncodeError
from kombu.utils.json import dumps as json_dumps
from kombu.utils.json import loads as json_loads

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.engines.walker import ErrorWire


def to_wire(value: Any) -> Any:
    """``value`` as plain JSON with kombu's marks, as a Celery message holds it.

    Raises:
        EncodeError: JSON cannot carry it.
    """
    try:
        return json.loads(json_dumps(value))
    except (TypeError, ValueError) as error:
        raise EncodeError(error) from error


def from_wire(value: Any) -> Any:
    """The value that ``to_wire`` wrote: dates, decimals and the like rebuilt."""
    return json_loads(json.dumps(value))


def error_wire(app: Celery, error: Exception) -> ErrorWire:
    """``error`` as the result backend stores it: type, module and arguments."""
    backend = app.backend
    stored: ErrorWire = json.loads(backend.encode(backend.prepare_exception(error)))
    return stored
