"""What the router does with a call, seen in the broker and in the claims; no worker runs."""

import json

import pytest
import redis

from offcanvas.cutover.router import CutOver
from offcanvas.cutover.rules import parse
from offcanvas.cutover.ways.temporal import TemporalPort
from offcanvas.errors import UsageError
from tests.cutover import shop

pytestmark = pytest.mark.servers

CHARGE = "tests.cutover.shop.charge"
BOOK = "tests.cutover.shop:book"


def rules(here, *tables, head=""):
    text = f'[cutover]\nclaims = "{here.environment["CUTOVER_CLAIMS"]}"\n{head}'
    for root, words in tables:
        text += f'[root."{root}"]\nto = "temporal"\n{words}\n'
    here.rules.write_text(text)


def raw(here):
    """What waits in the broker."""
    with redis.Redis.from_url(here.environment["CUTOVER_BROKER"]) as client:
        return [json.loads(one) for one in client.lrange("cutover.shop", 0, -1)]


def messages(here):
    """What waits in the broker: (task, id, whether it carries a claim)."""
    return sorted(
        (one["headers"]["task"].rpartition(".")[2], one["headers"]["id"],
         "offcanvas_claim" in one["headers"])
        for one in raw(here)
    )  # fmt: skip


def claims(here):
    """All claims: (id, engine, whether known to be sent)."""
    return json.loads(
        here.run(
            "import json\nrouter.notes.flush()\n"
            "print(json.dumps(sorted((c.id, c.engine, c.sent is not None)"
            " for c in router.claims.since(1e9))))"
        ).splitlines()[-1]
    )


def test_settled_roots_cost_nothing(here):
    rules(here, (CHARGE, "percent = 0\nsettle = 0"), (BOOK, "percent = 0\nsettle = 0"))
    here.run("charge.apply_async((1,), task_id='a'); book(1).delay(); leaflet(1)")
    assert [(name, marked) for name, _, marked in messages(here)] == [
        ("charge", False), *[("page", False)] * 4,
    ]  # fmt: skip
    assert claims(here) == []


