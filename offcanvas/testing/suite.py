"""The canvas suite that an engine's author runs: what every engine does as Celery does it.

    from offcanvas.testing.suite import CanvasSuite

    class TestFar(CanvasSuite):
        engine = "far"

That class in a test file of your distribution runs everything below on the engine that is called
``far`` (docs/engines.md). Each test sends canvases of ``offcanvas.testing.tasks`` through the
engine's ``session``: one server and one worker for the whole class.

What the engine's support table excuses is named with the feature that excuses it::

    excused = {"test_a_task_revokes_what_comes_after_it": Feature.TASK_REVOKE}

Such a test is expected to fail. It is an error if it passes, or if the table says that the feature
is exact.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from celery import chain, chord, group
from celery.exceptions import TaskRevokedError

from offcanvas.celery_app.planning import Submission
from offcanvas.engines.base import Outcome
from offcanvas.engines.features import Feature
from offcanvas.engines.registry import engine
from offcanvas.engines.support import Level
from offcanvas.testing.tasks import (
    add,
    app,
    boom,
    extends,
    flaky,
    ignored,
    listed,
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

#: Runs a canvas with arguments and options to its end, with all that it starts.
OnEngine = Callable[..., Outcome]

#: Canvases and their values: every kind once.
SIMPLE: tuple[tuple[Any, Any], ...] = (
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
NESTED: tuple[tuple[Any, Any], ...] = (
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
    (chord([chain(add.s(1), add.s(2)), add.s(1)], listed.s()), [4, 2]),
)


def lines(path: str | Path) -> list[str]:
    """What tasks have written, sorted: tasks side by side have no order."""
    return sorted(Path(path).read_text(encoding="utf-8").splitlines())


class Canvases:
    """What every engine does alike; a subclass or its conftest has the fixture ``on_engine``."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        """Where tasks write, as text."""
        return str(tmp_path / "written")

    def test_arguments_of_the_call(self, on_engine: OnEngine) -> None:
        assert on_engine(group(add.s(1), add.si(7)), 5).get() == [6, 8]

    def test_a_failure_stops_the_chain_and_fires_errbacks_once(
        self, on_engine: OnEngine, path: str
    ) -> None:
        errback = write.si("errback", path=path)
        outcome = on_engine(chain(add.s(1), boom.s(), add.s(3)).on_error(errback))
        assert repr(outcome.error) == "ValueError('boom', 1)"
        assert lines(path) == ["errback"]

    def test_all_that_follows_a_failure_has_its_error(self, on_engine: OnEngine) -> None:
        outcome = on_engine(chain(boom.s(), add.s(1), add.s(2), add.s(3)))
        assert repr(outcome.error) == "ValueError('boom', 0)"

    def test_a_failed_header_runs_all_its_tasks_and_fails_the_body(
        self, on_engine: OnEngine, path: str
    ) -> None:
        header = [boom.s(), write.s("sibling", path=path)]
        outcome = on_engine(chord(header, total.s().on_error(write.si("errback", path=path))))
        assert repr(outcome.error) == "ValueError('boom', 0)"
        assert lines(path) == ["errback", "sibling"]

    def test_callbacks_get_the_result(self, on_engine: OnEngine, path: str) -> None:
        canvas: Any = add.s(1)  # the stubs know of one callback alone
        on_engine(canvas.set(link=[write.s("one", path=path), write.s("two", path=path)]))
        assert lines(path) == ["2 one", "2 two"]

    def test_canvases_started_in_tasks_run_too(self, on_engine: OnEngine, path: str) -> None:
        on_engine(starts.s(path))
        assert lines(path) == ["3"]

    def test_tasks_run_in_processes_apart(self, on_engine: OnEngine) -> None:
        ids = on_engine(group(where.s() for _ in range(4))).get()
        assert os.getpid() not in {one for pair in ids for one in pair}

    def test_the_request(self, on_engine: OnEngine) -> None:
        canvas = chain(who.s(), group(who.si(), who.si())).set(priority=7)
        first, second = on_engine(canvas).get()
        assert first["root"] == first["parent"] == second["parent"]
        assert first["group"] == second["group"] is not None
        assert (first["index"], second["index"]) == (0, 1)

    def test_queue_priority_and_stamps_reach_the_request(self, on_engine: OnEngine) -> None:
        canvas = who.s().set(priority=7, queue="fast")
        canvas.stamp(batch="b1")
        seen = on_engine(canvas).get()
        assert (seen["priority"], seen["queue"], seen["stamps"]) == (7, "fast", {"batch": "b1"})

    def test_countdown_is_waited_for(self, on_engine: OnEngine) -> None:
        before = time.time()
        assert on_engine(now.s(), countdown=0.5).get() >= before + 0.5

    def test_hooks_of_a_custom_base_are_called(self, on_engine: OnEngine, path: str) -> None:
        assert on_engine(watched.s(path=path)).get() == "fine"
        assert lines(path) == ["on_success fine"]

    def test_ignore_leaves_the_caller_waiting(self, on_engine: OnEngine) -> None:
        assert on_engine(chain(ignored.s(), add.si(1))).state == "PENDING"

    def test_expired_tasks_are_revoked(self, on_engine: OnEngine) -> None:
        outcome = on_engine(chain(add.s(1), add.s(1)), expires=-1)
        assert isinstance(outcome.error, TaskRevokedError)

    def test_a_task_revokes_what_comes_after_it(self, on_engine: OnEngine, path: str) -> None:
        later = write.si("ran", path=path).set(task_id="later")
        outcome = on_engine(chain(revokes.si(["later"]), add.si(1), later))
        assert isinstance(outcome.error, TaskRevokedError)
        assert not Path(path).exists()


class CanvasSuite(Canvases):
    """The suite for the engine called ``engine``; subclass it."""

    engine: ClassVar[str]
    #: Tests that are expected to fail, by name, with the feature whose row in the table says why.
    excused: ClassVar[Mapping[str, Feature]] = {}

    def __init_subclass__(cls) -> None:
        """See that what is excused is there."""
        super().__init_subclass__()
        unknown = sorted(name for name in cls.excused if not hasattr(cls, name))
        if unknown:
            raise TypeError(f"{cls.__name__}.excused names no test: {', '.join(unknown)}")

    @pytest.fixture(scope="class")
    def on_engine(self) -> Iterator[OnEngine]:
        """Runs a canvas in one session of the engine for all tests."""
        chosen = engine(self.engine)

        with chosen.session(app) as run:

            def run_canvas(canvas: Any, *args: object, **options: Any) -> Outcome:
                submission = Submission(app, canvas, args, {}, options, timeout=300)
                return run(chosen.plan(submission))

            yield run_canvas

    @pytest.fixture(autouse=True)
    def _excuse(self, request: pytest.FixtureRequest) -> None:
        feature = self.excused.get(request.node.originalname)
        if feature is None:
            return
        row = engine(self.engine).support[feature]
        if row.level in {Level.EXACT, Level.LOWERED}:
            pytest.fail(f"excused by {feature.name}, of which the table says: {row.level}")
        request.applymarker(pytest.mark.xfail(reason=row.note, strict=True))

    @pytest.mark.parametrize(("canvas", "value"), [*SIMPLE, *NESTED])
    def test_values(self, on_engine: OnEngine, canvas: Any, value: Any) -> None:
        assert on_engine(canvas).get() == value


def get(result: Any) -> Any:
    """Wait for a result as a patient caller does."""
    return result.get(timeout=300, interval=0.02)


class Rerouted:
    """What callers meet whose app is rerouted; the fixture `rerouted` is the open switch."""

    def test_callers_get_celerys_results(self, rerouted: Any) -> None:
        result: Any = chain(add.s(1), add.s(2)).delay()
        assert get(result) == 4
        assert (result.state, result.parent.get(), result.ready()) == ("SUCCESS", 2, True)
        assert get(chord([add.s(1), add.s(2)])(total.s())) == 5
        assert get(group(add.s(1), add.s(2))()) == [2, 3]
        with pytest.raises(ValueError, match="boom"):
            get((boom.s() | add.s(1)).delay())

    def test_the_same_id_may_be_sent_twice(self, rerouted: Any) -> None:
        results = [add.apply_async((1,), task_id="twice", countdown=0.2) for _ in range(2)]
        assert [get(result) for result in results] == [2, 2]

    def test_a_canvas_is_revoked(self, rerouted: Any, tmp_path: Path) -> None:
        result = sleeps.apply_async((str(tmp_path / "ran"),), countdown=8)
        result.revoke()
        with pytest.raises(TaskRevokedError):
            get(result)
        assert not (tmp_path / "ran").exists()

    def test_a_task_revokes_another_canvas(self, rerouted: Any, tmp_path: Path) -> None:
        result = sleeps.apply_async((str(tmp_path / "ran"),), countdown=15)
        get(revokes.delay([result.id]))
        with pytest.raises(TaskRevokedError):
            get(result)
        assert not (tmp_path / "ran").exists()
