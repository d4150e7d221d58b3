import pytest
from celery import chain, chord, group, signals
from celery.exceptions import TaskRevokedError, WorkerLostError

from offcanvas._run import run
from offcanvas.canvas.planner import Deviation
from offcanvas.engines.memory.engine import _as_a_worker_process
from offcanvas.errors import (
    BadCanvas,
    CanvasWarning,
    NeverFinishes,
    UnknownEngine,
    UnregisteredTask,
)
from tests.engines.tasks import (
    add,
    app,
    boom,
    ends_the_chain,
    extends,
    extends_by_chord,
    flaky,
    hooked,
    ignored,
    leaves,
    new_errback,
    note,
    noted,
    old_errback,
    revokes,
    starts,
    swapped,
    swapped_group,
    total,
    waits,
    who,
)


@pytest.fixture(autouse=True)
def _nothing_noted():
    noted.clear()


@pytest.mark.parametrize(
    ("canvas", "value"),
    [
        (add.s(1), 2),
        (chain(add.s(1), add.s(2), add.s(3)), 7),
        (group(add.s(1), add.s(2)), [2, 3]),
        (chord([add.s(1), add.s(2)], total.s()), 5),
        (add.s(1) | group(add.s(1), add.s(2)) | total.s() | add.s(5), 12),
        (chord([chain(add.s(1), add.s(1)), group(add.s(4))], total.s()), 8),
        (chord(chain(add.s(1), add.s(2)), total.s()), 5),
        (chord([], total.s()), 0),
        (group(), []),
        (chain(), None),
        (add.map([1, 2]), [2, 3]),
        (add.starmap([(1, 2), (3, 4)]) | total.s(), 10),
        (add.chunks([(1, 2), (3, 4), (5, 6)], 2), [[3, 7], [11]]),
        (chain(add.si(1), add.si(5)), 6),
        (group(chain(add.s(1), group(add.s(1), add.s(2)))), [3, 4]),
        (swapped.s(1) | add.s(100), 112),
        (swapped_group.s(1) | total.s(), 13),
        (group(add.s(1)) | total.s(), 2),
        (chain(add.s(1), group(add.s(1))), 3),
    ],
)
def test_values(canvas, value):
    assert run(canvas).get() == value


def test_arguments_of_the_call_are_prepended_and_go_to_the_first_task():
    assert run(chain(add.s(2), add.s(3)), args=(5,)).get() == 10
    assert run(group(add.s(1), add.si(7)), args=(5,)).get() == [6, 8]


def test_keyword_arguments_of_the_call_win():
    assert run(add.s(1, y=2), kwargs={"y": 5}).get() == 6


def test_a_failure_stops_the_chain_and_fires_errbacks_once():
    outcome = run(chain(add.s(1), boom.s(), add.s(3)).on_error(old_errback.s()))
    assert outcome.error.args == ("boom", 1)
    assert [entry[0] for entry in noted] == ["add", "old_errback"]


@pytest.mark.parametrize(("code", "status"), [(3, 3), (None, 0), ("text", 1)])
def test_a_task_that_leaves_fails_alone(code, status):
    outcome = run(chord([leaves.s(code), note.s("other")], total.s()))
    assert isinstance(outcome.error, WorkerLostError)
    assert str(outcome.error) == f"Worker exited prematurely: exitcode {status}."
    assert noted == [("note", "other")]


def test_all_header_tasks_run_and_the_body_fails_with_a_chord_error():
    canvas = chord([boom.s(), add.s(1), add.s(2)], total.s().on_error(new_errback.s()))
    outcome = run(canvas)
    assert repr(outcome.error) == "ValueError('boom', 0)"
    assert [entry[0] for entry in noted] == ["add", "add", "new_errback"]
    assert "raised ValueError('boom', 0)" in noted[-1][2]


def test_callbacks_get_the_result_and_are_not_fired_on_failure():
    run(group(add.s(1).set(link=note.s("linked")), boom.s().set(link=note.s("not me"))))
    assert ("note", 2, "linked") in noted
    assert not any("not me" in entry for entry in noted)


def test_retries_wait_by_a_clock_that_jumps():
    assert run(flaky.s(4) | add.s(1)).get() == 5
    assert noted == [("flaky", 0), ("flaky", 1), ("flaky", 2), ("add", 4, 1)]


def test_hooks_of_a_custom_base_are_called():
    assert run(hooked.s(retry=True)).get() == "fine"
    assert [entry[0] for entry in noted] == [
        *("before_start", "on_retry", "before_start", "on_success", "after_return")
    ]
    noted.clear()
    assert run(hooked.s(fail=True)).error.args == ("hooked",)
    assert noted == [("before_start", []), ("on_failure", "hooked"), ("after_return", "FAILURE")]


def test_signals_are_sent():
    seen = []

    def receive(sender, signal, **given):
        seen.append((signal.name, sender.name))

    watched = (signals.task_prerun, signals.task_postrun, signals.task_success)
    for signal in (*watched, signals.task_failure, signals.task_retry):
        signal.connect(receive)
    try:
        run(add.s(1))
        run(boom.s())
    finally:
        for signal in (*watched, signals.task_failure, signals.task_retry):
            signal.disconnect(receive)
    assert [name for name, _ in seen] == [
        *("task_prerun", "task_success", "task_postrun"),
        *("task_prerun", "task_failure", "task_postrun"),
    ]


