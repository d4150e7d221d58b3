"""Bodies behind fences: nothing of them stays, and noise is told from differences."""

import itertools
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from celery import Celery
from sqlalchemy import create_engine, text

from offcanvas.errors import UsageError
from offcanvas.shadow.bodies import Bodies, chance, judged
from offcanvas.shadow.fences import Fence, Fences, Ran, read_fences, run
from tests.services import private_postgres


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database(request, tmp_path):
    """An engine with an empty table of numbers."""
    if request.param == "sqlite":
        engine = create_engine(f"sqlite:///{tmp_path}/work.db")
        yield from _with_table(engine)
        return
    with private_postgres() as url:
        yield from _with_table(create_engine(url))


def _with_table(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER)"))
    yield engine
    engine.dispose()


def rows(engine):
    with engine.connect() as connection:
        return [n for (n,) in connection.execute(text("SELECT n FROM numbers ORDER BY n"))]


def test_what_a_body_commits_is_rolled_back(database):
    def body():
        with database.begin() as connection:
            connection.execute(text("INSERT INTO numbers VALUES (1)"))
        with database.connect() as connection:  # it sees what it has committed
            connection.execute(text("INSERT INTO numbers VALUES (2)"))
            connection.rollback()
        return rows(database)

    ran = run(Fence.ROLLBACK, body, {})
    assert (ran.value, ran.error) == ([1], None)
    assert [one.partition(" (")[0] for one in ran.statements[:2]] == [
        "INSERT INTO numbers VALUES",
        "INSERT INTO numbers VALUES",
    ]
    assert rows(database) == []
    with database.begin() as connection:  # and afterwards it is a database as before
        connection.execute(text("INSERT INTO numbers VALUES (3)"))
    assert rows(database) == [3]


def test_what_a_body_has_done_before_it_fails_is_rolled_back(database):
    def body():
        with database.begin() as connection:
            connection.execute(text("INSERT INTO numbers VALUES (1)"))
        raise ValueError("no")

    assert run(Fence.ROLLBACK, body, {}).error == ("ValueError", "no")
    assert rows(database) == []


DJANGO = """
import os, sys
from django.conf import settings
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
    INSTALLED_APPS=[], SECRET_KEY="x")
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.db import connection, transaction
from offcanvas.shadow.fences import Fence, run

def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()

execute("CREATE TABLE numbers (n INTEGER)")

def body():
    execute("INSERT INTO numbers VALUES (1)")
    with transaction.atomic(durable=True):
        execute("INSERT INTO numbers VALUES (2)")
        transaction.on_commit(lambda: print("after the commit"))
    return execute("SELECT count(*) FROM numbers")[0][0]

ran = run(Fence.ROLLBACK, body, {})
print(ran.value, ran.error, len(ran.statements), execute("SELECT count(*) FROM numbers")[0][0])
"""


