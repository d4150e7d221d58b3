"""Kept results: what was measured, when, and on which machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from comparisons.machine import environment


def keep(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write them as JSON, with the load of the last minute."""
    raw = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": environment(),
        "load": os.getloadavg()[0],
        "rows": list(rows),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
