"""The tasks of the differential tests; where OFFCANVAS_LEDGER says so, what runs is written down.

Most return what they were given, so that a value that went astray shows in the final result.
"""

import asyncio
import os
from datetime import date
from decimal import Decimal

from celery import Celery, chain, group
from celery.exceptions import Ignore
from celery.exceptions import TimeoutError as CeleryTimeoutError

from offcanvas.celery_app.recorder import record_if_asked

URL = os.environ.get("OFFCANVAS_DIFFERENTIAL_REDIS", "memory://")


class App(Celery):
    """Names tasks of this module after their functions alone; others' are registered here too."""

    def gen_task_name(self, name, module):
        return name if module == __name__ else super().gen_task_name(name, module)


app = App("differential", broker=URL, backend=URL if "redis" in URL else None)


def _by_name(name, _args, _kwargs, _options, task=None, **_given):
    """A router function."""
    return {"queue": ROUTED} if name == "sent_by_function" else None


#: Another queue, to which tasks are routed.
ROUTED = "routed"

app.conf.update(
    task_always_eager=False,
    task_routes=[{"sent_by_pattern*": {"queue": ROUTED}}, _by_name],
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


class Tagged(app.Task):
    """Says with how many arguments the task was sent, and sends another one for some."""

    def apply_async(self, args=None, kwargs=None, **options):
        count = len(args or ())
        if count > 2:
            note.delay("sent")
        return super().apply_async(args, {**(kwargs or {}), "tag": count}, **options)


@app.task(bind=True, base=Tagged)
def tagged(self, *args, **kwargs):
    return ["tagged", list(args), kwargs]


class Delayed(app.Task):
    """Says how it was sent."""

    def delay(self, *args, **kwargs):
        return super().delay(*args, **kwargs, how="delayed")


@app.task(bind=True, base=Delayed)
def delayed(self, *args, **kwargs):
    return ["delayed", list(args), kwargs]


@app.task(bind=True)
def delays(self, *args, **kwargs):
    """Starts another one by its own ``delay``."""
    delayed.delay("started")
    return ["delays"]


def _where(request):
    return request.delivery_info["routing_key"]


@app.task(bind=True)
def sent_by_pattern(self, *args, **kwargs):
    return ["by pattern", list(args), _where(self.request)]


@app.task(bind=True)
def sent_by_function(self, *args, **kwargs):
    return ["by function", list(args), _where(self.request)]


@app.task(bind=True)
def revokes(self, word, key):
    """Revokes what comes next, by its id or by a stamp, and hears that it was done."""
    heard = {"reply": True, "timeout": 30, "limit": 1}
    if word == "id":
        app.control.revoke(key, **heard)
    else:
        app.control.revoke_by_stamped_headers({"mark": [key]}, **heard)
    return ["revokes"]


@app.task(bind=True)
def cut(self, *args, **kwargs):
    """Leaves out what comes next."""
    self.request.chain = (self.request.chain or [])[:-1]
    return ["cut", list(args)]


@app.task(bind=True)
def extend(self, *args, **kwargs):
    """Puts another task before what comes next."""
    self.request.chain = [*(self.request.chain or ()), echo.s("added")]
    return ["extend", list(args)]


@app.task(bind=True)
def popped(self, *args, **kwargs):
    """Takes out the last step."""
    if self.request.chain:
        self.request.chain.pop(0)
    return ["popped", list(args)]


@app.task(bind=True)
def inserts(self, *args, **kwargs):
    """Puts another task after all that comes."""
    if self.request.chain:
        self.request.chain.insert(0, echo.s("inserted"))
    return ["inserts", list(args)]


@app.task(bind=True, ignore_result=True)
def hushed(self, *args, **kwargs):
    return ["hushed", list(args)]


@app.task(bind=True, ignore_result=True, store_errors_even_if_ignored=True)
def hushed_boom(self, *args, **kwargs):
    raise TroubleError("hushed")


class OddError(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, first, second):
        super().__init__(first)


class SpeechlessError(Exception):
    """Has no text."""

    def __repr__(self):
        raise RuntimeError("no text")

    __str__ = __repr__


class BaseError(BaseException):
    """Is no Exception."""


@app.task(bind=True)
def base_boom(self, *args, **kwargs):
    raise BaseError("base", len(args))


@app.task(bind=True)
def cancelled_boom(self, *args, **kwargs):
    raise asyncio.CancelledError("gone")


@app.task(bind=True)
def speechless_boom(self, *args, **kwargs):
    raise SpeechlessError("no text", len(args))


@app.task(bind=True)
def odd_boom(self, *args, **kwargs):
    raise OddError("odd", len(args))


@app.task(bind=True)
def timeout_boom(self, *args, **kwargs):
    raise CeleryTimeoutError("boom")


@app.task(bind=True, max_retries=2)
def again(self, *args, **kwargs):
    """Tries again, and ends all the same."""
    if not self.request.retries:
        self.retry(throw=False, countdown=0)
    return ["again", list(args), kwargs]


@app.task(bind=True, rate_limit="1000/s", time_limit=60, soft_time_limit=30)
def limited(self, *args, **kwargs):
    return ["limited", self.request.timelimit]


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
        *(tagged, cut, extend, hushed, hushed_boom, odd_boom, timeout_boom, again, limited),
        *(delayed, delays, sent_by_pattern, sent_by_function, revokes, popped, inserts),
        *(base_boom, cancelled_boom, speechless_boom),
        *(swap, swap_chain, swap_group, swap_boom, starter, note, errback),
    )
}

record_if_asked()
