"""Run an example on an engine and write down what can be compared."""

from collections import Counter
from dataclasses import replace

from offcanvas.check.seen import Seen, seen
from offcanvas.engines.base import Outcome
from offcanvas.engines.memory import MemoryEngine, memory_backend
from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.prepare import prepare
from offcanvas.engines.recorder import record_if_asked
from offcanvas.errors import BadCanvas
from tests.differential.tasks import app, sentinel

#: The answer of an engine whose own code failed in the caller.
FAILS = "fails in its own code"


def _refused(answer):
    return Seen(frozenset({answer}), Counter(), Counter())


def on_memory(example, book, engine=None, *, strict=True):
    """What the oracle does; nothing is left behind."""
    book.clear()
    with memory_backend(app), book.named():
        record_if_asked()
        try:
            prepared = prepare(app, example.build(), example.args, strict=strict)
        except (TypeError, BadCanvas) as error:
            return _refused(f"refused: {error}")
        (engine or MemoryEngine()).walk(app, prepared, strict=strict)
        outcome = outcome_of(prepared.result, timeout=0.001, interval=0.001)
        return seen(replace(outcome, plan=prepared.plan), book.entries())


def on_engine(example, book, calls, *, strict=True):
    """What Temporal or Prefect does with a worker of its own, with everything that was started."""
    book.clear()
    try:
        prepared = prepare(app, example.build(), example.args, strict=strict)
    except (TypeError, BadCanvas) as error:
        return _refused(f"refused: {error}")
    if prepared.plan is not None:
        assert calls.walk(app, prepared.plan, strict=strict, timeout=600), "it does not end"
    outcome = outcome_of(prepared.result, timeout=0.1, interval=0.02)
    return seen(replace(outcome, plan=prepared.plan), book.entries())


def on_celery(example, book):
    """What a real worker does, after everything it started has come to rest."""
    book.clear()
    try:
        result = example.build().apply_async(example.args)
    except TypeError as error:
        settle(book)
        return _refused(f"refused: {error}")
    except (IndexError, AttributeError):
        # Celery's own code, on an empty chain where it expects a task.
        settle(book)
        return _refused(FAILS)
    settle(book)
    # All that will ever be stored is stored.
    outcome: Outcome = outcome_of(result, timeout=0.1, interval=0.02)
    return seen(outcome, [one for one in book.entries() if one["name"] != sentinel.name])


def settle(book):
    """Wait until the worker, which takes one message at a time, has nothing left to do.

    A sentinel comes back when all that was sent before it is done; what that has sent in turn
    stands behind it. Two sentinels without the end of any task between them: at rest.
    """
    before = None
    while True:
        sentinel.delay().get(timeout=300, interval=0.005)
        after = sum(
            one["event"] == "ended" and one["name"] != sentinel.name for one in book.entries()
        )
        if after == before:
            return
        before = after
