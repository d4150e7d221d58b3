"""Claims in the caller's own transaction: sent when it is committed, and never after a rollback."""

import subprocess
import sys
import textwrap

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from offcanvas.cutover import sent_on_commit
from offcanvas.cutover.committing import joined
from offcanvas.errors import UsageError


@pytest.fixture
def session(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/work.db")
    with Session(engine) as session:
        session.execute(text("CREATE TABLE t (n INTEGER)"))
        session.commit()
        yield session
    engine.dispose()


def begin(session, sent):
    with sent_on_commit(session):
        found = joined("sqlite://", None)
    session.execute(text("INSERT INTO t VALUES (1)"))
    found.after(lambda: sent.append(1))
    return found


def test_sent_after_the_commit_and_once(session):
    sent = []
    assert begin(session, sent).sure
    assert sent == []
    session.commit()
    session.execute(text("SELECT 1"))
    session.commit()
    assert sent == [1]


def test_not_sent_after_a_rollback(session):
    sent = []
    begin(session, sent)
    session.rollback()
    session.execute(text("SELECT 1"))
    session.commit()
    assert sent == []


def test_not_sent_when_a_savepoint_is_released(session):
    sent = []
    session.execute(text("SELECT 1"))
    with session.begin_nested():
        assert not begin(session, sent).sure
    assert sent == []
    session.commit()
    assert sent == [1]


def test_a_session_that_the_router_is_given(session):
    assert joined("sqlite://", lambda: None) is None
    assert joined("sqlite://", lambda: session) is None  # it has no transaction open
    session.execute(text("SELECT 1"))
    assert joined("sqlite://", lambda: session).within is session


def test_a_scoped_session_stands_for_its_session(session):
    scoped = scoped_session(sessionmaker(session.get_bind()))
    scoped.execute(text("SELECT 1"))
    with sent_on_commit(scoped):
        assert joined("sqlite://", None).within is scoped()
    scoped.remove()


def test_what_is_no_session(session):
    with sent_on_commit(session.connection()), pytest.raises(UsageError, match="takes a session"):
        joined("sqlite://", None)


PROJECT = """
import os, sys
import django
from django.conf import settings
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1],
                           "OPTIONS": {"transaction_mode": "IMMEDIATE"}}},
    INSTALLED_APPS=[], USE_TZ=True, SECRET_KEY="x")
django.setup()
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"  # makes Celery use its Django tasks
from celery import Celery
from django.db import connection, transaction
from pathlib import Path
rules = Path(sys.argv[1]).with_name("cutover.toml")
rules.write_text('[cutover]\\nclaims = "django"\\n'
                 '[root."charge"]\\nto = "temporal"\\nclaims = true\\n')
from offcanvas.cutover import cut_over
app = Celery("project", broker="memory://", backend="cache+memory://", set_as_current=True)
app.conf.task_default_queue = "q"

@app.task(name="charge")
def charge(order):
    pass

router = cut_over(app, rules)
router.claims.create()

def waiting():
    with app.connection_for_write() as broker:
        return broker.SimpleQueue("q").qsize()

def claimed():
    router.notes.flush()
    return sorted((one.id, one.sent is not None) for one in router.claims.since(1e9))
"""


def django(tmp_path, code):
    program = PROJECT + textwrap.dedent(code)
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "db.sqlite3")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_django_sends_on_commit(tmp_path):
    said = django(
        tmp_path,
        """
        with transaction.atomic():
            result = charge.apply_async((1,), task_id="a")
            print(result.id, waiting())
        print(waiting(), claimed())
        try:
            with transaction.atomic():
                charge.apply_async((2,), task_id="b")
                raise ValueError
        except ValueError:
            pass
        with transaction.atomic():
            try:
                with transaction.atomic():
                    charge.apply_async((3,), task_id="c")
                    raise ValueError
            except ValueError:
                pass
            charge.apply_async((4,), task_id="d")
        print(waiting(), claimed())
        charge.apply_async((4,), task_id="d")
        charge.apply_async((5,), task_id="e")
        print(waiting(), claimed())
        """,
    )
    assert said == [
        "a 0",
        "1 [('a', True)]",
        "2 [('a', True), ('d', True)]",
        "3 [('a', True), ('d', True), ('e', True)]",
    ]


def test_delay_on_commit_claims_in_the_transaction(tmp_path):
    said = django(
        tmp_path,
        """
        with transaction.atomic():
            charge.apply_async_on_commit((1,), task_id="a")
            print(waiting(), len(router.claims.since(1e9)))
        print(waiting(), claimed())
        try:
            with transaction.atomic():
                charge.delay_on_commit(2)
                raise ValueError
        except ValueError:
            pass
        print(waiting(), claimed())
        """,
    )
    assert said == ["0 1", "1 [('a', True)]", "1 [('a', True)]"]
