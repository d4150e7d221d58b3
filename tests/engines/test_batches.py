"""What can be asked of batches and bursts, and how a batch's size is learnt."""

import asyncio

import pytest

from offcanvas import cli
from offcanvas._reroute import reroute
from offcanvas._run import run
from offcanvas.canvas.calls import LEFT, SUCCESS, Branch, TaskCall, TaskOutcome
from offcanvas.canvas.nodes import Chain, Options, Task
from offcanvas.engines import bursts
from offcanvas.engines.batches import MOST, PROBES, Batches, Ran, batch_of, batch_of_word
from offcanvas.engines.bursts import Bursts, is_lone, together
from offcanvas.errors import EngineUnavailable, UsageError
from tests.engines.tasks import add, app


@pytest.mark.parametrize("given", [0, -3, MOST + 1, True, 1.5, "many", [3]])
def test_a_size_that_is_none_is_refused(given):
    with pytest.raises(UsageError, match="batch="):
        batch_of(given)


@pytest.mark.parametrize("word", ["0", "many", "-1", "1e3"])
def test_a_word_that_is_no_size_is_refused(word):
    with pytest.raises(UsageError, match="--batch"):
        batch_of_word(word)


def test_sizes():
    assert [batch_of(one) for one in (None, "auto", 1, MOST)] == [None, "auto", 1, MOST]
    assert [batch_of_word(one) for one in ("none", "auto", "7")] == [None, "auto", 7]


def test_an_engine_without_batches_refuses_them():
    with pytest.raises(UsageError, match="batch= is for temporal, prefect, and not for memory"):
        run(add.s(1), batch=3)
    with pytest.raises(UsageError, match="batch= is for"):
        reroute(app, to="memory", batch="auto")
    with pytest.raises(UsageError, match="lone= is for"):
        reroute(app, to="memory", lone="burst")
    with pytest.raises(UsageError, match="lone="):
        reroute(app, to="temporal", lone="sometimes")


@pytest.mark.parametrize("batch", ["3", "many"])
def test_the_command_says_so_in_one_line(batch, monkeypatch, capsys):
    monkeypatch.setattr(
        "sys.argv", ["offcanvas", "run", "tests.canvas.shop:flow", "--batch", batch]
    )
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def calls(count, name="shop.double"):
    return [TaskCall({"task": name}, str(number), str(number)) for number in range(count)]


async def outcomes_of(batch, members, ran):
    """Run the members by ``ran(calls)``; the sizes of the batches in their order, and outcomes."""
    sizes = []

    async def run_batch(some):
        sizes.append([one.task_id for one in some])
        await asyncio.sleep(0)
        return ran(some)

    async def alone(call, told):
        return TaskOutcome(SUCCESS, value=f"alone {told}")

    batches = Batches(batch, run=run_batch, alone=alone, in_flight=100, sleep=asyncio.sleep)
    found = await asyncio.gather(*(batches.run_task(one) for one in members))
    return sizes, found


def succeed(seconds):
    def ran(some):
        done = [TaskOutcome(SUCCESS, value=one.task_id) for one in some]
        return Ran(done, seconds * len(some), len(some))

    return ran


async def test_so_many_run_together():
    sizes, found = await outcomes_of(3, calls(8), succeed(9.0))
    assert sizes == [["0", "1", "2"], ["3", "4", "5"], ["6", "7"]]
    assert [one.value for one in found] == [str(number) for number in range(8)]


async def test_tasks_of_other_names_run_apart():
    members = [*calls(2), *calls(2, "shop.half")]
    sizes, _ = await outcomes_of(10, members, succeed(0.001))
    assert sizes == [["0", "1"], ["0", "1"]]


async def test_short_ones_run_together_once_that_is_known():
    sizes, _ = await outcomes_of("auto", calls(2_000), succeed(0.001))
    lengths = [len(one) for one in sizes]
    assert lengths[:PROBES] == [1] * PROBES
    assert max(lengths) > 100
    assert sum(lengths) == 2_000
    assert len(lengths) < 40


async def test_long_ones_go_alone():
    sizes, _ = await outcomes_of("auto", calls(30), succeed(0.9))
    assert [len(one) for one in sizes] == [1] * 30


async def test_what_has_not_begun_is_sent_again_in_its_order():
    def half(some):
        middle = (len(some) + 1) // 2
        done = [TaskOutcome(SUCCESS)] * middle
        return Ran([*done, *[TaskOutcome(LEFT)] * (len(some) - middle)], 0.1, middle)

    sizes, found = await outcomes_of(4, calls(4), half)
    assert sizes == [["0", "1", "2", "3"], ["2", "3"], ["3"]]
    assert {one.state for one in found} == {SUCCESS}


async def test_what_is_not_to_run_with_others_goes_alone():
    def leave(some):
        first, second = TaskOutcome(LEFT, why="alone"), TaskOutcome(LEFT, why="told")
        return Ran([first, second])

    _, found = await outcomes_of(2, calls(2), leave)
    assert [one.value for one in found] == ["alone False", "alone True"]


async def test_an_error_of_the_engine_reaches_all_who_wait():
    def fail(some):
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await outcomes_of(2, calls(4), fail)


def branches(count):
    return [Branch(Task(name="shop.double", options=Options(task_id=str(n)))) for n in range(count)]


class Results:
    """What is stored."""

    def __init__(self):
        self.backend, self.stored = self, {}

    def store_result(self, task_id, result, state):
        self.stored[task_id] = (type(result).__name__, state)


def test_a_burst_is_sent_again_while_nobody_answers(monkeypatch):
    monkeypatch.setattr(bursts, "_AGAIN", 0.01)
    sent, refusals = [], [EngineUnavailable("away")] * 3

    def send(some):
        if refusals:
            raise refusals.pop()
        sent.extend(one.node.options.task_id for one in some)

    there = Bursts(Results(), send)
    for one in branches(30):
        there.add(one)
    there.flush()
    assert sent == [str(number) for number in range(30)]
    there.close()


def test_one_that_cannot_be_sent_takes_no_other_along():
    sent, app = [], Results()

    def send(some):
        names = [one.node.options.task_id for one in some]
        if "7" in names:
            raise ValueError("too large")
        sent.extend(names)

    there = Bursts(app, send)
    for one in branches(20):
        there.add(one)
    there.close()
    assert sorted(sent, key=int) == [str(number) for number in range(20) if number != 7]
    assert app.stored == {"7": ("ValueError", "FAILURE")}


def test_what_is_cheapest_are_bursts_batched_by_time():
    assert together("auto", None) == (True, "auto")
    assert together("auto", 3) == (True, 3)
    assert together("burst", None) == (True, None)
    assert together("activity", "auto") == (False, "auto")
    assert together(None, 3) == (False, 3)


def test_only_tasks_that_begin_at_once_are_lone():
    (task,) = branches(1)
    assert is_lone(task)
    assert not is_lone(Branch(Chain(steps=(task.node,))))
    assert not is_lone(Branch(Task(name="shop.double", options=Options(countdown=5))))
