"""An app whose tasks note what they did, for the tests of engines in this process."""

import sys

from celery import Celery, Task, chain, group
from celery.exceptions import Ignore

app = Celery("engines", broker="memory://", backend=None, set_as_current=False)
noted = []


class Hooked(Task):
    """A custom base class."""

    def before_start(self, task_id, args, kwargs):
        noted.append(("before_start", args))

    def on_success(self, retval, task_id, args, kwargs):
        noted.append(("on_success", retval))

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        noted.append(("on_failure", str(exc)))

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        noted.append(("on_retry", args))

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        noted.append(("after_return", status))


@app.task
def add(x, y=1):
    noted.append(("add", x, y))
    return x + y


@app.task(bind=True)
def ends_the_chain(self, x):
    self.request.chain = None
    return x


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def boom(*args):
    raise ValueError("boom", len(args))


@app.task
def leaves(code):
    sys.exit(code)


@app.task
def old_errback(task_id):
    noted.append(("old_errback", task_id))


@app.task
def new_errback(request, exc, traceback):
    noted.append(("new_errback", request.id, repr(exc)))


@app.task
def revokes(ids):
    app.control.revoke(ids)


@app.task
def note(*args):
    noted.append(("note", *args))


@app.task(bind=True, max_retries=2)
def flaky(self, x):
    noted.append(("flaky", self.request.retries))
    if self.request.retries < 2:
        raise self.retry(countdown=3600)
    return x


@app.task(bind=True, base=Hooked, max_retries=1)
def hooked(self, *, fail=False, retry=False):
    if retry and not self.request.retries:
        raise self.retry(countdown=1)
    if fail:
        raise ValueError("hooked")
    return "fine"


@app.task(bind=True)
def swapped(self, x):
    return self.replace(chain(add.s(x), add.s(10)))


@app.task(bind=True)
def swapped_group(self, x):
    return self.replace(group(add.s(x), add.s(x, 10)))


@app.task(bind=True)
def extends(self, x):
    self.add_to_chord(add.s(x, 100))
    return x


@app.task(bind=True)
def extends_by_chord(self, x):
    self.add_to_chord(group(add.s(x), add.s(x + 1)) | total.s())
    return x


@app.task(bind=True)
def starts(self, x):
    return add.delay(x).id


@app.task(bind=True)
def who(self, *args):
    request = self.request
    return {
        "id": request.id,
        "root": request.root_id,
        "parent": request.parent_id,
        "group": request.group,
        "index": request.group_index,
        "priority": request.delivery_info["priority"],
        "stamps": request.stamps,
        "chord": request.chord is not None,
    }


@app.task(bind=True)
def retries_with(self, options):
    raise self.retry(**options)


@app.task(bind=True)
def shows_request(self, x):
    request = self.request
    return {"args": request.args, "argsrepr": request.argsrepr, "eta": request.eta}


@app.task
def ignored():
    raise Ignore


@app.task
def waits():
    return add.delay(1).get()
