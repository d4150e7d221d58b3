"""A message says when it was sent, which Celery does not tell."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

# The header, in UTC seconds.
SENT_AT = "offcanvas_sent_at"


def stamp(headers: dict[str, Any], **_: Any) -> None:
    """Receiver of `before_task_publish`."""
    headers[SENT_AT] = time.time()


def due(message: dict[str, Any]) -> float | None:
    """When the message was sent, or is due if that is later; None if it does not say."""
    sent = message.get(SENT_AT)
    if sent is None:
        return None
    eta = message.get("eta")
    return max(float(sent), datetime.fromisoformat(eta).timestamp() if eta else 0.0)
