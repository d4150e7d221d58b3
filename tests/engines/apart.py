"""An app whose tasks run in processes apart: in a pool, or those of a worker."""

import contextlib
import os
import signal
import sys
import time

from celery import Celery, Task, chain, group, signals
from celery.exceptions import Ignore, SoftTimeLimitExceeded

app = Celery("apart", broker="memory://nobody-listens", set_as_current=False)
app.conf.result_backend = os.environ.get("OFFCANVAS_TEST_RESULTS")
#: The environment variable that names the file in which processes note their beginning and end.
PROCESSES = "OFFCANVAS_TEST_PROCESSES"


@signals.worker_process_init.connect
def process_begins(**_given):
    if PROCESSES in os.environ:
        write.run("begun", path=os.environ[PROCESSES])


@signals.worker_process_shutdown.connect
def process_ends(**_given):
    if PROCESSES in os.environ:
        write.run("ended", path=os.environ[PROCESSES])


@app.task
def add(x, y=1):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def boom(*args):
    raise ValueError("boom", len(args))


@app.task
def where():
    return os.getpid(), os.getppid()


@app.task
def write(*args, path):
    with open(path, "a") as file:  # noqa: PTH123  # appends of one line are atomic
        file.write(f"{' '.join(map(str, args))}\n")


@app.task(bind=True, max_retries=2)
def flaky(self, x):
    if self.request.retries < 2:
        raise self.retry(countdown=0.01)
    return x


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


@app.task
def starts_one(x):
    return add.delay(x).id


@app.task
def starts(path):
    (add.s(1, 2) | write.s(path=path)).delay()


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
        "queue": request.delivery_info["routing_key"],
        "stamps": request.stamps,
    }


@app.task
def ignored():
    raise Ignore


@app.task
def now(*args):
    return time.time()


@app.task(soft_time_limit=0.2)
def interrupted():
    try:
        time.sleep(60)
    except SoftTimeLimitExceeded:
        return "interrupted"


@app.task(time_limit=0.3)
def endless():
    while True:
        with contextlib.suppress(BaseException):  # what a hard limit is for
            time.sleep(60)


@app.task
def dies():
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
def leaves(code):
    sys.exit(code)


@app.task(acks_late=True, reject_on_worker_lost=True)
def dies_once(path):
    if not os.path.exists(path):  # noqa: PTH110  # a path is text here
        with open(path, "w"):  # noqa: PTH123  # likewise
            os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


@app.task(acks_late=True)
def hangs_once(path):
    if not os.path.exists(path):  # noqa: PTH110  # a path is text here
        with open(path, "w"):  # noqa: PTH123  # likewise
            time.sleep(60)
    return "survived"


@app.task
def sleeps(path, seconds=60):
    with open(path, "w"):  # noqa: PTH123  # a path is text here
        time.sleep(seconds)


@app.task
def revokes(ids):
    app.control.revoke(ids)


@app.task
def big(size):
    return "x" * size


@app.task
def length(text):
    return len(text) if isinstance(text, str) else [len(one) for one in text]


@app.task(ignore_result=True)
def big_and_ignored(size):
    return "x" * size


class Watched(Task):
    """A custom base class."""

    def on_success(self, retval, task_id, args, kwargs):
        write.run("on_success", retval, path=kwargs["path"])


@app.task(base=Watched)
def watched(*, path):
    return "fine"