def test_django_is_rolled_back(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DJANGO, str(tmp_path / "db.sqlite3")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    # In the statements: two INSERTs, the SELECT, and the savepoint of the inner block.
    value, error, statements, left = ran.stdout.split()
    assert (value, error, left) == ("2", "None", "0")
    assert int(statements) >= 3


@pytest.fixture
def listening():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def connect(port):
    with socket.create_connection(("127.0.0.1", port)):
        return "connected"


def test_sockets_and_processes_are_refused(listening):
    ran = run(Fence.ROLLBACK, lambda: connect(listening), {})
    told = f"a connection to 127.0.0.1:{listening} is refused behind the fence"
    assert ran.error == ("FencedOff", told)
    ran = run(Fence.ROLLBACK, lambda: subprocess.run(["true"], check=True), {})
    assert ran.error is not None
    assert "a process was to be started behind the fence" in ran.error[1]
    # Others go on meanwhile, and so does everybody afterwards.
    with ThreadPoolExecutor(1) as beside:
        beside.submit(int).result()  # its thread is there before the fence is
        ran = run(Fence.ROLLBACK, lambda: beside.submit(connect, listening).result(), {})
    assert (ran.value, connect(listening)) == ("connected", "connected")


@pytest.mark.parametrize("fence", [Fence.ROLLBACK, Fence.SANDBOX])
def test_threads_would_be_on_the_other_side(fence):
    done = []
    ran = run(fence, lambda: threading.Thread(target=done.append, args=(1,)).start(), {})
    assert ran.error == ("FencedOff", "a thread was to be started behind the fence")
    with ThreadPoolExecutor(1) as pool:
        ran = run(fence, lambda: pool.submit(done.append, 1).result(), {})
    assert ran.error == ("FencedOff", "a thread was to be started behind the fence")
    assert done == []


def test_a_sandbox_leads_to_its_own_addresses_only(listening):
    sandbox = {"PAYMENTS": f"http://127.0.0.1:{listening}/test"}
    assert run(Fence.SANDBOX, lambda: connect(listening), sandbox).value == "connected"
    ran = run(Fence.SANDBOX, lambda: connect(listening), {"PAYMENTS": "http://127.0.0.1:1"})
    assert ran.error is not None
    assert ran.error[0] == "FencedOff"


@pytest.fixture
def bodies():
    """An app with a body that is always the same, and one that is a different one each time."""
    app = Celery("bodies", broker="memory://", set_as_current=False)
    count = itertools.count()

    @app.task(name="bodies.double", shared=False)
    def double(number):
        return 2 * number

    @app.task(name="bodies.next", shared=False)
    def one_more(number):
        return next(count)

    @app.task(name="bodies.other", shared=False)
    def other(number):
        return number

    of = {"double": Fence.PURE, "bodies.next": Fence.PURE}
    return Bodies(app, Fences(of, {}))


def compared(bodies, step, candidate, times=5, recorded=None):
    for number in range(times):
        told = Ran(2 * number) if recorded is None else recorded
        bodies.compare(step, {"number": number}, told, lambda number=number: candidate(number))
    return judged(bodies.found, bodies.fence)


def test_a_body_that_is_the_same(bodies):
    (found,) = compared(bodies, "double", lambda number: number + number)
    assert (found.calls, found.differing, found.noisy, found.drifted) == (5, 0, 0, 0)
    assert not found.beyond


def test_a_body_that_differs(bodies):
    (found,) = compared(bodies, "double", lambda number: 3 * number)
    assert (found.differing, found.noisy, found.beyond) == (4, 0, True)  # 3 * 0 is 2 * 0
    assert found.example == "3, and Celery's body: 2"


def test_a_body_that_raises_where_celerys_does_not(bodies):
    (found,) = compared(bodies, "double", lambda number: 1 // 0, times=1)
    assert found.example == (
        "ZeroDivisionError: integer division or modulo by zero, and Celery's body: 0"
    )


def test_noise_explains_what_differs_on_celery_as_well(bodies):
    (found,) = compared(bodies, "next", lambda number: -1)
    assert (found.differing, found.noisy, found.beyond) == (5, 5, False)


def test_what_is_not_fenced_or_masked_is_not_executed(bodies):
    assert compared(bodies, "other", lambda _: pytest.fail("executed")) == []
    bodies.compare("double", {"number": "masked:1"}, Ran(1), lambda: pytest.fail("executed"))
    assert (bodies.found, bodies.masked.total()) == ([], 1)


def test_data_that_have_changed_since_are_told_apart(bodies):
    (found,) = compared(bodies, "double", lambda number: 2 * number, recorded=Ran("long ago"))
    assert (found.differing, found.drifted, found.beyond) == (0, 5, False)


def test_chance_is_fishers():
    # Of 10 and 10, 5 and 0: the textbook's one-sided 0.0163.
    assert round(chance(10, 5, 0), 4) == 0.0163
    assert chance(10, 3, 3) > 0.5


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"fence": {}}, "fence is not known; there are fences and sandbox"),
        ({"fences": {"pay": "wall"}}, "pay = 'wall': write 'recorded', 'pure', 'rollback'"),
        ({"fences": {"pay": 1}}, "has to be a table of texts"),
        ({"fences": {"pay": "sandbox"}}, "[sandbox] names no address"),
    ],
)
def test_what_a_file_cannot_say(table, said):
    with pytest.raises(UsageError) as raised:
        read_fences(table, "fences.toml")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_longer_name_comes_first():
    fences = read_fences({"fences": {"a.pay": "pure", "pay": "rollback"}}, "")
    assert (fences.fence("a.pay"), fences.fence("b.pay")) == (Fence.PURE, Fence.ROLLBACK)
    assert fences.fence("a.ship") is Fence.RECORDED
    assert os.environ.get("NO_SUCH_VARIABLE") is None
