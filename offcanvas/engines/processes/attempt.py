"""One attempt at a task in a pool of processes, whatever becomes of its process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from offcanvas.celery_app.time_limits import limits_of
from offcanvas.engines.processes import process
from offcanvas.engines.processes.counted import Counted
from offcanvas.engines.processes.pool import OutOfTimeError, Pool, ProcessLostError

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.calls import TaskCall


async def attempt(
    app: Celery,
    pool: Pool,
    call: TaskCall,
    raw: Mapping[str, Any],
    *,
    work: Callable[..., dict[str, Any]] = process.run_task,
    patient: Callable[[], bool] = lambda: False,
    engine: str = "",
    sent: float | None = None,
) -> dict[str, Any]:
    """``work(raw)`` within the task's hard limit; the outcome as JSON.

    ``raw`` is ``call`` and what else ``work`` needs; ``patient`` is that of ``Pool.do``. Metrics
    count it as one of ``engine``, sent at the moment ``sent``, now unless given.

    Raises:
        ProcessLostError: the process has died with a task that wants to run again: ``acks_late``
            and ``reject_on_worker_lost``.
    """
    counted = Counted(engine, call.name, sent)
    limit, _ = limits_of(app, call)
    if limit is not None:  # which begins with the task, not with waiting for the result backend
        await pool.do(process.storage_proven, None)
    try:
        outcome = await pool.do(work, raw, limit=limit, patient=patient, begun=counted.begun)
    except OutOfTimeError:
        counted.timed_out()
        return await pool.do(process.time_out_task, raw, limit)
    except ProcessLostError as error:
        task = app.tasks.get(call.name)
        again = bool(task is not None and task.acks_late and task.reject_on_worker_lost)
        counted.lost(again=again)
        if again:
            raise
        return await pool.do(process.lose_task, {**raw, "why": str(error)})
    except asyncio.CancelledError:  # with the canvas, or by a revoke
        counted.revoked()
        raise
    except BaseException:
        counted.not_begun()
        raise
    counted.ended(outcome["state"])
    return outcome
