"""The sweep: what was claimed and not sent is sent, ends are seen, roots in trouble are stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from celery import states as celery_states
from celery.utils.serialization import create_exception_cls

from offcanvas.cutover import guard
from offcanvas.cutover.calls import load
from offcanvas.cutover.claims import GONE, Claim
from offcanvas.cutover.decision import CELERY
from offcanvas.cutover.edit import stop
from offcanvas.cutover.router import CutOver
from offcanvas.cutover.ways.base import Ended, Refused
from offcanvas.errors import line_of

log = logging.getLogger(__name__)

#: Claims that one sweep looks at.
_MOST = 1_000


@dataclass(slots=True)
class Swept:
    """What one sweep has done.

    Attributes:
        sent: claims that were sent.
        seen: ends that were seen.
        moved: claims that were moved back to Celery.
        stopped: roots that their guard has stopped, with why.
        troubles: what could not be done, one line each.
    """

    sent: int = 0
    seen: int = 0
    moved: int = 0
    stopped: list[str] | None = None
    troubles: list[str] | None = None

    def trouble(self, what: str) -> None:
        """Note one."""
        self.troubles = [*(self.troubles or []), what]


def sweep(router: CutOver, *, older: float = 30.0, ends: bool = True) -> Swept:
    """One sweep.

    Args:
        router: an open or closed one.
        older: seconds after which a claim that is not known to be sent counts as never sent.
        ends: whether ends are looked for as well, and guards asked.

    Raises:
        ClaimsUnavailable: the claims cannot be asked.
    """
    done = Swept()
    for claim in router.claims.unsent(older, _MOST):
        what = _move if claim.redo else _send
        _try(done, claim, partial(what, router, claim, done))
    if not ends:
        return done
    for claim in router.claims.open(_MOST):
        what = _move if claim.redo else _see
        _try(done, claim, partial(what, router, claim, done))
    done.stopped = _guard(router)
    return done


def _try(done: Swept, claim: Claim, what: Callable[[], None]) -> None:
    try:
        what()
    except Exception as error:  # one order must not keep the others
        done.trouble(f"{claim.id} ({claim.root}, {claim.engine}): {line_of(error)}")


def _send(router: CutOver, claim: Claim, done: Swept) -> None:
    rule = router.live.now.roots.get(claim.root)
    call = load(claim.call, router.app)
    ready = router.way(claim.engine, rule).ready(call)
    if claim.engine == CELERY and 0 < ready.entries <= router.claims.begun_tasks(claim.id):
        # A canvas of which every message has begun was sent; another one would be ignored, and
        # leave a chord open that nobody ends.
        router.claims.note_sent([claim.id])
        return
    try:
        ready.send()
    except Refused as refused:
        router.claims.end(claim.id, GONE, None)
        raise refused.cause from refused
    router.claims.note_sent([claim.id])
    done.sent += 1


def _see(router: CutOver, claim: Claim, done: Swept) -> None:
    rule = router.live.now.roots.get(claim.root)
    ended = router.way(claim.engine, rule).ended(claim)
    if ended is None:
        return
    if not ended.stored:
        _store(router.app, claim.id, ended)
    took = None if ended.at is None else max(0.0, ended.at - claim.made)
    router.claims.end(claim.id, ended.state, took)
    done.seen += 1


def _store(app: Any, task_id: str, ended: Ended) -> None:
    """The outcome of a port under the id in Celery's backend, for ``AsyncResult(id).get()``."""
    if ended.error is None:
        app.backend.store_result(task_id, ended.value, celery_states.SUCCESS)
        return
    kind, text = ended.error
    error = create_exception_cls(kind.rpartition(".")[2], "offcanvas.cutover")(text)
    app.backend.store_result(task_id, error, celery_states.FAILURE)


def _move(router: CutOver, claim: Claim, done: Swept) -> None:
    rule = router.live.now.roots.get(claim.root)
    if not router.way(claim.engine, rule).cut_short(claim):
        _see(router, claim, done)
        return
    router.claims.redo(claim.id, moved=True)
    moved = router.claims.get(claim.id)
    if moved is not None:
        _send(router, moved, done)
        done.moved += 1


def redo(router: CutOver, root: str) -> int:
    """Mark what is in flight on the engine to be moved back to Celery by the sweep; how many."""
    count = 0
    for claim in [*router.claims.open(100_000, root), *_unsent_of(router, root)]:
        if claim.engine != CELERY:
            router.claims.redo(claim.id, moved=False)
            count += 1
    return count


def _unsent_of(router: CutOver, root: str) -> list[Claim]:
    return [one for one in router.claims.unsent(0.0, 100_000) if one.root == root]


def _guard(router: CutOver) -> list[str]:
    stopped = []
    for rule in router.live.now.roots.values():
        if rule.guard is None or (rule.percent == 0 and not rule.on):
            continue
        why = guard.trouble(router.claims.since(rule.guard.within), rule, router.claims.now())
        if why:
            stop(Path(router.live.path), rule.root, why)
            log.error("%s is rolled back: %s", rule.root, why)
            stopped.append(f"{rule.root}: {why}")
    return stopped
