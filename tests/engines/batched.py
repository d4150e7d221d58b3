"""What every engine with batches has to do with one: each member is a task as ever."""

import os

import pytest
from celery import chain, chord, group
from celery.exceptions import TaskRevokedError, TimeLimitExceeded, WorkerLostError

from offcanvas.celery_app.freezing import prepare
from tests.engines.apart import (
    about,
    add,
    alarm,
    app,
    counted,
    counted_late,
    echo,
    engines_imported,
    mixed,
    total,
    write,
)
from tests.engines.files import lines, wait_for, wait_until


class BatchSuite:
    """A subclass has ``batched``: it starts a canvas with ``batch=``.

    ``batched(canvas, batch)`` is Celery's result, and a function that waits for the end.
    """

    def ended(self, batched, canvas, batch=7):
        """The result of a canvas at its end."""
        result, finish = batched(canvas, batch)
        finish()
        return result

    def test_each_member_is_a_task_as_ever(self, batched):
        result = self.ended(batched, group(about.s() for _ in range(7)), 3)
        members = result.children
        assert [one.get(timeout=60) for one in members] == [
            [member.id, result.id, index, member.id, None] for index, member in enumerate(members)
        ]

    def test_members_are_siblings_of_whatever_becomes_of_one(self, batched, tmp_path):
        path = str(tmp_path / "noted")
        what = ["a", "fails", "dies", "b", "leaves", "endless", "flaky", "swapped", "starts", "c"]
        members = [mixed.s(one, path=path) for one in what]
        members[5] = members[5].set(time_limit=1)
        members[1].link_error(write.si("errback", path=path))
        members[3].link(write.si("callback", path=path))
        result = self.ended(batched, group(members), 10)
        states = [member.state for member in result.children]
        gone = {"fails", "dies", "leaves", "endless"}
        assert states == ["FAILURE" if one in gone else "SUCCESS" for one in what]
        by_name = dict(zip(what, (member.result for member in result.children), strict=True))
        assert isinstance(by_name["fails"], ValueError)
        for one, how in (("dies", "signal 9 (SIGKILL)"), ("leaves", "exitcode 3")):
            assert isinstance(by_name[one], WorkerLostError)
            assert str(by_name[one]) == f"Worker exited prematurely: {how}."
        assert isinstance(by_name["endless"], TimeLimitExceeded)
        assert [by_name[one] for one in ("a", "flaky", "swapped", "c")] == [
            "a", "flaky", "swapped", "c",
        ]  # fmt: skip
        wait_until(lambda: len(lines(path)) == 3)
        assert lines(path) == ["callback", "errback", "started"]

    def test_an_errback_that_does_not_fit_is_the_error_of_its_member_alone(self, batched):
        members = [mixed.s("a"), mixed.s("fails").on_error(alarm.s()), mixed.s("c")]
        result = self.ended(batched, group(members), 3)
        assert [one.state for one in result.children] == ["SUCCESS", "FAILURE", "SUCCESS"]
        assert isinstance(result.children[1].result, TypeError)

    def test_processes_of_tasks_import_no_engine(self, batched):
        # Prefect takes each process most of a second of CPU and 60 MB.
        canvas = chain(engines_imported.si(), chord([engines_imported.si()] * 6, echo.s()))
        result = self.ended(batched, canvas, 3)
        assert result.get(timeout=60) == [[]] * 6
        assert result.parent.parent.get(timeout=60) == []

    def test_a_chord_goes_on_with_values_in_order(self, batched):
        members = [chain(add.s(number), add.s(1)) for number in range(20)]
        result = self.ended(batched, chord(members, total.s()), 6)
        assert result.get(timeout=60) == sum(range(20)) + 40

    def test_the_size_is_learnt(self, batched):
        result = self.ended(batched, chord([echo.s(one) for one in range(60)], echo.s()), "auto")
        assert result.get(timeout=60) == list(range(60))

    def test_what_has_not_begun_is_revoked(self, batched, revoke, tmp_path):
        path, held = str(tmp_path / "noted"), str(tmp_path / "held")
        members = [counted.s(one, path, held if one == 2 else None) for one in range(6)]
        result, finish = batched(group(members), 6)
        wait_for(held)
        ids = [one.id for one in result.children]
        revoke([ids[4]], terminate=False)
        revoke([ids[2]], terminate=True)
        finish()
        states = [one.state for one in result.children]
        assert states == ["SUCCESS", "SUCCESS", "REVOKED", "SUCCESS", "REVOKED", "SUCCESS"]
        with pytest.raises(TaskRevokedError, match="terminated"):
            result.children[2].get(timeout=60)
        assert lines(path) == ["0", "1", "2", "3", "5"]

    def test_tasks_that_are_sent_alone_go_together(self, switched, tmp_path):
        path = str(tmp_path / "noted")
        with switched(lone="auto") as switch:
            sent = [counted.delay(number, path) for number in range(100, 160)]
            fails, again = mixed.delay("fails"), mixed.delay("flaky")
            called = add.apply_async((1,), link=write.si("callback", path=path))
            later = add.apply_async((1,), countdown=1)
            waits = counted.apply_async((1, path), countdown=600)
            waits.revoke()
            assert [one.get(timeout=120) for one in sent] == list(range(100, 160))
            assert (again.get(timeout=120), called.get(timeout=60)) == ("flaky", 2)
            assert later.get(timeout=60) == 2
            with pytest.raises(ValueError, match="fails"):
                fails.get(timeout=120)
            started = {switch.target.started(one.id) for one in sent}
        wait_until(lambda: "callback" in lines(path))
        assert lines(path) == sorted([*map(str, range(100, 160)), "callback"])
        # The first alone, the others while it was on its way.
        assert 1 <= len(started) < 30

    @pytest.mark.parametrize("task", [counted, counted_late], ids=["early", "late"])
    def test_a_worker_that_is_killed(self, batched, worker, task, tmp_path):
        path, held = str(tmp_path / "noted"), str(tmp_path / "held")
        members = [task.s(one, path, held if one == 3 else None) for one in range(8)]
        with worker() as first:
            result, finish = batched(group(members), 8)
            wait_for(held)
            first.kill()
            first.wait(60)
        with worker():
            finish()
        again = task is counted_late
        states = [one.state for one in result.children]
        assert states == [
            "FAILURE" if number == 3 and not again else "SUCCESS" for number in range(8)
        ]
        if not again:
            assert isinstance(result.children[3].result, WorkerLostError)
        # What had ended is not done twice, what was running is lost or runs again, the rest runs.
        assert lines(path) == sorted([*"01234567", *(["3"] if again else [])])

    @pytest.mark.parametrize(
        "task",
        [
            pytest.param(counted, id="early"),
            pytest.param(counted_late, id="late", marks=pytest.mark.long),
        ],
    )
    def test_a_worker_that_was_frozen(self, batched, worker, task, tmp_path):
        path = str(tmp_path / "noted")
        members = [task.s(one, path, None, 0.2) for one in range(100, 130)]
        with worker() as first:
            result, finish = batched(group(members), 30)
            wait_until(lambda: os.path.exists(path) and len(lines(path)) > 3)  # noqa: PTH110  # a path is text here
            first.freeze()
            try:
                with worker():
                    finish()
                    first.thaw()
            finally:
                first.thaw()
        # Its process has ended what it was doing, and begun nothing that others have.
        assert [one.state for one in result.children] == ["SUCCESS"] * 30
        assert lines(path) == sorted(map(str, range(100, 130)))

    def test_a_server_that_is_restarted(self, own_server, tmp_path):
        server, batched = own_server
        path = str(tmp_path / "noted")
        members = [counted.s(one, path, None, 0.2) for one in range(100, 130)]
        result, finish = batched(group(members), 10)
        wait_until(lambda: os.path.exists(path) and len(lines(path)) > 3)  # noqa: PTH110  # a path is text here
        server.kill()
        server.start()
        finish()
        assert [one.state for one in result.children] == ["SUCCESS"] * 30
        assert lines(path) == sorted(map(str, range(100, 130)))


def started(canvas):
    """A canvas, prepared: its plan, and Celery's result."""
    prepared = prepare(app, canvas)
    return prepared.plan, prepared.result
