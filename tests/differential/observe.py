"""Run an example on an engine and write down what can be compared."""

import json
import time
from collections import Counter
from dataclasses import replace

from celery.exceptions import TimeoutError as CeleryTimeoutError

from offcanvas.canvas import wire
from offcanvas.celery_app.asking import sent
from offcanvas.celery_app.freezing import Prepared, prepare
from offcanvas.celery_app.recorder import record_if_asked
from offcanvas.checking.seen import UUID, Seen, seen
from offcanvas.engines.base import Outcome
from offcanvas.engines.memory.engine import MemoryEngine, memory_backend
from offcanvas.engines.outcome import outcome_of
from offcanvas.errors import BadCanvas
from tests.differential.tasks import app, sentinel

#: The answer of an engine whose own code failed in the caller.
FAILS = "fails in its own code"


def _refused(answer):
    return Seen(frozenset({answer}), Counter(), Counter())


def on_memory(example, worker, engine=None, *, strict=True):
    """What the oracle does; nothing is left behind."""
    book = worker.book
    book.clear()
    with memory_backend(app), book.named():
        record_if_asked()
        prepared = _prepared(example, strict=strict)
        if isinstance(prepared, Seen):
            return prepared
        (engine or MemoryEngine()).walk(app, prepared, strict=strict)
        outcome = outcome_of(prepared.result, timeout=0.001, interval=0.001)
        return seen(replace(outcome, plan=prepared.plan), book.entries())


class Together:
    """Examples side by side on Temporal or Prefect, with everything that they start."""

    def __init__(self, examples, engine):
        self._engine = engine
        self._prepared = [_prepared(example) for example in examples]

    def walk(self):
        """Walk them all; may be called from any thread."""
        self._engine.book.clear()
        plans = [one.plan for one in self._prepared if isinstance(one, Prepared) and one.plan]
        assert not plans or self._engine.walk(plans), "one does not end"

    def seen(self):
        """What each has done."""
        entries = self._engine.book.entries()
        return [self._one(prepared, entries) for prepared in self._prepared]

    def _one(self, prepared, entries):
        if isinstance(prepared, Seen):
            return prepared
        ids = _ids(prepared.plan)
        own = [entry for entry in entries if not ids.isdisjoint(_named(entry))]
        outcome = outcome_of(prepared.result, timeout=0.1, interval=0.02)
        return seen(replace(outcome, plan=prepared.plan), own)


def _prepared(example, *, strict=True):
    """The example ready to run, or what is seen where it is refused."""
    try:
        prepared = prepare(app, example.build(), example.args, strict=strict)
        return sent(app, prepared, asked=False)
    except (TypeError, BadCanvas) as error:
        return _refused(f"refused: {error}")


def _ids(plan):
    """Every id in the plan; what a task starts has one of them for its root."""
    return set() if plan is None else set(UUID.findall(json.dumps(wire.plain(plan))))


def _named(entry):
    """The ids that tell whose entry it is; of an errback, whom it was told of."""
    told = entry["args"][:1] if entry["event"] == "called" else [entry["id"]]
    return {entry["root"], *told}


def on_celery(example, worker):
    """What a real worker does, after everything it started has come to rest.

    One that will never come to rest is replaced: Celery's join of a chord whose header holds a
    group has no limit for the group's members, and the process that joins waits for ever.
    """
    book = worker.book
    book.clear()
    try:
        result = example.build().apply_async(example.args)
    except TypeError as error:
        settle(worker)
        return _refused(f"refused: {error}")
    except (IndexError, AttributeError):
        # Celery's own code, on an empty chain where it expects a task.
        settle(worker)
        return _refused(FAILS)
    if not settle(worker):
        worker.renew()
    # All that will ever be stored is stored.
    outcome: Outcome = outcome_of(result, timeout=0.1, interval=0.02)
    return seen(outcome, [one for one in book.entries() if one["name"] != sentinel.name])


def settle(worker):
    """Wait until the worker, which takes one message at a time, has nothing left to do.

    A sentinel comes back when all that was sent before it is done; what that has sent in turn
    stands behind it. Two sentinels without the end of any task between them, and no message that
    the worker keeps for later (a retry, a countdown): at rest. False if the worker will never take
    the next message.
    """
    before = None
    while True:
        if not _answers(worker):
            return False
        if worker.keeps_messages():
            before = None
            time.sleep(0.01)
            continue
        after = sum(
            one["event"] == "ended" and one["name"] != sentinel.name
            for one in worker.book.entries()
        )
        if after == before:
            return True
        before = after


def _answers(worker):
    """Whether a sentinel comes back."""
    answer = sentinel.delay()
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            answer.get(timeout=5, interval=0.005)
        except CeleryTimeoutError:
            if worker.blocks():
                return False
        else:
            return True
    raise AssertionError("the worker is at work, and answers nothing")
