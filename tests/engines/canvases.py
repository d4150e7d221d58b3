"""Canvases on a real server, with tasks in processes apart: what the specification says.

One suite for every engine: a folder's `test_canvases.py` subclasses it, its `conftest.py` has the
fixture `on_engine`, which runs a canvas to its end, with all it starts, and gives the outcome.
"""

import os
import time
from pathlib import Path

import pytest
from celery import chain, chord, group
from celery.exceptions import TaskRevokedError

from tests.engines.apart import (
    add,
    boom,
    extends,
    flaky,
    ignored,
    now,
    revokes,
    sleeps,
    starts,
    swapped,
    swapped_group,
    total,
    watched,
    where,
    who,
    write,
)
from tests.engines.files import lines

#: Canvases and their values: every kind once.
SIMPLE = (
    (add.s(1), 2),
    (chain(add.s(1), add.s(2), add.s(3)), 7),
    (chain(add.si(1), add.si(5)), 6),
    (group(add.s(1), add.s(2)), [2, 3]),
    (group(), []),
    (chord([add.s(1), add.s(2)], total.s()), 5),
    (chord([], total.s()), 0),
    (chord(chain(add.s(1), add.s(2)), total.s()), 5),
    (chord([add.s(1)], group(total.s(), total.s())), [2, 2]),
    (add.map([1, 2]), [2, 3]),
)
#: In each other, and with tasks that do more than return.
NESTED = (
    (chain(), None),
    (group(chain(add.s(1), group(add.s(1), add.s(2)))), [3, 4]),
    (chord([chord([add.s(1)], total.s()), add.s(1)], total.s()), 4),
    (add.s(1) | group(add.s(1), add.s(2)) | total.s() | add.s(5), 12),
    (add.starmap([(1, 2), (3, 4)]) | total.s(), 10),
    (add.chunks([(1, 2), (3, 4), (5, 6)], 2), [[3, 7], [11]]),
    (flaky.s(4) | add.s(1), 5),
    (swapped.s(1) | add.s(100), 112),
    (swapped_group.s(1) | total.s(), 13),
    (chord([extends.s(1), add.s(1)], total.s()), 104),
)


class Canvases:
    """What every engine does alike."""

    def test_arguments_of_the_call(self, on_engine):
        assert on_engine(group(add.s(1), add.si(7)), 5).get() == [6, 8]

    def test_a_failure_stops_the_chain_and_fires_errbacks_once(self, on_engine, path):
        errback = write.si("errback", path=path)
        outcome = on_engine(chain(add.s(1), boom.s(), add.s(3)).on_error(errback))
        assert repr(outcome.error) == "ValueError('boom', 1)"
        assert lines(path) == ["errback"]

    def test_a_failed_header_runs_all_its_tasks_and_fails_the_body(self, on_engine, path):
        header = [boom.s(), write.s("sibling", path=path)]
        outcome = on_engine(chord(header, total.s().on_error(write.si("errback", path=path))))
        assert repr(outcome.error) == "ValueError('boom', 0)"
        assert lines(path) == ["errback", "sibling"]

    def test_callbacks_get_the_result(self, on_engine, path):
        on_engine(add.s(1).set(link=[write.s("one", path=path), write.s("two", path=path)]))
        assert lines(path) == ["2 one", "2 two"]

    def test_canvases_started_in_tasks_run_too(self, on_engine, path):
        on_engine(starts.s(path))
        assert lines(path) == ["3"]

    def test_tasks_run_in_processes_apart(self, on_engine):
        ids = on_engine(group(where.s() for _ in range(4))).get()
        assert os.getpid() not in {one for pair in ids for one in pair}

    def test_the_request(self, on_engine):
        canvas = chain(who.s(), group(who.si(), who.si())).set(priority=7)
        first, second = on_engine(canvas).get()
        assert first["root"] == first["parent"] == second["parent"]
        assert first["group"] == second["group"] is not None
        assert (first["index"], second["index"]) == (0, 1)

    def test_queue_priority_and_stamps_reach_the_request(self, on_engine):
        canvas = who.s().set(priority=7, queue="fast")
        canvas.stamp(batch="b1")
        seen = on_engine(canvas).get()
        assert (seen["priority"], seen["queue"], seen["stamps"]) == (7, "fast", {"batch": "b1"})

    def test_countdown_is_waited_for(self, on_engine):
        before = time.time()
        assert on_engine(now.s(), countdown=0.5).get() >= before + 0.5

    def test_hooks_of_a_custom_base_are_called(self, on_engine, path):
        assert on_engine(watched.s(path=path)).get() == "fine"
        assert lines(path) == ["on_success fine"]

    def test_ignore_leaves_the_caller_waiting(self, on_engine):
        assert on_engine(chain(ignored.s(), add.si(1))).state == "PENDING"

    def test_expired_tasks_are_revoked(self, on_engine):
        outcome = on_engine(chain(add.s(1), add.s(1)), expires=-1)
        assert isinstance(outcome.error, TaskRevokedError)

    def test_a_task_revokes_what_comes_after_it(self, on_engine, path):
        later = write.si("ran", path=path).set(task_id="later")
        outcome = on_engine(chain(revokes.si(["later"]), add.si(1), later))
        assert isinstance(outcome.error, TaskRevokedError)
        assert not Path(path).exists()


def get(result):
    return result.get(timeout=300, interval=0.02)


class Rerouted:
    """What callers meet whose app is rerouted; the fixture `rerouted` is the open switch."""

    def test_callers_get_celerys_results(self, rerouted):
        result = chain(add.s(1), add.s(2)).delay()
        assert get(result) == 4
        assert (result.state, result.parent.get(), result.ready()) == ("SUCCESS", 2, True)
        assert get(chord([add.s(1), add.s(2)])(total.s())) == 5
        assert get(group(add.s(1), add.s(2))()) == [2, 3]
        with pytest.raises(ValueError, match="boom"):
            get((boom.s() | add.s(1)).delay())

    def test_the_same_id_may_be_sent_twice(self, rerouted):
        results = [add.apply_async((1,), task_id="twice", countdown=0.2) for _ in range(2)]
        assert [get(result) for result in results] == [2, 2]

    def test_a_canvas_is_revoked(self, rerouted, tmp_path):
        result = sleeps.apply_async((str(tmp_path / "ran"),), countdown=8)
        result.revoke()
        with pytest.raises(TaskRevokedError):
            get(result)
        assert not (tmp_path / "ran").exists()

    def test_a_task_revokes_another_canvas(self, rerouted, tmp_path):
        result = sleeps.apply_async((str(tmp_path / "ran"),), countdown=15)
        get(revokes.delay([result.id]))
        with pytest.raises(TaskRevokedError):
            get(result)
        assert not (tmp_path / "ran").exists()
