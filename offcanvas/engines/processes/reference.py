"""Large values by reference: a result that a task has stored need not travel a second time.

A value of more than ``LARGE`` bytes is left in the app's result backend, where its task has put
it, and what goes through the server is where it stands. The walker never looks into values, so
that it carries references like any other. Whoever is called with one gets the value.

A value stays inline where it is not stored: tasks that ignore their results, apps without a result
backend. A reference lasts as long as the result: ``result_expires``, a day unless set otherwise.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from celery import states

from offcanvas.engines.values import to_wire
from offcanvas.engines.walker import SUCCESS, TaskCall, TaskOutcome

if TYPE_CHECKING:
    from celery import Celery

#: Bytes of JSON that go through the server: a history holds 50 MB, and a chord's body is called
#: with the values of all its header.
LARGE = 1_024

_KEY = "__offcanvas_result__"


def shortened(app: Celery, call: TaskCall, outcome: TaskOutcome) -> TaskOutcome:
    """The outcome with a reference for a value that is large and stored."""
    if outcome.state != SUCCESS or len(json.dumps(outcome.value)) <= LARGE:
        return outcome
    stored = app.backend.get_task_meta(call.task_id, cache=False)
    if stored["status"] != states.SUCCESS:
        return outcome
    return replace(outcome, value={_KEY: call.task_id})


def resolved(app: Celery, call: TaskCall) -> TaskCall:
    """The call with the values that its references stand for.

    Raises:
        LookupError: a result has expired or was forgotten.
    """
    args = [_resolved(app, arg) for arg in call.signature["args"]]
    return replace(call, signature={**call.signature, "args": args})


def _resolved(app: Celery, arg: Any) -> Any:
    if isinstance(arg, list):
        return [_resolved(app, item) for item in arg]
    if isinstance(arg, dict) and arg.keys() == {_KEY}:
        stored = app.backend.get_task_meta(arg[_KEY], cache=False)
        if stored["status"] != states.SUCCESS:
            raise LookupError(
                f"the result of {arg[_KEY]} is no longer in the result backend; set result_expires "
                f"to more than the time that a canvas takes"
            )
        return to_wire(stored["result"])
    return arg
