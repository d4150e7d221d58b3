"""What a workflow that is not the kit's is given: parameters by name, as plain JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from offcanvas.cutover.calls import Call
from offcanvas.cutover.errors import NotCarried
from offcanvas.cutover.ways.base import CARRIED


def require_carried(call: Call) -> None:
    """See that the call says nothing that would be lost.

    Raises:
        NotCarried: it has a callback, an expiry, or another option that a port cannot be told.
    """
    lost = sorted(
        name
        for name, value in call.options.items()
        if name not in CARRIED | _OF_MESSAGES and value not in (None, [], {}, ())
    )
    if lost:
        raise NotCarried(
            f"{call.signature['task']} goes to a port, which cannot be told of {', '.join(lost)}; "
            "take it out of the call, write it into the port, or run the root by the kit"
        )


_OF_MESSAGES = frozenset(
    {"queue", "routing_key", "exchange", "priority", "headers", "serializer", "compression"}
    | {"retry", "retry_policy", "delivery_mode", "producer", "connection", "router", "result_cls"}
    | {"task_type", "add_to_parent", "publisher", "time_limit", "soft_time_limit", "shadow"}
)


def plain(value: Any) -> Any:
    """A value as JSON has it: times in ISO 8601, decimals and ids as text."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    return value


def begins_at(options: Mapping[str, Any]) -> datetime | None:
    """When the call is to begin, if not at once."""
    eta, countdown = options.get("eta"), options.get("countdown")
    if countdown is not None:
        return datetime.now(UTC) + timedelta(seconds=float(countdown))
    if eta is None:
        return None
    moment = datetime.fromisoformat(eta) if isinstance(eta, str) else eta
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
