"""The app of the canvas suite, with more tasks that run in processes apart: such as end them."""

import base64
import contextlib
import os
import secrets
import signal
import sys
import time

from celery import chord, group, signals
from celery.exceptions import SoftTimeLimitExceeded

from offcanvas.testing.tasks import (  # noqa: F401  # tests have all tasks from here
    add,
    app,
    boom,
    extends,
    flaky,
    ignored,
    now,
    revokes,
    sleeps,
    starts,
    swapped,
    swapped_group,
    total,
    watched,
    where,
    who,
    write,
)

if "OFFCANVAS_TEST_RESULTS" in os.environ:
    app.conf.result_backend = os.environ["OFFCANVAS_TEST_RESULTS"]
#: The environment variable that names the file in which processes note their beginning and end.
PROCESSES = "OFFCANVAS_TEST_PROCESSES"
#: That of the seconds that a process takes to begin.
SLOW = "OFFCANVAS_TEST_SLOW"


@signals.worker_process_init.connect
def process_begins(**_given):
    time.sleep(float(os.environ.get(SLOW, "0")))
    if PROCESSES in os.environ:
        write.run("begun", path=os.environ[PROCESSES])


@signals.worker_process_shutdown.connect
def process_ends(**_given):
    if PROCESSES in os.environ:
        write.run("ended", path=os.environ[PROCESSES])


@app.task
def quotes(address):
    """Fails as a driver does that names the server it has not reached."""
    raise ConnectionError(f"no answer from {address}")


@app.task
def engines_imported():
    """What of the engines' own packages its process has imported."""
    return sorted({"prefect", "temporalio"} & sys.modules.keys())


@app.task
def starts_one(x):
    return add.delay(x).id


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
def note(number, path):
    write.run(number, path=path)
    time.sleep(0.05)
    return number


@app.task
def noted(numbers, path):
    write.run("body", path=path)
    return sum(numbers)


@app.task(bind=True)
def alarm(self, request, exc, traceback):
    """As an errback it is sent with one argument, which does not fit: it is bound."""


@app.task
def who_runs(seconds):
    """The ids of the process that runs it and of that process's parent, after a while."""
    time.sleep(seconds)
    return where.run()


@app.task
def counted(number, path, held=None, seconds=0.0):
    """Notes that it ran; the one that is ``held`` says so, and does not end the first time."""
    write.run(number, path=path)
    if held is not None and not os.path.exists(held):  # noqa: PTH110  # a path is text here
        with open(held, "w"):  # noqa: PTH123  # likewise
            time.sleep(600)
    time.sleep(seconds)
    return number


@app.task(acks_late=True)
def counted_late(number, path, held=None, seconds=0.0):
    return counted.run(number, path, held, seconds)


@app.task(bind=True, max_retries=1, time_limit=600)
def mixed(self, what, path=None):
    """One of the things that can become of a task: members of a batch are of one task."""
    if what == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "leaves":
        sys.exit(3)
    if what == "endless":
        time.sleep(600)
    if what == "fails":
        raise ValueError(what)
    if what == "flaky" and not self.request.retries:
        raise self.retry(countdown=0.01)
    if what == "swapped":
        raise self.replace(echo.s("swapped"))
    if what == "starts":
        write.delay("started", path=path)
    return what


@app.task(bind=True)
def about(self):
    """What a task can see of where it stands."""
    request = self.request
    return [request.id, request.group, request.group_index, request.root_id, request.parent_id]


@app.task
def notes(path, seconds=0.0):
    write.run("begun", path=path)
    time.sleep(seconds)
    return os.getpid()


@app.task
def many(values):
    return len(values)


@app.task
def sends_a_stranger(queue):
    """Sends a task of another service, and reads from the broker what has come there."""
    before = app.send_task("no.such.task", queue=queue)
    with app.connection_for_read() as connection:
        message = connection.SimpleQueue(queue).get(timeout=30)
        message.ack()
    return [message.headers["task"], message.headers["id"] == before.id]


@app.task(bind=True)
def sends_itself_again(self, path):
    if not os.path.exists(path):  # noqa: PTH110  # a path is text here
        self.apply_async((path,), task_id=self.request.id)
    write.run("begun", path=path)


@app.task
def echo(value=None, **more):
    return more or value


@app.task(bind=True, max_retries=1)
def echo_again(self, value):
    if not self.request.retries:
        raise self.retry(args=(value,), countdown=0.01)
    return value


@app.task(bind=True)
def echo_elsewhere(self, value):
    return self.replace(echo.s(value))


@app.task(bind=True)
def retries_with(self, size):
    if not self.request.retries:
        raise self.retry(args=(secrets.token_hex(size // 2),), countdown=0.01)
    return len(size)


@app.task(bind=True)
def replaced_with(self, size):
    return self.replace(length.s(secrets.token_hex(size // 2)))


@app.task
def starts_with(size, path=None):
    (length.s(secrets.token_hex(size // 2)) | write.s(path=path)).delay()


@app.task
def random_text(size):
    """A text that hardly gets smaller when it is compressed."""
    return base64.b85encode(secrets.token_bytes(size))[:size].decode()


@app.task(ignore_result=True)
def random_text_ignored(size):
    return random_text.run(size)


@app.task
def fails_with(size):
    raise ValueError(secrets.token_hex(size // 2))


@app.task
def big(size):
    return "x" * size


@app.task
def length(text):
    return len(text) if isinstance(text, str) else [len(one) for one in text]


@app.task
def waits_for(path):
    """Ends once somebody has written that it may."""
    while not os.path.exists(path):  # noqa: PTH110  # a path is text here
        time.sleep(0.05)
    return path


@app.task(ignore_result=True)
def big_and_ignored(size):
    return "x" * size


@app.task(acks_late=True)
def fails_late(path):
    write.run("late", path=path)
    raise KeyError("late")


@app.task
def starts_failing(path):
    starts.run(path)
    raise ValueError("after all")


@app.task(bind=True)
def tries_again(self, path, countdown=0.01):
    """Retries once somebody has written that it may."""
    write.run("attempt", self.request.retries, path=path)
    while not os.path.exists(f"{path}-go"):  # noqa: PTH110  # a path is text here
        time.sleep(0.05)
    if not self.request.retries:
        raise self.retry(countdown=countdown)


@app.task(bind=True)
def retries_large(self, what, size, *, throw=True, text=""):
    if self.request.retries:
        return len(text or what)
    large = random_text.run(size)
    given = {
        "kwargs": {"kwargs": {"text": large}},
        "headers": {"headers": {"x": large}},
        "link": {"link": length.si(large)},
        "link_error": {"link_error": length.si(large)},
    }[what]
    self.retry(countdown=0.01, throw=throw, **given)
    return 0


@app.task(bind=True)
def replaced_as(self, how, size):
    large = random_text.run(size)
    raise self.replace(
        {
            "group": lambda: group(length.s(large), length.s("x")),
            "chord": lambda: chord([length.s(large), length.s("x")], total.s()),
            "headers": lambda: length.s("x").set(headers={"x": large}),
            "link": lambda: length.s("x").set(link=length.si(large)),
        }[how]()
    )


@app.task(bind=True)
def sends_large(self, how, size):
    large = random_text.run(size)
    if how == "headers":
        echo.apply_async((1,), headers={"x": large})
    else:
        self.request.chain = [*self.request.chain, length.si(large)]
    return 1


@app.task
def spells(request, exc, traceback, path):
    write.run(len(exc.args[0]), path=path)
