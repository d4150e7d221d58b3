"""The tasks of the differential tests; where OFFCANVAS_LEDGER says so, what runs is written down.

Most return what they were given, so that a value that went astray shows in the final result.
"""

import os
from datetime import date
from decimal import Decimal

from celery import Celery, chain, group
from celery.exceptions import Ignore

from offcanvas.engines.recorder import record_if_asked

URL = os.environ.get("OFFCANVAS_DIFFERENTIAL_REDIS", "memory://")


class App(Celery):
    """Names tasks of this module after their functions alone; others' are registered here too."""

    def gen_task_name(self, name, module):
        return name if module == __name__ else super().gen_task_name(name, module)


app = App("differential", broker=URL, backend=URL if "redis" in URL else None)
app.conf.update(
    task_always_eager=False,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    result_chord_retry_interval=0.05,
    task_default_queue="differential",
    # Visible in the worker's log only, and there is a lot of it.
    worker_hijack_root_logger=False,
)


class TroubleError(Exception):
    """An exception with arguments of its own."""


@app.task(bind=True)
def echo(self, *args, **kwargs):
    return ["echo", list(args), kwargs]


@app.task(bind=True)
def one(self, given, *, key=None):
    """Takes exactly one argument."""
    return ["one", given, key]


@app.task(bind=True)
def boom(self, *args, **kwargs):
    raise TroubleError("boom", len(args))


@app.task(bind=True)
def crash(self, *args, **kwargs):
    raise KeyError("crash")


@app.task(bind=True, max_retries=3)
def flaky(self, *args, **kwargs):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return ["flaky", list(args), kwargs]


@app.task(bind=True, autoretry_for=(TroubleError,), max_retries=1, default_retry_delay=0)
def stubborn(self, *args, **kwargs):
    raise TroubleError("stubborn")


@app.task(bind=True)
def exotic(self, *args, **kwargs):
    """Returns values that JSON changes, or that only kombu's JSON carries."""
    return {1: (2, 3), "day": date(2026, 11, 22), "price": Decimal("1.50"), "raw": b"\x00"}


@app.task(bind=True)
def mute(self, *args, **kwargs):
    """Returns what no serializer of the app carries."""
    return object()


@app.task(bind=True)
def swap(self, *args, **kwargs):
    return self.replace(echo.s(*args, swapped=True))


@app.task(bind=True)
def swap_chain(self, *args, **kwargs):
    return self.replace(chain(echo.s("a"), echo.s("b")))


@app.task(bind=True)
def swap_group(self, *args, **kwargs):
    return self.replace(group(echo.s("a"), echo.s("b")))


@app.task(bind=True)
def swap_boom(self, *args, **kwargs):
    return self.replace(boom.s("swapped"))


@app.task(bind=True)
def starter(self, *args, **kwargs):
    """Starts a canvas of its own."""
    (echo.s("started") | echo.s("after")).delay()
    return ["starter"]


@app.task(bind=True)
def describe(self, *args, **kwargs):
    """Returns what its request says."""
    request = self.request
    return {
        "id": request.id,
        "root": request.root_id,
        "parent": request.parent_id,
        "grouped": request.group is not None,
        "index": request.group_index,
        "priority": request.delivery_info["priority"],
        "stamps": request.stamps,
        "stamped_headers": request.stamped_headers,
        "in a chord": request.chord is not None,
        "retries": request.retries,
        "ignores": request.ignore_result,
        "nesting": request.replaced_task_nesting,
        "args": list(args),
    }


@app.task(bind=True)
def gives_up(self, *args, **kwargs):
    raise Ignore


@app.task(bind=True)
def note(self, *args, **kwargs):
    """A callback, or an errback of the old style."""


@app.task
def errback(request, exc, traceback):
    """An errback of the new style, called in the worker that saw the failure."""


@app.task
def sentinel():
    """Says that everything sent before it has been worked on."""


REGISTRY = {
    task.__name__: task
    for task in (
        *(echo, one, boom, crash, flaky, stubborn, exotic, mute),
        *(swap, swap_chain, swap_group, swap_boom, starter, note, errback),
    )
}

record_if_asked()
