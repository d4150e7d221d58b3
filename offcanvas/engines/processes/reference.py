"""Large values by reference: a result that a task has stored need not travel a second time.

A value of more than ``LARGE`` bytes is left in the app's result backend, where its task has put
it, and what goes through the server is where it stands. The walker never looks into values, so
that it carries references like any other. Whoever is called with one gets the value.

A reference is told from a value by its place: only what the walker hands on is looked through
(``TaskCall.given``), never what a canvas was called with. And of what a task has returned nothing
can be taken for a reference: a value that looks like one is wrapped (``_PLAIN``) until it is handed
over.

A value stays inline where there is no result backend. A reference lasts as long as the result:
``result_expires``, a day unless set otherwise.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from celery import states

from offcanvas.canvas.calls import (
    FAILURE,
    RETRY,
    STORED_TEXT,
    SUCCESS,
    ErrorWire,
    TaskCall,
    TaskOutcome,
)
from offcanvas.celery_app.values import error_wire, to_wire

if TYPE_CHECKING:
    from celery import Celery

#: Bytes of JSON that go through the server: a history holds 50 MB, and a chord's body is called
#: with the values of all its header.
LARGE = 1_024
#: The same for an exception, which people read in Prefect's and Temporal's UI.
LARGE_ERROR = 32_768
#: Characters that are left of the text of a larger one.
_SHOWN = 1_000

#: The result with this id.
_RESULT = "__offcanvas_result__"
#: A value that looks like one of these.
_PLAIN = "__offcanvas_plain__"
_MARKS = ({_RESULT}, {STORED_TEXT}, {_PLAIN})


def shortened(app: Celery, call: TaskCall, outcome: TaskOutcome, full: TaskCall) -> TaskOutcome:
    """The outcome as it goes through the server, with references for what is large.

    ``full`` is ``call`` as the task has seen it.
    """
    if outcome.state == SUCCESS:
        return replace(outcome, value=_short(app, outcome.value, call.task_id))
    if outcome.state == FAILURE and outcome.error is not None:
        return replace(outcome, error=short_error(outcome.error, call.task_id))
    if outcome.state == RETRY and outcome.retry is not None:
        args = outcome.retry["args"]
        if args == full.signature["args"]:
            again = {**outcome.retry, "args": call.signature["args"]}
            return replace(outcome, retry=again, given=call.given)
        if len(json.dumps(args)) > LARGE:
            again = {**outcome.retry, "args": [_short(app, arg) for arg in args]}
            return replace(outcome, retry=again, given=len(args))
    return outcome


def _short(app: Celery, value: Any, stored_as: str | None = None) -> Any:
    if len(json.dumps(value)) <= LARGE:
        return _wrapped(value)
    try:
        if stored_as is not None:
            stored = app.backend.get_task_meta(stored_as, cache=False)
            if stored["status"] == states.SUCCESS:
                return {_RESULT: stored_as}
        return {STORED_TEXT: [store_text(app, json.dumps(value))]}
    except NotImplementedError:  # there is no result backend
        return _wrapped(value)


def store_text(app: Celery, text: str, place: str | None = None) -> str:
    """Store a part of a JSON text as the result with the id ``place``; returns that id."""
    place = place or str(uuid.uuid4())
    app.backend.store_result(place, text, states.SUCCESS)
    return place


def _wrapped(value: Any) -> Any:
    if isinstance(value, list):
        return [_wrapped(item) for item in value]
    return {_PLAIN: value} if _is_marked(value) else value


def _is_marked(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() in _MARKS


def resolved(app: Celery, call: TaskCall) -> TaskCall:
    """The call with the values that its references stand for.

    Raises:
        LookupError: a result has expired or was forgotten, or is none that was stored here.
    """
    args = call.signature["args"]
    found = [_resolved(app, arg) for arg in args[: call.given]]
    return replace(call, signature={**call.signature, "args": [*found, *args[call.given :]]})


def _resolved(app: Celery, arg: Any) -> Any:
    if isinstance(arg, list):
        return [_resolved(app, item) for item in arg]
    if not _is_marked(arg):
        return arg
    ((mark, said),) = arg.items()
    if mark == _PLAIN:
        return said
    if mark == _RESULT:
        return to_wire(_stored(app, said), app)
    return _resolved(app, json.loads("".join(_stored(app, place) for place in said)))


def _stored(app: Celery, place: str) -> Any:
    stored = app.backend.get_task_meta(place, cache=False)
    if stored["status"] != states.SUCCESS:
        raise LookupError(
            f"the result of {place} is no longer in the result backend; set result_expires to more "
            f"than the time that a canvas takes"
        )
    return stored["result"]


def stored_text(app: Celery, place: str) -> str:
    """What ``store_text`` has stored there.

    Raises:
        LookupError: it is no longer there.
    """
    text: str = _stored(app, place)
    return text


def short_error(error: ErrorWire, stored_as: str | None, most: int = LARGE_ERROR) -> ErrorWire:
    """The error as it goes through the server: of a large one its beginning, and where it stands.

    Large is what has more than ``most`` bytes. The keys of an error are ours: nothing of the user's
    is looked at.
    """
    if len(json.dumps(error)) <= most or _RESULT in error:
        return error
    where = {} if stored_as is None else {_RESULT: stored_as}
    return {**error, "exc_message": f"{error['exc_message']}"[:_SHOWN], **where}


def full_error(app: Celery, error: ErrorWire) -> ErrorWire:
    """The error that ``shortened`` has cut, as its task has stored it; what is left of it if that
    is no longer there.
    """
    if _RESULT not in error:
        return error
    stored = app.backend.get_task_meta(error[_RESULT], cache=False)
    if stored["status"] == states.FAILURE and isinstance(stored["result"], Exception):
        return error_wire(app, stored["result"])
    return {name: part for name, part in error.items() if name != _RESULT}
