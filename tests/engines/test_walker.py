"""The walker with a driver made of plain answers: no Celery, no engine."""

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from offcanvas.canvas.calls import (
    FAILURE,
    IGNORED,
    REFUSED,
    REPLACED,
    RETRY,
    SUCCESS,
    Branch,
    Context,
    End,
    TaskCall,
    TaskOutcome,
)
from offcanvas.canvas.nodes import Chain, Chord, Group, Options, Task
from offcanvas.engines.memory.engine import Loop, Sleep
from offcanvas.engines.walker import Walker, result_ids

ERROR = {"exc_type": "ValueError", "exc_module": "builtins", "exc_message": ["no"]}


class Script:
    """Tasks answer by name; everything that is asked is written down."""

    def __init__(self, loop, **answers):
        self.loop = loop
        self.answers = {name: [*given] for name, given in answers.items()}
        self.calls = []
        self.slept = []
        self.failed_chords = []
        self.stored = []
        self.spawned = []
        self.rests = []

    async def run_task(self, call):
        self.calls.append(TaskCall.from_json(call.to_json()))
        given = self.answers.get(call.name)
        if given:
            return TaskOutcome.from_json(given.pop(0).to_json())
        return TaskOutcome(SUCCESS, value=[call.name, *call.signature["args"]])

    async def fail_chord(self, failure):
        self.failed_chords.append(failure)
        return TaskOutcome(FAILURE, error={**ERROR, "exc_type": "ChordError"})

    async def store_failures(self, task_ids, error, culprit):
        self.stored.append((list(task_ids), error["exc_type"], culprit))

    async def carry(self, values):
        return values

    async def sleep(self, seconds):
        self.slept.append(seconds)
        await Sleep(seconds)

    def now(self):
        return 1000.0

    async def gather(self, branches, walk):
        branches = [Branch.from_json(branch.to_json()) for branch in branches]
        fibers = [self.loop.start(walk(branch)) for branch in branches]
        return [End.from_json((await fiber).to_json()) for fiber in fibers]

    def spawn(self, branch):
        self.spawned.append(branch)

    async def at_step(self, rest):
        self.rests.append(rest)


def t(name, *args, **options):
    return Task(name=name, args=args, options=Options(task_id=f"id-{name}", **options))


def group(*members):
    return Group(members=members, options=Options(task_id="gid"))


def chord(header, body):
    return Chord(header=group(*header), body=body)


@pytest.fixture
def walk():
    def go(node, **answers):
        loop = Loop()
        script = Script(loop, **answers)
        fiber = loop.start(Walker(script).walk(Branch(node)))
        loop.run()
        return fiber.result, script

    return go


def test_a_chain_passes_values_parents_and_root(walk):
    end, script = walk(Chain(steps=(t("a"), t("b", 1), t("c"))))
    assert end.value == ["c", ["b", ["a"], 1]]
    assert [(call.parent_id, call.root_id) for call in script.calls] == [
        *((None, "id-a"), ("id-a", "id-a"), ("id-b", "id-a"))
    ]
    assert [call.then[0]["task"] for call in script.calls[:2]] == ["b", "c"]
    assert script.calls[2].then == ()


def test_a_failure_stores_the_rest_as_failed(walk):
    end, script = walk(
        Chain(steps=(t("a"), t("b"), group(t("c"), t("d")))), a=[TaskOutcome(FAILURE, error=ERROR)]
    )
    assert (end.state, end.result_id) == (FAILURE, "gid")
    assert script.stored == [(["id-b", "id-c", "id-d"], "ValueError", "id-a")]
    assert len(script.calls) == 1


def test_a_group_runs_all_and_keeps_order(walk):
    end, script = walk(group(t("a", countdown=5.0), t("b")), b=[TaskOutcome(SUCCESS, value="B")])
    assert end.value == [["a"], "B"]
    assert [call.name for call in script.calls] == ["b", "a"]
    assert [(call.group_id, call.group_index) for call in script.calls] == [("gid", 1), ("gid", 0)]
    assert script.slept == [5.0]


def test_a_chord_gives_the_list_to_its_body(walk):
    end, script = walk(chord([t("a"), t("b")], t("sum")))
    assert end.value == ["sum", [["a"], ["b"]]]
    assert [call.in_chord for call in script.calls] == [True, True, False]
    assert script.calls[2].parent_id == "id-b"


def test_a_failed_header_fails_the_body_after_all_have_run(walk):
    end, script = walk(
        chord([t("a"), t("b"), t("c")], t("sum")), b=[TaskOutcome(FAILURE, error=ERROR)]
    )
    assert [call.name for call in script.calls] == ["a", "b", "c"]
    (failure,) = script.failed_chords
    assert (failure.culprit, failure.body["task"]) == ("id-b", "sum")
    assert (end.state, end.result_id, end.error["exc_type"]) == (FAILURE, "id-sum", "ChordError")


