"""Random canvases on a real worker and on the engines: the same values, failures and calls."""

import os
from collections import Counter

import pytest
from celery import VERSION
from hypothesis import HealthCheck, event, given, settings

from offcanvas.engines.features import Feature
from tests.differential import specs
from tests.differential.compare import compared
from tests.differential.observe import on_celery, on_memory
from tests.differential.quirks import explained
from tests.differential.reduce import reduced

EXAMPLES = int(os.environ.get("OFFCANVAS_EXAMPLES", "200"))

pytestmark = [
    pytest.mark.servers,
    # Celery announces a change of chord.link_error whenever that is called.
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
    # A canvas of four levels is long when it is written out.
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
)
@given(example=specs.examples)
def test_memory_does_what_celery_does(worker, example):
    real, mine = on_celery(example, worker), on_memory(example, worker)
    differences = mine.differences(real)
    if differences:
        row = explained(example, real, mine)
        event(str(row))
        assert row is not None, "\n".join(["memory against Celery:", *map(str, differences)])


def test_the_comparison_can_fail(worker):
    example = specs.Example(specs.Call("echo", (1,)))
    real = on_celery(example, worker)
    assert real.answers == {'returns ["echo", [1], {}]'}
    assert real.ran == Counter(["echo(1)"])
    assert on_memory(specs.Example(specs.Call("echo", (2,))), worker).differences(real)


def test_a_celery_worker_that_blocks_for_ever_is_replaced(worker):
    chunks = specs.Items("chunks", (0, 1))
    group = specs.Many("group", (specs.Call("swap_group", immutable=True), specs.Call("echo")))
    header = (specs.Many("chain", (chunks, group), "raw"), specs.Items("starmap", (3,)))
    blocking = specs.Example(specs.Chorded(header, specs.Call("echo")))
    before = worker.pid
    assert on_celery(blocking, worker).answers == {"waits for ever"}
    assert worker.pid != before
    real = on_celery(specs.Example(specs.Call("echo", (1,))), worker)
    assert real.answers == {'returns ["echo", [1], {}]'}


