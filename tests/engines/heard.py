"""Tasks whose base has every hook, and of which every signal is written down."""

from celery import Task, signals
from pydantic import BaseModel

from tests.engines.apart import app, write

NAME = f"{__name__}."


class Hooked(Task):
    """Writes down each hook."""

    def before_start(self, task_id, args, kwargs):
        write.run("before_start", path=kwargs["path"])

    def on_success(self, retval, task_id, args, kwargs):
        write.run("on_success", retval, path=kwargs["path"])

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        write.run("on_failure", repr(exc), path=kwargs["path"])

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        write.run("on_retry", path=kwargs["path"])

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        write.run("after_return", status, path=kwargs["path"])


@app.task(base=Hooked)
def fine(*args, path):
    return "fine"


@app.task(base=Hooked)
def fails(*args, path):
    raise KeyError("no")


@app.task(base=Hooked, bind=True, max_retries=1)
def again(self, *args, path):
    if not self.request.retries:
        raise self.retry(countdown=0)
    return "again"


class Item(BaseModel):
    """What a pydantic task takes and gives."""

    price: int
    name: str = "thing"


@app.task(pydantic=True)
def doubled(item: Item) -> Item:
    return Item(price=item.price * 2, name=item.name)


def _note(word, kwargs, sender):
    if sender.name.startswith(NAME):
        write.run(word, path=kwargs["path"])


@signals.task_prerun.connect
def began(sender, kwargs, **_given):
    _note("task_prerun", kwargs, sender)


@signals.task_postrun.connect
def ended(sender, kwargs, state, **_given):
    _note(f"task_postrun {state}", kwargs, sender)


@signals.task_success.connect
def succeeded(sender, result, **_given):
    _note(f"task_success {result}", sender.request.kwargs, sender)


@signals.task_failure.connect
def failed(sender, exception, kwargs, **_given):
    _note(f"task_failure {exception!r}", kwargs, sender)


@signals.task_retry.connect
def retried(sender, request, **_given):
    _note("task_retry", request.kwargs, sender)


@signals.task_revoked.connect
def revoked(sender, request, expired, **_given):
    _note(f"task_revoked {expired}", request.kwargs, sender)