def test_a_body_that_is_a_chain_fails_under_the_id_of_its_result(walk):
    body = Chain(steps=(t("first"), t("last")))
    _, script = walk(chord([t("a")], body), a=[TaskOutcome(FAILURE, error=ERROR)])
    assert script.failed_chords[0].body["options"]["task_id"] == "id-last"
    assert script.stored == []


def test_members_of_the_group_that_ends_a_body_fail_with_the_header(walk):
    body = Chain(steps=(t("first"), group(t("m1"), t("m2"))))
    _, script = walk(chord([t("a")], body), a=[TaskOutcome(FAILURE, error=ERROR)])
    assert script.stored == [(["id-m1", "id-m2"], "ValueError", "id-a")]


def test_a_body_that_cannot_take_the_list_fails_as_a_callback(walk):
    _, script = walk(chord([t("a")], t("sum")), sum=[TaskOutcome(REFUSED, error=ERROR)])
    assert script.failed_chords[0].culprit is None


def test_retries_keep_the_id_and_wait(walk):
    again = {"task": "a", "args": [2], "kwargs": {}, "options": {}}
    end, script = walk(t("a", 1), a=[TaskOutcome(RETRY, retry=again, delay=3.0)])
    assert end.value == ["a", 2]
    assert [(call.task_id, call.retries) for call in script.calls] == [("id-a", 0), ("id-a", 1)]
    assert script.slept == [3.0]
    assert [call.eta for call in script.calls] == [None, "1970-01-01T00:16:43+00:00"]


def test_a_retry_may_have_an_expiry_of_its_own(walk):
    again = {"task": "a", "args": [], "kwargs": {}, "options": {"expires": 20.0}}
    _, script = walk(t("a", expires=60.0), a=[TaskOutcome(RETRY, retry=again)])
    assert [call.expires_at for call in script.calls] == [
        *("1970-01-01T00:17:40+00:00", "1970-01-01T00:17:00+00:00")
    ]


def test_a_replacement_takes_the_place(walk):
    replacement = {
        "kind": "chain",
        "steps": [
            {"kind": "task", "name": "x", "options": {"task_id": "id-x"}},
            {"kind": "task", "name": "y", "options": {"task_id": "id-a"}},
        ],
    }
    end, script = walk(
        Chain(steps=(t("a"), t("b"))), a=[TaskOutcome(REPLACED, replacement=replacement)]
    )
    assert end.value == ["b", ["y", ["x"]]]
    assert [call.name for call in script.calls] == ["a", "x", "y", "b"]
    assert script.calls[1].parent_id == "id-a"


def test_ignored_tasks_stop_what_waits_for_them(walk):
    end, script = walk(chord([t("a"), t("b")], t("sum")), a=[TaskOutcome(IGNORED)])
    assert (end.state, end.result_id) == (IGNORED, "id-sum")
    assert script.failed_chords == []


def test_parts_added_to_a_chord_count(walk):
    part = Branch(t("more"), context=Context(group_id="gid")).to_json()
    end, _ = walk(chord([t("a")], t("sum")), a=[TaskOutcome(SUCCESS, value=1, parts=(part,))])
    assert end.value == ["sum", [1, ["more"]]]


def test_what_tasks_start_is_spawned(walk):
    started = Branch(t("other")).to_json()
    _, script = walk(t("a"), a=[TaskOutcome(SUCCESS, spawned=(started,))])
    assert [branch.node.name for branch in script.spawned] == ["other"]


def test_delays_and_expiry_are_by_the_drivers_clock(walk):
    _, script = walk(t("a", eta="1970-01-01T00:16:50+00:00", expires=60.0))
    assert script.slept == [10.0]
    assert script.calls[0].expires_at == "1970-01-01T00:17:40+00:00"
    assert script.calls[0].eta == "1970-01-01T00:16:50+00:00"


def test_a_time_without_a_zone_is_utc_on_every_machine(walk, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        _, script = walk(t("a", eta="1970-01-01T00:16:50"))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert script.slept == [10.0]


def test_only_the_outermost_chain_may_go_on_elsewhere(walk):
    inner = Chain(steps=(t("b"), t("c")))
    _, script = walk(Chain(steps=(t("a"), chord([inner], t("d")), t("e"))))
    rests = [result_ids(rest.node) for rest in script.rests]
    assert rests == [["id-d", "id-e"], ["id-e"]]
    assert script.rests[1].given == (["d", [["c", ["b", ["a"]]]]],)


def test_a_chain_that_goes_on_elsewhere_keeps_its_place():
    loop = Loop()
    script = Script(loop)
    here = Context(root_id="r", parent_id="p", group_id="g", group_index=3, in_chord="g")
    loop.start(Walker(script).walk(Branch(Chain(steps=(t("a"), t("b"), t("c"))), context=here)))
    loop.run()
    assert [rest.context for rest in script.rests] == [
        replace(here, parent_id="id-a"),
        replace(here, parent_id="id-b"),
    ]


def test_the_walker_needs_neither_celery_nor_an_engine():
    code = (
        "import sys, offcanvas.engines.walker\n"
        "found = {'celery', 'kombu', 'temporalio', 'prefect'} & sys.modules.keys()\n"
        "assert not found, found"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
