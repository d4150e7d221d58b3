"""The file in which worker processes write down what they run; see ``celery_app.recorder``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kombu.utils.json import loads

from offcanvas.celery_app.recorder import LEDGER


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was written to ``path``; one file for each engine."""

    path: Path

    def entries(self) -> list[dict[str, Any]]:
        """All entries, in the order in which they were written."""
        if not self.path.exists():
            return []
        return [loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]

    def clear(self) -> None:
        """Forget them; processes go on writing to the same file."""
        self.path.write_bytes(b"")

    @contextmanager
    def named(self) -> Iterator[None]:
        """This process, and processes that it starts meanwhile, write here."""
        before = os.environ.get(LEDGER)
        os.environ[LEDGER] = str(self.path)
        try:
            yield
        finally:
            if before is None:
                del os.environ[LEDGER]
            else:
                os.environ[LEDGER] = before