def test_add_to_chord():
    assert run(chord([extends.s(1), add.s(1)], total.s())).get() == 1 + 101 + 2


def test_a_chord_is_added_to_a_chord():
    assert run(chord([extends_by_chord.s(1), add.s(1)], total.s())).get() == 1 + (2 + 3) + 2


def test_a_canvas_started_in_a_task_runs_too():
    run(starts.s(5))
    assert noted == [("add", 5, 1)]


def test_the_request_of_a_chain():
    first, second = run(chain(who.s(), group(who.si(), who.si()))).get()
    assert first["root"] == first["parent"] == second["parent"]
    assert first["group"] == second["group"] is not None
    assert (first["index"], second["index"]) == (0, 1)


def test_the_request_of_a_chord():
    canvas = chord([who.s(), who.s()], note.s())
    run(canvas)
    ((_, headers),) = noted
    assert all(header["chord"] for header in headers)
    assert len({header["group"] for header in headers}) == 1


def test_priority_and_stamps_reach_the_request():
    sig = who.s().set(priority=7)
    sig.stamp(batch="b1")
    seen = run(sig).get()
    assert (seen["priority"], seen["stamps"]) == (7, {"batch": "b1"})


def test_options_of_a_chain_call_are_for_its_first_task():
    run(chain(who.s(), note.s()), priority=7)
    assert noted[0][1]["priority"] == 7


def test_result_get_in_a_task_is_refused():
    outcome = run(waits.s())
    assert "Never call result.get() within a task!" in str(outcome.error)


def test_ignore_leaves_the_caller_waiting():
    outcome = run(chain(ignored.s(), add.si(1)))
    assert outcome.state == "PENDING"
    assert noted == []
    with pytest.raises(NeverFinishes):
        outcome.get()


def test_a_task_revokes_what_comes_after_it():
    later = note.si("ran").set(task_id="later")
    with pytest.raises(TaskRevokedError, match="revoked"):
        run(chain(revokes.si(["later"]), add.si(1), later)).get()
    assert noted == [("add", 1, 1)]


def test_expired_tasks_are_revoked():
    outcome = run(chain(flaky.s(1), add.s(1)), expires=-1)
    assert isinstance(outcome.error, TaskRevokedError)


def test_arguments_that_do_not_fit_the_first_task_are_refused_at_once():
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        run(chain(total.s(), add.s()))


def test_arguments_that_do_not_fit_a_later_task_fail_the_one_before():
    outcome = run(chain(add.s(1), total.s(1, 2)))
    assert isinstance(outcome.error, TypeError)


def test_an_unregistered_task_is_refused_at_once():
    with pytest.raises(UnregisteredTask, match=r"no task 'no\.such'"):
        run(chain(add.s(1), app.signature("no.such")))
    assert noted == []


def test_a_chord_without_a_body_is_refused():
    with pytest.raises(BadCanvas, match="without a body"):
        run(chord([add.s(1)]))


def test_an_unknown_engine():
    with pytest.raises(UnknownEngine, match="there are: celery, memory"):
        run(add.s(1), on="nowhere")


def test_nested_groups_keep_their_order_and_a_warning_says_so():
    canvas = chord([add.s(1), group(add.s(2), add.s(3)), add.s(4)], note.s())
    with pytest.warns(CanvasWarning) as caught:
        run(canvas)
    assert noted[-1] == ("note", [2, 3, 4, 5])
    assert str(caught[0].message) == Deviation.NESTED_GROUP_ORDER.value
    assert caught[0].filename == __file__
    noted.clear()
    run(canvas, strict_celery=True)
    assert noted[-1] == ("note", [2, 4, 3, 5])


def test_a_third_group_gets_the_list_once():
    canvas = group(add.s(1), add.s(2)) | group(total.s(), total.s()) | group(total.s(), total.s())
    with pytest.warns(CanvasWarning):
        assert run(canvas).get() == [10, 10]


def test_the_app_keeps_its_backend():
    before = app.backend
    run(add.s(1))
    assert app.backend is before


def test_what_a_worker_sets_up_in_its_processes_is_set_up_here_once():
    calls = []

    @signals.worker_process_init.connect(weak=False)
    def handler(**_given):
        calls.append("set up")

    _as_a_worker_process.cache_clear()
    try:
        assert run(add.s(1)).get() == run(add.s(1)).get()
    finally:
        signals.worker_process_init.disconnect(handler)
    assert calls == ["set up"]


def test_a_task_that_takes_the_rest_of_the_chain_away_ends_it():
    ended = run(chain(ends_the_chain.s(1), add.s(1), boom.s()))
    assert ended.state == "PENDING"
    assert run(ends_the_chain.s(1)).get() == 1
    with pytest.raises(NeverFinishes):
        run(chord([add.s(1), chain(ends_the_chain.s(1), add.s(1))], total.s())).get()
