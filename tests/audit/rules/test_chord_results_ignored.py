from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

APP = """
from celery import Celery, chain, chord, group
app = Celery("shop", broker="amqp://x", backend="{backend}")

@app.task(ignore_result=True)
def quiet(x): ...

@app.task
def kept(x): ...
"""
DATABASE = APP.format(backend="db+sqlite:///x.db")
CHORDS = """
def run():
    chord([quiet.s(1), kept.s(1)])(kept.s())
    (group(quiet.s(i) for i in range(3)) | kept.s()).delay()
"""


def test_headers_without_results() -> None:
    found = audit("CEL403", DATABASE + CHORDS)
    assert lines(found) == [12, 13]
    assert {f.severity for f in found} == {Severity.HIGH}


def test_redis_counts_by_itself() -> None:
    found = audit("CEL403", APP.format(backend="redis://x") + CHORDS)
    assert {f.severity for f in found} == {Severity.MEDIUM}


def test_bodies_groups_and_first_tasks_of_a_chain() -> None:
    assert not audit(
        "CEL403",
        DATABASE
        + """
def run():
    chord([kept.s(1)])(quiet.s())
    group(quiet.s(1), quiet.s(2))()
    chord([chain(quiet.s(1), kept.si(2))])(kept.s())
""",
    )


def test_the_setting_for_all_and_no_backend() -> None:
    ignored = "app.conf.task_ignore_result = True\n"
    one = "chord([kept.s(1)])(kept.s())\n"
    assert lines(audit("CEL403", DATABASE + ignored + one)) == [11]
    (found,) = audit("CEL403", DATABASE.replace(', backend="db+sqlite:///x.db"', "") + one)
    assert "needs a result backend" in found.message
    assert found.doubt
