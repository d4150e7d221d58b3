"""From a flow run's final state to what the caller gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import State
from prefect.results import ResultRecordMetadata  # type: ignore[attr-defined]  # it re-exports

from shared.contract import Outcome
from shared.errors import UsageError


def outcome_of(state: State[Any]) -> Outcome:
    """The total, or the original exception's type and text, in neither case Prefect's wrapping.

    A flow run that was cut short (Crashed, Cancelled) has no exception of ours: the state tells.

    Raises:
        UsageError: the result cannot be read from here.
    """
    result = result_of(state)
    if state.is_completed():
        return Outcome(total_pages=result)
    if isinstance(result, BaseException):
        return Outcome(
            error_type=type(result).__name__, error_text=str(result), wrapped_in=state.name
        )
    return Outcome(error_type=state.name, error_text=state.message, wrapped_in=state.name)


def result_of(state: State[Any]) -> Any:
    """The persisted result: what the flow has returned, or raised.

    Read as a file, not by `state.result()`: that asks the server which storage is the default
    one, by Prefect's own settings, and where they name no server it starts one.
    """
    if not isinstance(state.data, ResultRecordMetadata) or state.data.storage_key is None:
        return state.data
    file = Path(state.data.storage_key)
    try:
        return state.data.serializer.loads(file.read_bytes())
    except FileNotFoundError:
        raise UsageError(
            f"the flow run's result is not at {file}: let worker and caller share ROLLS_DIR, "
            "under the same path"
        ) from None
