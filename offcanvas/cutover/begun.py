"""In Celery's workers: the first message of a claim runs, and a repetition of it does not.

A hook of every task, ``before_start``, which Celery's tracer calls before the body: a task that
raises ``Ignore`` there has not begun. Without a claim in the message it costs a look into a dict.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from celery import Task, signals
from celery import states as celery_states
from celery.exceptions import Ignore

from offcanvas.cutover.claims import FAILURE, SUCCESS
from offcanvas.cutover.errors import ClaimsUnavailable
from offcanvas.cutover.ways.celery import HEADER

if TYPE_CHECKING:
    from offcanvas.cutover.router import CutOver

log = logging.getLogger(__name__)

#: Seconds for which a task waits for claims that are down, and those until it is tried again.
_PATIENCE, _LATER = 5.0, 10.0
_open: list[CutOver] = []
_HOOKED = "__offcanvas_hooked__"


def watch(router: CutOver) -> None:
    """Let claims decide what begins, in workers of the router's app."""
    _open.append(router)
    _hook(Task)
    # Classes with a hook of their own are there once the worker has imported its tasks.
    signals.worker_init.connect(_hook_all, dispatch_uid="offcanvas-cutover", weak=False)
    signals.task_postrun.connect(_note_end, dispatch_uid="offcanvas-cutover-end", weak=False)


def unwatch(router: CutOver) -> None:
    """The opposite of ``watch``; the hook stays, and finds nobody to ask."""
    if router in _open:
        _open.remove(router)


def _hook_all(**_: Any) -> None:
    for router in _open:
        for task in router.app.tasks.values():
            for cls in type(task).__mro__:
                if "before_start" in vars(cls):
                    _hook(cls)


def _hook(cls: Any) -> None:
    own = vars(cls)["before_start"]
    if getattr(own, _HOOKED, False):
        return

    # Not by functools.wraps: of Task itself Celery calls this method only if it is not Celery's.
    def before_start(self: Any, task_id: str, args: Any, kwargs: Any) -> Any:
        require_first(self, task_id)
        return own(self, task_id, args, kwargs)

    setattr(before_start, _HOOKED, True)
    cls.before_start = before_start


def _claim_of(task: Any) -> Any:
    headers = task.request.headers
    return headers.get(HEADER) if headers else None


def require_first(task: Any, task_id: str) -> None:
    """Nothing if the message may run.

    Raises:
        Ignore: another message for the same order has begun before.
        Retry: the claims cannot be asked; the message comes again.
    """
    found = _claim_of(task)
    if not found or task.request.is_eager:
        return
    router = next((one for one in _open if one.app is task.app), None)
    if router is None:
        return
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            if router.claims.begin(found["id"], task_id, found["token"]):
                return
            break
        except ClaimsUnavailable as error:
            if time.monotonic() > deadline:
                log.warning("%s is tried again in %g s: %s", task_id, _LATER, error)
                raise task.retry(exc=error, countdown=_LATER, max_retries=None) from error
            time.sleep(0.5)
    log.info("%s: sent twice, runs once; this message is ignored", task_id)
    raise Ignore("sent twice, runs once")


def _note_end(task: Any = None, task_id: str = "", state: str | None = None, **_: Any) -> None:
    """The end of a task whose result nobody keeps; of others the stored result tells."""
    found = _claim_of(task)
    if not found or not task.request.ignore_result or found["id"] != task_id:
        return
    if state not in {celery_states.SUCCESS, celery_states.FAILURE}:
        return
    router = next((one for one in _open if one.app is task.app), None)
    if router is None:
        return
    try:
        made = router.claims.get(task_id)
        took = None if made is None else router.claims.now() - made.made
        ended = SUCCESS if state == celery_states.SUCCESS else FAILURE
        router.claims.end(task_id, ended, took)
    except ClaimsUnavailable as error:
        log.warning("the end of %s is not noted: %s", task_id, error)
