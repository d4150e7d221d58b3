"""What a message is about: the run and the item, read from its arguments.

Every task of ours takes the run id first, or by keyword where it follows another task, and then at
most one item. Celery's own starmap task carries its calls as a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.ledger import WHOLE_RUN


def subject(task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[str | None, str]:
    """`(run id, item)`; the run id is None for a task that belongs to no run."""
    if task == "celery.starmap":
        return _calls(list(kwargs["it"]))
    if "run_id" in kwargs:
        return str(kwargs["run_id"]), str(kwargs.get("index", WHOLE_RUN))
    if not args or not isinstance(args[0], str):
        return None, WHOLE_RUN
    return args[0], str(args[1]) if len(args) > 1 else WHOLE_RUN


def _calls(calls: Sequence[Sequence[Any]]) -> tuple[str | None, str]:
    if not calls:
        return None, WHOLE_RUN
    (run_id, first), (_, last) = calls[0], calls[-1]
    return str(run_id), str(first) if len(calls) == 1 else f"{first}..{last}"