LOST = Feature.LOST_ERRBACKS_OF_EMPTY_HEADER
OLD, STORED = specs.Call("note", ("old",)), specs.Call("note", ("stored",), immutable=True)
FAILS, ECHO = specs.Call("crash", immutable=True), specs.Call("echo", immutable=True)
IGNORED = (("ignore_result", True),)
UNHEARD = specs.Call("boom", immutable=True, options=IGNORED)
QUIET = specs.Call("echo", immutable=True, options=IGNORED)
BOOM, ERRBACK = specs.Call("boom", immutable=True), specs.Call("errback")
#: Found at random, made smaller, and the row of the support table that explains each.
EXPLAINED = [
    (
        specs.Many(
            "chain",
            (
                specs.Chorded((), specs.Many("group", (specs.Chorded((FAILS,), ECHO),))),
                specs.Call("echo", errbacks=(OLD,)),
            ),
        ),
        Feature.HANG_CHORD_IN_HEADER,
    ),
    (
        specs.Chorded(
            (specs.Chorded((), specs.Many("group", (specs.Chorded((), FAILS), ECHO))),),
            specs.Call("echo", errbacks=(STORED,)),
        ),
        LOST,
    ),
    (
        specs.Many(
            "chain",
            (specs.Chorded((specs.Chorded((), FAILS),), specs.Call("echo")),),
            errbacks=(specs.Call("errback"), OLD),
        ),
        LOST,
    ),
    (
        specs.Many(
            "chain",
            (
                specs.Chorded((specs.Call("echo"),), specs.Call("echo")),
                specs.Chorded((), specs.Many("group", (BOOM,), errbacks=(ERRBACK,))),
            ),
            how="pipe",
            errbacks=(ERRBACK,),
        ),
        Feature.TWICE_ERRBACK_OF_GROUP_BODY,
    ),
    (specs.Many("chain", (UNHEARD, ECHO, ECHO), errbacks=(ERRBACK,)), Feature.HANG_IGNORED_FAILURE),
    (
        specs.Many("chain", (specs.Chorded((ECHO,), UNHEARD), ECHO)),
        Feature.HANG_IGNORED_FAILURE,
    ),
    (
        specs.Chorded(
            (ECHO, specs.Many("chain", (ECHO, specs.Many("group", (QUIET, ECHO))))), ECHO
        ),
        Feature.HANG_IGNORED_IN_HEADER,
    ),
    (
        specs.Chorded(
            (BOOM, specs.Chorded((ECHO,), specs.Many("group", (QUIET, ECHO)))), ECHO, (ERRBACK,)
        ),
        Feature.HANG_IGNORED_IN_HEADER,
    ),
    (
        specs.Chorded(
            (
                specs.Call("cancelled_boom"),
                specs.Many("chain", (ECHO, specs.Many("group", (ECHO, ECHO)))),
            ),
            ECHO,
            (ERRBACK,),
        ),
        Feature.HANG_ODD_ERROR_IN_HEADER,
    ),
    (
        specs.Chorded(
            (ECHO, specs.Chorded((), specs.Many("group", (specs.Call("speechless_boom"),)))),
            ECHO,
            (ERRBACK,),
        ),
        Feature.HANG_ODD_ERROR_IN_HEADER,
    ),
    (
        specs.Chorded(
            (
                specs.Many(
                    "chain",
                    (
                        specs.Chorded((BOOM,), specs.Call("echo")),
                        specs.Many("group", (specs.Call("echo"), specs.Many("group", ()))),
                    ),
                    "pipe",
                ),
            ),
            specs.Call("echo", immutable=True, errbacks=(ERRBACK,)),
        ),
        Feature.HANG_CHORD_IN_HEADER,
    ),
    (
        specs.Chorded(
            (specs.Many("chain", (specs.Many("group", ()),), "raw"), QUIET),
            specs.Call("echo", errbacks=(ERRBACK,)),
        ),
        Feature.FAILS_IGNORED_BESIDE_EMPTY_CHAIN,
    ),
    (
        specs.Chorded(
            (),
            specs.Many(
                "chain",
                (
                    specs.Many("group", (ECHO, specs.Chorded((ECHO,), ECHO))),
                    specs.Items("chunks", ()),
                ),
                "raw",
            ),
        ),
        Feature.FAILS_CHUNKS_OF_NOTHING,
    ),
    *(
        (
            specs.Many("chain", (specs.Call("inserts"), specs.Many("group", members))),
            Feature.TASK_REQUEST_CHAIN,
        )
        for members in ((ECHO, ECHO), (ECHO, specs.Items("chunks", ())))
    ),
    *(
        (
            specs.Many(
                "chain",
                (specs.Chorded(header, specs.Many("group", (ECHO, ECHO, ECHO))), after),
                "pipe",
            ),
            Feature.TWICE_AFTER_GROUP_BODY,
        )
        for header in ((), (ECHO,))
        for after in (specs.Many("chain", (ECHO, specs.Call("echo"))), specs.Revoked("id"))
    ),
]


@pytest.mark.skipif(VERSION < (5, 7), reason="rows say what Celery 5.7 does")
@pytest.mark.parametrize(("canvas", "row"), EXPLAINED)
def test_what_was_found_at_random_is_a_row_of_the_support_table(worker, canvas, row):
    (one,) = compared([specs.Example(canvas)], worker, [])
    assert one.differences
    assert one.row == row


def test_a_divergence_is_made_smaller():
    def alike(example):
        return "boom" in repr(example)

    group = specs.Many("group", (specs.Call("boom", (1,), links=(ECHO,)), ECHO), errbacks=(OLD,))
    large = specs.Example(specs.Chorded((group, ECHO), ECHO, (STORED,)), args=(1,), wired=True)
    assert reduced(large, alike) == specs.Example(specs.Call("boom"))
