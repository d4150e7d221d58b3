"""One id, sent twice: one task runs, and both callers have its result."""

from uuid import uuid4

from offcanvas.celery_app.freezing import prepare
from tests.engines.apart import app, notes, sends_itself_again
from tests.engines.files import lines, wait_for


def one_id_sent_twice(start, finish, folder):
    """Send, see it begin, send again; then once more when it has ended, which runs as on Celery.

    ``start`` takes a prepared plan and returns what ``finish`` waits for.
    """
    path, options = str(folder / "noted"), {"task_id": str(uuid4())}
    first = prepare(app, notes.s(path, 4), options=options)
    begun = start(first.plan)
    wait_for(path)
    second = prepare(app, notes.s(path), options=options)
    for one in (begun, start(second.plan)):
        finish(one)
    assert lines(path) == ["begun"]
    assert first.result.get(timeout=10) == second.result.get(timeout=10)
    finish(start(prepare(app, notes.s(path), options=options).plan))
    finish(start(prepare(app, notes.s(path), options=options).plan))
    assert lines(path) == ["begun"] * 3

    itself = str(folder / "itself")
    finish(
        start(prepare(app, sends_itself_again.s(itself), options={"task_id": str(uuid4())}).plan)
    )
    assert lines(itself) == ["begun"] * 2
