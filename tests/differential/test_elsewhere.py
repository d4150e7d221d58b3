"""Random canvases on a real Celery worker, on Temporal and on Prefect: the same is done."""

import os

import pytest

from tests.differential import specs
from tests.differential.compare import compared, drawn
from tests.differential.tasks import ROUTED

EXAMPLES = int(os.environ.get("OFFCANVAS_EXAMPLES", "32"))

pytestmark = [
    pytest.mark.servers,
    # Celery announces a change of chord.link_error whenever that is called.
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]


@pytest.mark.parametrize(
    ("batch", "examples"), [(None, EXAMPLES), (3, EXAMPLES // 4)], ids=["one_by_one", "batches"]
)
def test_temporal_and_prefect_do_what_celery_does(
    worker, temporal_worker, prefect_worker, batch, examples, monkeypatch
):
    engines = [temporal_worker, prefect_worker]
    for engine in engines:
        monkeypatch.setattr(engine, "batch", batch)
    drawn_examples = drawn(examples)
    comparisons = list(compared(drawn_examples, worker, engines, memory=False))
    assert len(comparisons) >= 2 * len(drawn_examples)
    told = [
        "\n".join([f"{one.engine}: {one.example!r}", *map(str, one.differences)])
        for one in comparisons
        if one.diverges
    ]
    assert not told, "\n\n".join(told)


def test_what_a_class_sends_besides_is_done_on_every_engine(
    worker, temporal_worker, prefect_worker
):
    call = specs.Call("tagged", (3, {"k": 1}), options=(("queue", ROUTED),))
    member = specs.Many("group", (call, specs.Call("echo")))
    examples = [specs.Example(one, args=([1, [2]], 1)) for one in (call, member)]
    for one in compared(examples, worker, [temporal_worker, prefect_worker]):
        assert one.differences == [], one


def test_examples_side_by_side_are_told_apart(worker, temporal_worker, prefect_worker):
    nested = specs.Call("starter")
    failing = specs.Chorded((specs.Call("boom"),), specs.Call("echo"), (specs.Call("errback"),))
    examples = [specs.Example(one) for one in (nested, failing, specs.Call("echo", ("alone",)))]
    for one in compared(examples, worker, [temporal_worker, prefect_worker]):
        assert one.differences == [], one


def test_a_difference_elsewhere_is_seen(worker, temporal_worker):
    class Forgetful:
        name = "forgetful"
        book = temporal_worker.book

        def walk(self, plans):
            return temporal_worker.walk(plans[:1])

    examples = [specs.Example(specs.Call("echo", (number,))) for number in (1, 2)]
    first, second = compared(examples, worker, [Forgetful()], memory=False)
    assert not first.diverges
    assert second.diverges
