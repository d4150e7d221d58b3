"""One attempt at a task in a pool of processes, whatever becomes of its process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from offcanvas.engines.processes import process
from offcanvas.engines.processes.pool import OutOfTimeError, Pool, ProcessLostError
from offcanvas.engines.time_limits import limits_of

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.engines.walker import TaskCall


async def attempt(
    app: Celery,
    pool: Pool,
    call: TaskCall,
    raw: Mapping[str, Any],
    *,
    work: Callable[..., dict[str, Any]] = process.run_task,
    patient: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """``work(raw)`` within the task's hard limit; the outcome as JSON.

    ``raw`` is ``call`` and what else ``work`` needs; ``patient`` is that of ``Pool.do``.

    Raises:
        ProcessLostError: the process has died with a task that wants to run again: ``acks_late``
            and ``reject_on_worker_lost``.
    """
    limit, _ = limits_of(app, call)
    try:
        return await pool.do(work, raw, limit=limit, patient=patient)
    except OutOfTimeError:
        return await pool.do(process.time_out_task, raw, limit)
    except ProcessLostError as error:
        task = app.tasks.get(call.name)
        if task is not None and task.acks_late and task.reject_on_worker_lost:
            raise
        return await pool.do(process.lose_task, {**raw, "why": str(error)})
