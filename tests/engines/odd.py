"""Tasks that do what few tasks do, of the app whose tasks run in processes apart."""

import asyncio
import time

from celery import Task, chord, current_task
from celery.exceptions import Reject, WorkerLostError
from celery.exceptions import TimeoutError as CeleryTimeoutError

from tests.engines.apart import app, write


class Tenant(Task):
    """Sends every task with the tenant of whoever sends it, as multi-tenant code does."""

    def apply_async(self, args=None, kwargs=None, **options):
        before = current_task and (current_task.request.headers or {}).get("tenant")
        headers = {"tenant": before or "acme", **(options.pop("headers", None) or {})}
        return super().apply_async(args, kwargs, headers=headers, **options)


class Keyword(Task):
    """Adds an argument."""

    def apply_async(self, args=None, kwargs=None, **options):
        return super().apply_async(args, {**(kwargs or {}), "tenant": "acme"}, **options)


class Dropped(Task):
    """Does not send what is called with 0."""

    def apply_async(self, args=None, kwargs=None, **options):
        if args and args[0] == 0:
            return None
        return super().apply_async(args, kwargs, **options)


class Doubled(Task):
    """Changes what it is called with, and sends something else as well."""

    def apply_async(self, args=None, kwargs=None, **options):
        first, *rest = args
        write.delay("sent", first, path=rest[0])
        return super().apply_async((first * 2, *rest), kwargs, **options)


class Limited(Task):
    """Sets what has to be known before the task begins."""

    def apply_async(self, args=None, kwargs=None, **options):
        options.setdefault("queue", "limited")
        options.setdefault("priority", 3)
        options["time_limit"] = 30
        return super().apply_async(args, kwargs, **options)


@app.task(base=Tenant, bind=True)
def bill(self, *args):
    return f"{args[0] if args else ''}:{self.request.headers and self.request.headers['tenant']}"


@app.task(base=Tenant, bind=True, max_retries=1)
def bill_again(self, x):
    if not self.request.retries:
        raise self.retry(countdown=0)
    return f"{x}:{self.request.headers['tenant']}"


@app.task(base=Tenant, bind=True)
def bill_errback(self, task_id, path):
    write.run("errback", self.request.headers["tenant"], path=path)


@app.task(base=Tenant, bind=True)
def bill_note(self, value, path):
    write.run("callback", self.request.headers["tenant"], path=path)


@app.task(bind=True)
def replaced_by_bill(self, x):
    return self.replace(bill.s(x))


@app.task(bind=True)
def replaced_by_bills(self, x):
    return self.replace(chord([bill.s(x), bill.s(x)], bill.s()))


@app.task(bind=True)
def adds_bill(self, x):
    self.add_to_chord(bill.s(x))
    return x


@app.task(base=Keyword)
def charge(x, tenant="nobody"):
    return f"{x}:{tenant}"


@app.task(base=Dropped)
def dropped(x):
    return x


@app.task(base=Doubled)
def doubled(x, path):
    return x


class Announced(Task):
    """Sends a canvas besides, and then the task itself unless it is called with 0."""

    def apply_async(self, args=None, kwargs=None, **options):
        first, path = (args or ())[0], (kwargs or {})["path"]
        (noted.s(f"before {first}", path=path) | noted.s(path=path)).delay()
        if first == 0:
            return None
        made = super().apply_async(args, kwargs, **options)
        doubled.delay(first, path)
        return made


@app.task(base=Announced)
def announced(x, path):
    return x


class Again(Task):
    """Sends the task with ten more, and then as it is asked to."""

    def apply_async(self, args=None, kwargs=None, **options):
        super().apply_async((args[0] + 10,), kwargs)
        return super().apply_async(args, kwargs, **options)


@app.task(base=Again)
def again(x, path):
    noted.run(x, path=path)
    return x


class Waiting(Task):
    """Waits for something else before it sends the task."""

    def apply_async(self, args=None, kwargs=None, **options):
        plus.delay(1).get(timeout=30)
        return super().apply_async(args, kwargs, **options)


@app.task(base=Waiting)
def waiting(x):
    return x


class Revoking(Task):
    """Revokes another task when it is sent, and goes to a queue of its own."""

    def apply_async(self, args=None, kwargs=None, **options):
        app.control.revoke(VICTIM)
        return super().apply_async(args, kwargs, **{"queue": "revoking", **options})


VICTIM = "11111111-1111-1111-1111-111111111111"


@app.task(base=Revoking)
def revoking(x):
    return x


@app.task(base=Limited, bind=True)
def limited(self, *args):
    delivery = self.request.delivery_info
    return [delivery["routing_key"], delivery["priority"], self.request.timelimit[0]]


