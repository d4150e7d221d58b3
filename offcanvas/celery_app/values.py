"""Values and errors as they cross: JSON, as the app's serializer writes it.

Celery's own serializer is kombu's JSON, with marks for dates and the like. One of the app's own,
registered with kombu for the content type application/json, is used as Celery uses it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from celery.utils.serialization import ensure_serializable, get_pickleable_exception
from kombu.exceptions import EncodeError, SerializerNotInstalled
from kombu.serialization import registry  # type: ignore[attr-defined]  # the stubs leave it out
from kombu.utils.json import dumps as json_dumps
from kombu.utils.json import loads as json_loads

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery import Celery

    from offcanvas.canvas.calls import ErrorWire

_JSON = "application/json"


def is_json(serializer: str) -> bool:
    """Whether the serializer of this name, as kombu knows it, writes JSON."""
    try:
        return bool(registry._encoders[serializer].content_type == _JSON)  # noqa: SLF001  # kombu has no question for it that does not encode
    except (KeyError, SerializerNotInstalled):
        return False


def is_no_json(serializer: str) -> bool:
    """Whether it writes something else, as kombu knows it; of one that kombu does not, False.

    That one Celery refuses itself.
    """
    return serializer in registry._encoders and not is_json(serializer)  # noqa: SLF001  # as above


def to_wire(value: Any, app: Celery | None = None) -> Any:
    """``value`` as plain JSON, as a message of ``app`` holds it.

    Raises:
        EncodeError: the serializer cannot carry it.
    """
    try:
        return json.loads(_encoder(app)(value))
    except EncodeError:
        raise
    except Exception as error:  # a serializer of the app's own raises what it likes
        raise EncodeError(error) from error


def from_wire(value: Any, app: Celery | None = None) -> Any:
    """The value that ``to_wire`` wrote: dates, decimals and the like rebuilt."""
    text = json.dumps(value)
    return json_loads(text) if _is_kombus(app) else registry._decoders[_JSON](text)  # noqa: SLF001  # as above


def _is_kombus(app: Celery | None) -> bool:
    return app is None or app.conf.task_serializer == "json"


def _encoder(app: Celery | None) -> Callable[[Any], Any]:
    if app is None or _is_kombus(app):
        return json_dumps
    return registry._encoders[app.conf.task_serializer].encoder  # type: ignore[no-any-return]  # noqa: SLF001  # as above


def error_wire(app: Celery, error: BaseException) -> ErrorWire:
    """``error`` as the result backend stores it: type, module and arguments.

    One that cannot be made again is stored as Celery's tracer hands it on: as the nearest of its
    base classes that can, or in an ``UnpickleableExceptionWrapper``.
    """
    kept = portable(error)
    kind = type(kept)
    stored: ErrorWire = {
        "exc_type": getattr(kind, "__qualname__", kind.__name__),
        "exc_message": ensure_serializable(list(kept.args), lambda one: to_wire(one, app)),
        "exc_module": kind.__module__,
    }
    wired: ErrorWire = to_wire(stored, app)
    return wired


def portable(error: BaseException) -> BaseException:
    """The error that Celery's tracer stores for this one."""
    kept: BaseException = get_pickleable_exception(error)  # type: ignore[arg-type]  # any will do
    return kept
