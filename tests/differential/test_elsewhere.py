"""Random canvases on a real Celery worker, on Temporal and on Prefect: the same is done."""

import os

import pytest

from tests.differential import specs
from tests.differential.compare import compared, drawn

EXAMPLES = int(os.environ.get("OFFCANVAS_EXAMPLES", "200"))

pytestmark = [
    pytest.mark.servers,
    # Celery announces a change of chord.link_error whenever that is called.
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]


def test_temporal_and_prefect_do_what_celery_does(worker, temporal_worker, prefect_worker):
    engines = [temporal_worker, prefect_worker]
    comparisons = list(compared(drawn(EXAMPLES), worker, engines, memory=False))
    assert len(comparisons) >= 2 * EXAMPLES
    told = [
        "\n".join([f"{one.engine}: {one.example!r}", *map(str, one.differences)])
        for one in comparisons
        if one.diverges
    ]
    assert not told, "\n\n".join(told)


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
