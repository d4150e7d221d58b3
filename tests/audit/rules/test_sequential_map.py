from tests.audit.helpers import audit, lines

TASKS = """
from celery import chain, chord, group, shared_task

@shared_task
def add(x, y): ...

@shared_task
def total(xs): ...
"""


def test_alone_in_a_group_or_a_header() -> None:
    found = audit(
        "CEL405",
        TASKS
        + """
def run(pairs):
    group(add.starmap(pairs)).delay()
    chord([add.map(pairs)])(total.s())
""",
    )
    assert lines(found) == [11, 12]
    assert not any(f.doubt for f in found)


def test_alone_in_a_message() -> None:
    (found,) = audit("CEL405", TASKS + "def run(pairs):\n    add.starmap(pairs).delay()\n")
    assert found.doubt


def test_several_maps_run_beside_each_other() -> None:
    assert not audit(
        "CEL405",
        TASKS
        + """
def run(batches, pairs):
    group(add.starmap(batch) for batch in batches).delay()
    group(add.starmap(pairs), total.s([1])).delay()
    add.chunks(pairs, 10).group().delay()
    chain(add.starmap(pairs), total.s()).delay()
""",
    )


def test_the_map_of_something_else() -> None:
    assert not audit(
        "CEL405",
        TASKS + "def run(pool, pairs):\n    pool.starmap(add, pairs)\n    map(add, pairs)\n",
    )
