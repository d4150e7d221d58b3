"""The tasks of builders that were made up; each call is written down with the case it is of."""

import json
import os

from celery import Celery

URL = os.environ.get("CELERY_BROKER_URL", "memory://")
app = Celery("made", broker=URL, backend=URL if "redis" in URL else None)
app.conf.update(result_chord_retry_interval=0.05, worker_hijack_root_logger=False)


class TroubleError(Exception):
    """What goes wrong on purpose."""


def wrote(name, args, kwargs):
    line = json.dumps([name, list(args), kwargs], sort_keys=True) + "\n"
    file = os.open(os.environ["MADE_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)


@app.task
def echo(*args, **kwargs):
    wrote("echo", args, kwargs)
    return ["echo", list(args), kwargs]


@app.task
def one(given, *, key=None, case=""):
    """Takes exactly one argument."""
    wrote("one", [given], {"key": key, "case": case})
    return ["one", given, key]


@app.task
def boom(*args, **kwargs):
    wrote("boom", args, kwargs)
    raise TroubleError("boom", len(args))


@app.task
def crash(*args, **kwargs):
    wrote("crash", args, kwargs)
    raise KeyError("crash")


@app.task(bind=True, max_retries=3)
def flaky(self, *args, **kwargs):
    wrote("flaky", args, kwargs)
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return ["flaky", list(args), kwargs]


@app.task(autoretry_for=(TroubleError,), max_retries=1, default_retry_delay=0)
def stubborn(*args, **kwargs):
    wrote("stubborn", args, kwargs)
    raise TroubleError("stubborn")


@app.task(time_limit=60, soft_time_limit=30)
def limited(*args, **kwargs):
    wrote("limited", args, kwargs)
    return ["limited"]


@app.task(bind=True)
def note(self, *args, **kwargs):
    """A callback, or an errback of the old style, which is told an id."""
    wrote("note", args if kwargs.get("told") != "id" else args[1:], kwargs)


@app.task
def errback(request, exc, traceback, case=""):
    """An errback of the new style."""
    wrote("errback", [str(exc)[:0]], {"case": case})