COUNT = """
from sqlalchemy import event
from sqlalchemy.engine import Engine
router.claims.create()
router.notes.add = lambda _id: None  # noted in the background, many at a time
seen = []
def note(_connection, _cursor, statement, *_):
    seen.append(statement.split()[0])
event.listen(Engine, "before_cursor_execute", note)
charge.delay(1)
book(1).delay()
charge.apply_async((2,), task_id="two")
event.remove(Engine, "before_cursor_execute", note)
print(*seen)
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [("claims = true", ["INSERT"] * 3), ("settle = 0", []), ("percent = 0\nsettle = 0", [])],
)
def test_a_claim_is_one_insert_for_the_caller_and_nothing_at_0_per_cent(here, words, said):
    here.environment["CUTOVER_CLAIMS"] = f"sqlite:///{here.folder}/claims.db"
    rules(here, (CHARGE, words), (BOOK, words))
    assert here.run(COUNT).split() == said


def test_a_claimed_order_for_celery(here):
    rules(here, (CHARGE, "percent = 0\nclaims = true"))
    said = here.run(
        "r = charge.apply_async((1,), task_id='a')\nprint(r.id, type(r).__name__)\n"
        "charge.apply_async((1,), task_id='a')\nrouter.notes.flush()\n"
        "charge.apply_async((1,), task_id='a')"
    )
    assert said.split() == ["a", "AsyncResult"]
    # The second call did not know that the first had sent, the third did; a worker runs one.
    assert messages(here) in ([("charge", "a", True)], [("charge", "a", True)] * 2)
    assert claims(here) == [["a", "celery", True]]


def test_members_of_a_canvas_have_the_same_ids_each_time(here):
    rules(here, (BOOK, "percent = 0\nclaims = true"))
    code = "r = book(1).apply_async(task_id='a')\nprint(r.id, r.parent.results)"
    first, second = here.run(code), here.run("router.claims.note_sent = lambda _: None\n" + code)
    assert first == second
    sent = messages(here)
    assert len(sent) == 3
    assert all(marked for _, _, marked in sent)


def test_a_chord_that_was_sent_in_part_is_one_chord(here):
    rules(here, (BOOK, "percent = 0\nclaims = true"))
    cut = (
        "from kombu import Producer\n"
        "whole, sent = Producer.publish, []\n"
        "def publish(*args, **more):\n"
        "    sent.append(1)\n"
        "    if len(sent) == 2:\n"
        "        raise RuntimeError('the producer is gone')\n"
        "    return whole(*args, **more)\n"
        "Producer.publish = publish\n"
        "try:\n"
        "    book(1).apply_async(task_id='a')\n"
        "except RuntimeError:\n"
        "    pass\n"
        "finally:\n"
        "    Producer.publish = whole\n"
    )
    here.run(cut)
    assert len(messages(here)) == 1
    assert here.command("sweep", "--older", "0").stdout.startswith("sent 1,")
    assert len(messages(here)) == 4  # of which a worker ignores the repetition
    assert len({one["headers"]["group"] for one in raw(here)}) == 1


def test_a_repeated_call_with_other_rules_goes_where_the_first_went(here):
    rules(here, (CHARGE, "percent = 0\nclaims = true"))
    here.run("charge.apply_async((1,), task_id='a')")
    rules(here, (CHARGE, "percent = 100\nclaims = true"))
    here.run("charge.apply_async((1,), task_id='a')")
    assert claims(here) == [["a", "celery", True]]


def test_an_engine_that_is_away_leaves_no_claim(here):
    rules(here, (CHARGE, "percent = 100\nclaims = true"))
    said = here.run("charge.apply_async((1,), task_id='a')", check=False)
    assert "no Temporal server answers at 127.0.0.1:1" in said
    assert claims(here) == []
    assert messages(here) == []


def test_an_id_made_of_arguments(here):
    rules(here, (CHARGE, 'percent = 0\nclaims = true\nid = ["order"]'))
    here.run("charge.delay(1); router.notes.flush(); charge.delay(1, cents=5); charge.delay(2)")
    assert len(claims(here)) == 2
    assert len(messages(here)) == 2


def test_an_id_of_another_root_is_refused(here):
    rules(here, (CHARGE, "claims = true"), (BOOK, "claims = true"))
    said = here.run(
        "charge.apply_async((1,), task_id='a'); book(1).apply_async(task_id='a')", check=False
    )
    assert "the id a is claimed by tests.cutover.shop.charge already" in said
    assert len(messages(here)) == 1


def test_values_that_json_does_not_carry(here):
    rules(here, (CHARGE, "claims = true"))
    said = here.run("charge.delay(object())", check=False)
    assert "UnserialisableValue: a call of tests.cutover.shop.charge cannot be claimed" in said
    assert messages(here) == []


def test_claims_that_are_down(here):
    here.environment["CUTOVER_CLAIMS"] = "redis://127.0.0.1:1"
    rules(here, (CHARGE, "claims = true"))
    said = here.run("charge.delay(1)", check=False)
    assert "ClaimsUnavailable: the claims in redis://127.0.0.1:1 cannot be used" in said
    assert "Start that server, or mend claims = in the rule file" in said
    assert messages(here) == []
    rules(here, (CHARGE, "claims = true"), head='when_claims_are_down = "celery"\n')
    here.run("charge.delay(1)")
    assert [marked for _, _, marked in messages(here)] == [False]
    # Nobody knows where the first call with this id went.
    said = here.run("charge.apply_async((1,), task_id='a')", check=False)
    assert "ClaimsUnavailable" in said
    assert len(messages(here)) == 1


def test_what_was_claimed_and_never_sent_is_swept(here, monkeypatch):
    rules(here, (CHARGE, "claims = true"), (BOOK, "claims = true"))
    with monkeypatch.context() as dead:  # as if the producer were, between claim and send
        dead.setattr(CutOver, "send", lambda *_: None)
        here.run(
            "charge.apply_async((1,), task_id='a', countdown=5)\nbook(2).apply_async(task_id='b')"
        )
    assert messages(here) == []
    swept = here.command("sweep", "--older", "0")
    assert swept.stdout == "sent 2, ends seen 0, moved 0, forgotten 0\n", swept.stderr
    assert [name for name, *_ in messages(here)] == ["charge", "page", "page", "page"]
    assert here.command("sweep", "--older", "0").stdout.startswith("sent 0,")


def test_a_guard_watches_a_root_of_which_only_named_keys_go(here):
    words = 'percent = 0\nkey = "order"\non = ["1"]\nguard = { failures = 0.1, runs = 1 }'
    rules(here, (CHARGE, words))
    here.run(
        "from offcanvas.cutover.claims import Claim\n"
        "for name, engine, state in (('a', 'celery', 'success'), ('b', 'temporal', 'failure')):\n"
        f"    router.claims.claim(Claim(name, '{CHARGE}', engine, call='{{}}'))\n"
        "    router.claims.end(name, state, 1.0)\n"
    )
    swept = here.command("sweep")
    assert f"rolled back by its guard: {CHARGE}: 100.0% of 1 runs on temporal" in swept.stderr
    assert "on = " not in here.rules.read_text()


def test_a_port_of_a_task_without_a_package_needs_its_queue_named(here, monkeypatch):
    monkeypatch.delenv("OFFCANVAS_TASK_QUEUE", raising=False)
    rule = next(
        iter(
            parse(
                '[cutover]\nclaims = "redis://"\n[root.charge]\nto = "temporal"\nas = "port"\n'
            ).roots.values()
        )
    )
    with pytest.raises(UsageError, match=r'names no package .* write task_queue = "..."'):
        TemporalPort(shop.app, rule)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["set", "tests.cutover.shop.none", "--to", "temporal"], "has no task"),
        (["set", "tests.cutover.shop:none", "--to", "temporal"], "has no attribute 'none'"),
        (["set", "tests.cutover.shop:charge", "--to", "temporal"], "is a task: write its name"),
        (["set", CHARGE, "--to", "airflow"], "to = 'airflow'"),
        (["set", CHARGE, "--to", "temporal", "--percent", "101"], "percent = 101"),
        (["set", CHARGE, "--to", "temporal", "--percent", "nan"], "percent = nan"),
        (["set", CHARGE, "--to", "temporal", "--percent", "inf"], "percent = inf"),
        (["set", CHARGE, "--to", "temporal", "--rules", "/"], "/: is a folder"),
        (
            ["set", CHARGE, "--to", "temporal", "--key", "customer"],
            "key 'customer' is not a parameter",
        ),
        (["set", CHARGE, "--to", "temporal", "--percent", "5"], "no Temporal server answers"),
        (["set", CHARGE, "--to", "prefect", "--percent", "5"], "no Prefect server answers"),
        (["rollback", CHARGE], "there is no rule for"),
        (["rollback", CHARGE, "--rules", "/none.toml"], "/none.toml: cannot be read"),
        (["status", "-A", "no.such"], "finding the app and its tasks failed"),
        (["status", "--json", "--html", "page.html"], "--json, --html and --watch: give one"),
        (["status", "--json", "--watch"], "--json, --html and --watch: give one"),
        (["status", "--html", "/no/such/page.html"], "/no/such/page.html cannot be written"),
    ],
)
def test_misuse_is_one_line(here, words, said):
    rules(here)
    before = here.rules.read_text()
    ran = here.command(*words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert here.rules.read_text() == before