CHANGES = {
    "slice": lambda chain: chain[:1],
    "pop": lambda chain: chain[:-1],
    "append": lambda chain: [*chain, plus.s(100)],
    "insert": lambda chain: [plus.s(1000), *chain],
    "none": lambda chain: None,
    "clear": lambda chain: [],
    "new": lambda chain: [plus.s(7)],
    "edit": lambda chain: [*chain[:-1], {**chain[-1], "args": [50]}],
    "reverse": lambda chain: chain[::-1],
}


@app.task(bind=True)
def look(self, x, how, path=None):
    """Changes what comes after it."""
    if how in ("pop in place", "append in place"):
        if how.startswith("pop"):
            self.request.chain.pop()
        else:
            self.request.chain.append(plus.s(100))
    elif how == "note":
        self.request.chain = [noted.s(path=path)]
    else:
        self.request.chain = CHANGES[how](self.request.chain)
    return x


@app.task(bind=True)
def look_and_retry(self, x):
    if not self.request.retries:
        self.request.chain = self.request.chain[:1]
        raise self.retry(countdown=0)
    return x


@app.task(bind=True)
def look_and_replace(self, x):
    self.request.chain = self.request.chain[:1]
    return self.replace(plus.s(x, 0))


@app.task(bind=True)
def steps(self, x):
    return [one["task"].rpartition(".")[2] for one in self.request.chain or ()]


@app.task
def plus(x, y=1):
    return x + y


@app.task
def noted(x, path):
    write.run("ran", x, path=path)
    return x


@app.task(bind=True, max_retries=2)
def retries_quietly(self, path):
    write.run("attempt", self.request.retries, path=path)
    if not self.request.retries:
        self.retry(throw=False, countdown=0)
    return "value"


@app.task(bind=True)
def retries_as(self, options, *, fails=False):
    """Retried with these options, it says what of them has come to the request, or fails."""
    request = self.request
    if not request.retries:
        raise self.retry(countdown=0, **options)
    if fails:
        raise ValueError("twice")
    return {
        "queue": request.delivery_info["routing_key"],
        "priority": request.delivery_info["priority"],
        "timelimit": request.timelimit,
        "shadow": request.shadow,
        "x": (request.headers or {}).get("x"),
        "expires": request.expires is not None,
        "ignore_result": request.ignore_result,
    }


@app.task(bind=True, max_retries=2)
def looks_again(self, x, path):
    write.run("look", self.request.retries, path=path)
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return x


@app.task(ignore_result=True)
def silent(x):
    return x


@app.task(ignore_result=True, store_errors_even_if_ignored=True)
def silent_but_for_errors(x):
    raise ValueError("told")


class OddError(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, first, second):
        super().__init__(first)


class SpeechlessError(Exception):
    """Has no text."""

    def __repr__(self):
        raise RuntimeError("no text")

    __str__ = __repr__


class Beyond(BaseException):
    """No Exception."""


ERRORS = {
    "timeout": lambda: CeleryTimeoutError("x"),
    "builtin timeout": lambda: TimeoutError("x"),
    "cancelled": lambda: asyncio.CancelledError("gone"),
    "generator": lambda: GeneratorExit("g"),
    "base": lambda: Beyond("b"),
    "keyboard": lambda: KeyboardInterrupt("k"),
    "odd": lambda: OddError("one", "two"),
    "speechless": lambda: SpeechlessError("s"),
    "reject": lambda: Reject("no", requeue=False),
    "lost": lambda: WorkerLostError("mine"),
}


@app.task
def fails(how, *args):
    raise ERRORS[how]()


@app.task(bind=True, acks_late=True)
def requeued_once(self):
    if not self.request.delivery_info["redelivered"]:
        raise Reject("again", requeue=True)
    return [self.request.retries, "again"]


@app.task
def requeued_early():
    raise Reject("again", requeue=True)


@app.task
def told(request, exc, traceback, path):
    write.run("told", repr(exc), path=path)


@app.task(rate_limit="240/m")
def rated(*args):
    return time.time()


@app.task(bind=True)
def stamps(self, *args):
    return [list(self.request.stamped_headers or ()), self.request.stamps]


@app.task(soft_time_limit=5, time_limit=2)
def upside_down():
    return 1


@app.task
def limits(command):
    """Changes a limit of a task."""
    getattr(app.control, command)(rated.name, 1)


@app.task
def revokes_now(ids=(), headers=None):
    """Until a worker says that it has heard it."""
    heard = {"reply": True, "limit": 1, "timeout": 30}
    if ids:
        app.control.revoke(ids, **heard)
    if headers:
        app.control.revoke_by_stamped_headers(headers, **heard)


@app.task(bind=True)
def revokes_stamped(self, headers):
    app.control.revoke_by_stamped_headers(headers)


@app.task(bind=True)
def shown(self, *args):
    """What its request says of how it was sent."""
    return {name: self.request.get(name) for name in ("eta", "timelimit", "shadow")}


@app.task
def same(value):
    return value


@app.task
def unheard_of():
    """Returns what no serializer carries."""
    return object()


@app.task
def waits_for_another(*args):
    return plus.delay(1).get()
