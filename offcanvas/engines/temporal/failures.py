"""Failures of tasks and canvases where Temporal's own tools look for them.

A failed task is a failed activity and a failed canvas a failed workflow, with the type and the text
of the task's error. The walk and the caller need more than that: it travels in the failure's
details, which the SDK's standard converters carry, whichever others a client adds.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

from temporalio.exceptions import ApplicationError

from offcanvas.canvas.calls import FAILURE, REFUSED, REVOKED, End, ErrorWire
from offcanvas.canvas.title import shortened
from offcanvas.engines.temporal.payload import LARGE

#: Bytes of an error's text; the whole of it is in the result backend.
LONGEST = 2_000
_KEY, _COMPRESSED = "offcanvas", "offcanvas_zlib"


def failure(error: ErrorWire, detail: Any) -> ApplicationError:
    """The task's error as Temporal shows it; it is never retried: the task has decided.

    ``detail`` is plain JSON, for ``detail_of``.
    """
    text = json.dumps(detail, separators=(",", ":"))
    if len(text) > LARGE:
        packed = {_COMPRESSED: base64.b64encode(zlib.compress(text.encode())).decode()}
    else:
        packed = {_KEY: detail}
    return ApplicationError(
        shortened(_text_of(error), LONGEST), packed, type=error["exc_type"], non_retryable=True
    )


def detail_of(error: BaseException | None) -> Any:
    """What ``failure`` was given; None if the error is not one of its."""
    if not isinstance(error, ApplicationError) or not error.details:
        return None
    (first, *_) = error.details
    if not isinstance(first, dict):
        return None
    if _COMPRESSED in first:
        return json.loads(zlib.decompress(base64.b64decode(first[_COMPRESSED])))
    return first.get(_KEY)


def error_of(ends: Sequence[End]) -> ErrorWire | None:
    """The error with which a canvas of these ends has failed; None if it has not."""
    for end in ends:
        if end.state in {FAILURE, REVOKED, REFUSED} and end.error is not None:
            return end.error
    return None


def _text_of(error: ErrorWire) -> str:
    # As str() of an exception: one argument as it is, several as a tuple.
    args = error["exc_message"]
    if not isinstance(args, list | tuple):
        return str(args)
    if len(args) == 1:
        return str(args[0])
    return str(tuple(args)) if args else ""
