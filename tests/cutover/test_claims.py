"""Claims in each place where they can be kept: what is inserted once, and by whom."""

import threading

import pytest

from offcanvas.cutover.claims import FAILURE, SUCCESS, Claim
from offcanvas.cutover.errors import ClaimsUnavailable
from offcanvas.cutover.sql import ddl
from offcanvas.cutover.stores import open_claims
from offcanvas.errors import UsageError
from offcanvas.servers import redis
from tests.services import private_postgres


@pytest.fixture(scope="module")
def _redis():
    with redis(tcp=True) as server:
        yield server.url


@pytest.fixture(scope="module")
def _postgres():
    with private_postgres() as url:
        yield url


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("redis", marks=pytest.mark.servers),
        pytest.param("postgresql", marks=pytest.mark.services),
    ]
)
def claims(request, tmp_path):
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path}/claims.db"
    else:
        kind = "_redis" if request.param == "redis" else "_postgres"
        address = request.getfixturevalue(kind)
    found = open_claims(address)
    found.create()
    found.create()
    yield found
    found.forget(-1e9)
    for one in [*found.unsent(-10, 1_000), *found.open(1_000)]:
        found.end(one.id, SUCCESS, None)
    found.forget(-1e9)
    assert found.since(1e9) == []
    found.close()


def claim(name="a", engine="temporal", **more):
    return Claim(name, "shop.charge", engine, key="k", version="v", call="{}", **more)


def test_the_first_claim_stays(claims):
    assert claims.claim(claim(engine="temporal")) is None
    there = claims.claim(claim(engine="celery"))
    assert (there.engine, there.key, there.version, there.call) == ("temporal", "k", "v", "{}")
    assert there.sent is None
    assert abs(there.made - claims.now()) < 60
    assert claims.get("a") == there
    assert claims.get("b") is None


def test_of_many_at_once_one_is_first(claims):
    answers = []
    barrier = threading.Barrier(8)

    def one(number):
        barrier.wait()
        answers.append(claims.claim(claim("same", engine=f"e{number}")))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(None) == 1
    assert {one.engine for one in answers if one} == {claims.get("same").engine}


def test_what_is_not_sent_is_found(claims):
    claims.claim(claim("a"))
    claims.claim(claim("b"))
    assert [one.id for one in claims.unsent(-1, 10)] == ["a", "b"]
    assert claims.unsent(1_000, 10) == []
    assert [one.id for one in claims.unsent(-1, 1)] == ["a"]
    claims.note_sent(["a", "no such"])
    claims.note_sent([])
    assert [one.id for one in claims.unsent(-1, 10)] == ["b"]
    assert [one.id for one in claims.open(10)] == ["a"]
    assert claims.open(10, "other.root") == []
    assert claims.get("no such") is None


def test_the_first_message_begins_and_comes_again(claims):
    claims.claim(claim("a", "celery"))
    assert claims.begin("a", "a", "token1")
    assert claims.begin("a", "a", "token1")
    assert not claims.begin("a", "a", "token2")
    begun = claims.get("a")
    assert begun.begun is not None
    assert begun.sent is not None
    assert claims.unsent(-1, 10) == []


def test_members_of_a_wide_canvas_begin_each(claims):
    claims.claim(claim("a", "celery"))
    assert claims.begin("a", "member1", "token1")
    assert not claims.begin("a", "member1", "token2")
    assert claims.begin("a", "member2", "token2")
    assert claims.begin("a", "member2", "token2")
    assert claims.begun_tasks("a") == 2
    assert claims.get("a").sent is None  # there may be more of them


def test_a_claim_that_is_forgotten_stops_nobody(claims):
    assert claims.begin("gone", "gone", "token")


def test_ends(claims):
    claims.claim(claim("a"))
    claims.end("a", FAILURE, 1.5)
    claims.end("a", SUCCESS, 3.0)
    ended = claims.get("a")
    assert (ended.state, ended.took, ended.call) == (FAILURE, 1.5, "")
    assert claims.open(10) == []
    assert claims.unsent(-1, 10) == []
    assert [one.id for one in claims.since(60)] == ["a"]
    assert claims.forget(1_000) == 0
    assert claims.forget(-1) == 1
    assert claims.get("a") is None


def test_moved_back(claims):
    claims.claim(claim("a"))
    claims.note_sent(["a"])
    claims.redo("a", moved=False)
    assert [one.redo for one in claims.open(10)] == [True]
    claims.redo("a", moved=True)
    (moved,) = claims.unsent(-1, 10)
    assert (moved.engine, moved.redo, moved.sent) == ("celery", False, None)


def test_withdrawn_unless_it_is_sent(claims):
    claims.claim(claim("a"))
    claims.withdraw("a")
    assert claims.get("a") is None
    claims.claim(claim("b"))
    claims.note_sent(["b"])
    claims.withdraw("b")
    assert claims.get("b") is not None


@pytest.mark.parametrize(
    "address", ["redis://127.0.0.1:1", "postgresql+psycopg://nobody@127.0.0.1:1/none"]
)
def test_claims_that_are_down(address):
    claims = open_claims(address)
    with pytest.raises(ClaimsUnavailable, match="nothing was sent") as raised:
        claims.claim(claim())
    assert raised.value.sure
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nonsense", "is not an address of a database"),
        ("oracle+nothing://x", "is not an address of a database"),
        ("mssql+pyodbc://x/y", "needs pyodbc"),
    ],
)
def test_addresses_that_lead_nowhere(address, said):
    with pytest.raises(UsageError, match=said):
        open_claims(address)


def test_the_statements_for_migrations():
    for kind in ("postgresql", "sqlite", "mysql"):
        text = ddl(kind)
        assert text.count("CREATE TABLE") == 2
        assert text.count(";") == text.count("CREATE")
