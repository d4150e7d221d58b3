"""Random canvases on a real Celery worker and elsewhere: the same values, failures and calls."""

import os

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings

from tests.differential import specs
from tests.differential.observe import on_celery, on_engine, on_memory
from tests.differential.quirks import explained

EXAMPLES = int(os.environ.get("OFFCANVAS_EXAMPLES", "200"))

pytestmark = [
    pytest.mark.servers,
    # Celery announces a change of chord.link_error whenever that is called.
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
    # A canvas of four levels is long when it is written out.
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]


def examples(number):
    """So many random examples, the same each time."""
    return settings(
        max_examples=number,
        # An example takes a tenth of a second or more; `make differential` shrinks what it finds.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def compare(example, worker, calls):
    real = on_celery(example, worker)
    mine = on_engine(example, worker, calls)
    differences = mine.differences(real)
    # Where the oracle differs from Celery in the same way, it is for the oracle's own test to say
    # whether that may be.
    if differences and mine.differences(on_memory(example, worker)):
        row = explained(example, real, mine)
        event(str(row))
        assert row is not None, "\n".join(["against Celery:", *map(str, differences)])


@examples(EXAMPLES)
@given(example=specs.examples)
def test_temporal_does_what_celery_does(worker, temporal_worker, example):
    compare(example, worker, temporal_worker)


# A flow run costs half a second; the walk and the tasks are the same code on all engines.
@examples(EXAMPLES // 10)
@given(example=specs.examples)
def test_prefect_does_what_celery_does(worker, prefect_worker, example):
    compare(example, worker, prefect_worker)
