"""Whether a task stores what it comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offcanvas.canvas.calls import TaskCall


def ignores_result(task: Any, call: TaskCall | None) -> bool:
    """By ``ignore_result``, of the call or of the task (``trace.get_actual_ignore_result``)."""
    options = {} if call is None else call.signature["options"]
    return bool(options.get("ignore_result", task.ignore_result))


def stores_errors(task: Any, call: TaskCall | None) -> bool:
    """Whether it is stored if it fails (``TraceInfo.handle_error_state``)."""
    return not ignores_result(task, call) or bool(task.store_errors_even_if_ignored)
