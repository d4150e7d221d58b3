"""The ledger: what was meant, what was done, and how often.

lost      = intents without an effect
repeated  = effects beyond one per item
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import probe
from shared.database import on_commit
from shared.models import Effect, Intent
from shared.upsert import insert_missing

WHOLE_RUN = "*"


def intend(session: Session, run_id: str, step: str, items: Iterable[str]) -> None:
    """Note what the run is going to execute; noting it again changes nothing."""
    rows = [{"run_id": run_id, "step": step, "item": item} for item in items]
    insert_missing(session, Intent, rows)


@dataclass(frozen=True, slots=True)
class StepClock:
    """Remembers when a step began, to write the effect when it commits."""

    run_id: str
    step: str
    item: str
    attempt: int
    started_at: float

    @classmethod
    def start(cls, run_id: str, step: str, item: str, attempt: int) -> StepClock:
        """Begin now. `attempt` counts from 1."""
        clock = cls(run_id, step, item, attempt, time.time())
        clock._reached(probe.STARTED)
        return clock

    def leave_effect(self, session: Session) -> None:
        """Add the effect to the step's own transaction, so that both are there or neither is."""
        session.add(
            Effect(
                run_id=self.run_id,
                step=self.step,
                item=self.item,
                attempt=self.attempt,
                worker=worker_name(),
                started_at=self.started_at,
                finished_at=time.time(),
            )
        )
        if probe.probing():
            session.flush()
            self._reached(probe.IN_TRANSACTION)
            on_commit(session, lambda: self._reached(probe.COMMITTED))
            on_commit(session, lambda: self._reached(probe.FINISHED))

    def _reached(self, point: str) -> None:
        probe.reached(point, self.run_id, self.step, self.item, self.attempt)


def worker_name() -> str:
    """`host:pid`, with the thread's name where it is not the main thread."""
    name = f"{socket.gethostname()}:{os.getpid()}"
    thread = threading.current_thread()
    return name if thread is threading.main_thread() else f"{name}/{thread.name}"[:120]


@dataclass(frozen=True, slots=True)
class Balance:
    """A run's intents against its effects, as counts per (step, item)."""

    executed: Counter[tuple[str, str]]
    lost: frozenset[tuple[str, str]]

    @property
    def repeated(self) -> Counter[tuple[str, str]]:
        """Executions beyond the first, per (step, item)."""
        return Counter({key: n - 1 for key, n in self.executed.items() if n > 1})


def balance(session: Session, run_id: str) -> Balance:
    """What the ledger says about a run."""
    meant = session.execute(select(Intent.step, Intent.item).where(Intent.run_id == run_id)).all()
    done = session.execute(select(Effect.step, Effect.item).where(Effect.run_id == run_id)).all()
    executed = Counter((step, item) for step, item in done)
    lost = frozenset((step, item) for step, item in meant if (step, item) not in executed)
    return Balance(executed=executed, lost=lost)


def effects(session: Session, run_id: str) -> list[Effect]:
    """The effects of a run in the order in which they were committed."""
    query = select(Effect).where(Effect.run_id == run_id).order_by(Effect.effect_id)
    return list(session.scalars(query))
