from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

TASKS = """
from celery import Task, chain, chord, group, shared_task

@shared_task
def part(x): ...

@shared_task
def end(xs): ...

@shared_task
def failed(request, error, traceback): ...

@shared_task
def told(x):
    try:
        return part(x)
    except Exception as error:
        return str(error)
"""


def test_chords_and_groups_with_a_task_behind() -> None:
    found = audit(
        "CEL402",
        TASKS
        + """
def run():
    chord([part.s(1)])(end.s())
    (group(part.s(1), part.s(2)) | end.s()).delay()
    chord([part.s(1)], end.s()).apply_async()
""",
    )
    assert lines(found) == [21, 22, 23]


def test_errbacks_in_every_place() -> None:
    assert not audit(
        "CEL402",
        TASKS
        + """
def run():
    chord([part.s(1)])(end.s().on_error(failed.s()))
    chord([part.s(1)], end.s()).on_error(failed.s()).delay()
    chord([part.s(1)], end.s()).apply_async(link_error=failed.s())
    later = chord([part.s(1)], end.s())
    later.link_error(failed.s())
    later.delay()
    body = end.s().set(link_error=[failed.s()])
    chord([part.s(1)])(body)
    other = end.s()
    other.on_error(failed.s())
    chord([part.s(1)])(other)
    chord([told.s(1)])(end.s())
    group(part.s(1), part.s(2))()
""",
    )


def test_a_result_that_is_waited_for() -> None:
    assert not audit(
        "CEL402",
        TASKS
        + """
def run():
    result = chord([part.s(1)])(end.s())
    return result.get(timeout=9)
""",
    )


def test_handlers_elsewhere_leave_doubt() -> None:
    found = audit(
        "CEL402",
        TASKS
        + """
class Telling(Task):
    def on_failure(self, *args): ...

@shared_task(base=Telling)
def loud(x): ...

chord([loud.s(1)])(end.s())
""",
    )
    assert [(f.line, f.severity) for f in found] == [(26, Severity.LOW)]


def test_what_replaces_a_task_takes_over_its_errbacks() -> None:
    found = audit(
        "CEL402",
        TASKS
        + """
@shared_task(bind=True)
def whole(self):
    steps = chain(group(part.s(1), part.s(2)), end.s())
    return self.replace(steps)
""",
    )
    assert [(f.line, f.severity) for f in found] == [(22, Severity.LOW)]


def test_an_unknown_body_is_no_reason_for_silence() -> None:
    found = audit(
        "CEL402",
        TASKS
        + """
def run(given, made):
    chord([part.s(1)])(given)
    chord(made, end.s()).delay()
    given.on_error(failed.s())

def other(given):
    chord([part.s(1)], given | end.s()).delay()
""",
    )
    assert [(f.line, f.severity, f.doubt != "") for f in found] == [
        (22, Severity.MEDIUM, False),
        (26, Severity.LOW, True),
    ]
