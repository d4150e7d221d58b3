"""Each limit that preflight knows, met once: it says so before, and the real server refuses.

Some of Temporal's limits are far away. The server here has them nearer (its own settings,
`limit.historyCount.error` and the like), and preflight is told of it; the server's code, and what
is reckoned, are the same.
"""

import asyncio
import hashlib
import time
from contextlib import contextmanager

import pytest
from celery import chain, group
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.service import RPCError

from offcanvas.canvas.calls import Branch
from offcanvas.canvas.lift import lift
from offcanvas.celery_app.asking import sent
from offcanvas.celery_app.freezing import freeze
from offcanvas.celery_app.planning import Submission, plan
from offcanvas.celery_app.private_results import private_results
from offcanvas.engines.temporal.client import settings_of, start_canvas
from offcanvas.engines.temporal.job import WORKFLOW, Job
from offcanvas.engines.temporal.payload import pack
from offcanvas.engines.temporal.private_worker import private_worker
from offcanvas.errors import EngineError
from offcanvas.preflight import limits
from offcanvas.preflight.answer import Verdict, of_temporal
from offcanvas.preflight.sizes import Sizes, widened
from offcanvas.preflight.temporal import rehearse
from offcanvas.servers import temporal
from tests.preflight import shop

pytestmark = pytest.mark.servers

#: How near the limits of the server are.
EVENTS, HISTORY, CHILDREN, ACTIVITIES = 400, 600_000, 20, 40
LOWERED = {
    "limit.historyCount.error": EVENTS,
    "limit.historySize.error": HISTORY,
    "limit.numPendingChildExecutions.error": CHILDREN,
    "limit.numPendingActivities.error": ACTIVITIES,
}


@contextmanager
def _worker(dynamic=None):
    with (
        temporal(dynamic) as server,
        private_results(shop.app),
        private_worker(shop.app, server.url) as calls,
    ):
        yield calls


@pytest.fixture(scope="module")
def lowered():
    """A worker on a server whose limits are near."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "EVENTS", EVENTS)
        patch.setattr(limits, "HISTORY", HISTORY)
        patch.setattr(limits, "PENDING", CHILDREN)
        patch.setattr(limits, "PENDING_ACTIVITIES", ACTIVITIES)
        with _worker(LOWERED) as calls:
            yield calls


@pytest.fixture(scope="module")
def stock():
    """A worker on a server as it comes."""
    with _worker() as calls:
        yield calls


def frozen(canvas):
    node = widened(lift(canvas), {})
    return sent(shop.app, freeze(plan(Submission(shop.app, canvas), node)), asked=False).plan


def verdicts(node, results=()):
    """What preflight says, by figure; results are 100 bytes unless they are told."""
    found = rehearse(shop.app, node, Sizes(results=dict(results)).of)
    return {one.name: one.verdict for one in of_temporal(found, per_day=0, price=None)}


def last_that_fits(made, figure, low, high, *, exact=1, **more):
    """The largest number of which preflight does not say that it is refused, or so many less.

    Ids are new each time, and some compress better than others.
    """

    def refused(count):
        return verdicts(frozen(made(count)), **more)[figure] is Verdict.REFUSE

    while high - low > exact:
        middle = (low + high) // 2
        low, high = (low, middle) if refused(middle) else (middle, high)
    assert not refused(low - exact + 1)
    assert refused(high + exact - 1)
    return low


def steps(count):
    """A chain that no workflow can go on with elsewhere, as it is a member of a group."""
    return group(chain(*[shop.note.si() for _ in range(count)]), shop.note.si())


def heavy_steps(count):
    told = [shop.note.si(hex_of(30_000, one)) for one in range(count)]
    return group(chain(*told), shop.note.si())


def hex_of(size, salt):
    return hashlib.shake_256(f"{salt}".encode()).hexdigest(size // 2)


def test_events_of_a_history(lowered):
    fits = last_that_fits(steps, "events, longest history", 50, 80)
    assert lowered.walk(shop.app, frozen(steps(fits)), timeout=300)
    # The server looks when a workflow task ends: three events of the last one are let pass.
    with pytest.raises(EngineError, match="cut short"):
        lowered.walk(shop.app, frozen(steps(fits + 2)), timeout=300)


def test_bytes_of_a_history(lowered):
    fits = last_that_fits(heavy_steps, "bytes, largest history", 4, 30)
    assert lowered.walk(shop.app, frozen(heavy_steps(fits)), timeout=300)
    with pytest.raises(EngineError, match="cut short"):
        lowered.walk(shop.app, frozen(heavy_steps(fits + 2)), timeout=300)


def causes(calls, node, *, ends, within=60.0):
    """Why the server did not take what a workflow answered; until one is told, or it `ends`."""

    async def follow():
        handle = await start_canvas(calls.client, shop.app, node, task_queue=calls.task_queue)
        found = set()
        until = time.monotonic() + within
        while time.monotonic() < until and not found:
            events = [event async for event in handle.fetch_history_events()]
            found = {
                event.workflow_task_failed_event_attributes.cause
                for event in events
                if event.HasField("workflow_task_failed_event_attributes")
            }
            if ends(events):
                break
            await asyncio.sleep(0.2)
        if (await handle.describe()).close_time is None:
            await handle.terminate()
        return {WorkflowTaskFailedCause.Name(one) for one in found}

    return calls.wait(follow())


def ended(events):
    return events[-1].HasField("workflow_execution_completed_event_attributes")


def side_by_side(count):
    return group(shop.note.si() for _ in range(count))


def test_activities_at_a_time(lowered):
    fits = last_that_fits(side_by_side, "activities at a time", 30, 60)
    assert fits == ACTIVITIES
    assert causes(lowered, frozen(side_by_side(fits)), ends=ended) == set()
    assert causes(lowered, frozen(side_by_side(fits + 1)), ends=ended) == {
        "WORKFLOW_TASK_FAILED_CAUSE_PENDING_ACTIVITIES_LIMIT_EXCEEDED"
    }


def linked(count):
    """What callbacks start stays pending, as each waits for an hour."""
    return group(
        shop.charge.si(n).set(link=[shop.note.si().set(countdown=3600)]) for n in range(count)
    )


def test_workflows_that_tasks_start(lowered):
    name = "workflows that one workflow's tasks start"
    fits = last_that_fits(linked, name, 15, 25)
    assert fits == CHILDREN
    assert causes(lowered, frozen(linked(fits)), ends=ended) == set()
    assert causes(lowered, frozen(linked(fits + 1)), ends=ended) == {
        "WORKFLOW_TASK_FAILED_CAUSE_PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED"
    }


def test_a_payload(stock):
    def made(count):
        return group(shop.note.si(hex_of(200_000, one)) for one in range(count))

    fits = last_that_fits(made, "largest payload", 15, 25)

    async def start(count):
        job = pack(Job((Branch(frozen(made(count))),), settings_of(shop.app)).to_json())
        handle = await stock.client.start_workflow(
            WORKFLOW, job, id=f"payload-{count}", task_queue="nobody"
        )
        await handle.terminate()

    stock.wait(start(fits))
    with pytest.raises(RPCError, match=r"(?i)exceed"):
        stock.wait(start(fits + 1))


def answered(size):
    """A hundred activities at a time, each with a list of 64 kB and a text of its own."""
    first = group(shop.charge.si(hex_of(900, one)) for one in range(70))
    return chain(first, group(shop.note.s(hex_of(size, -one)) for one in range(1, 101)))


def test_an_answer_to_one_workflow_task(stock):
    results = {"tests.preflight.shop.charge": 900}
    fits = last_that_fits(
        answered, "answer to one workflow task", 4_000, 12_000, exact=600, results=results
    )

    def scheduled(events):
        names = [e for e in events if e.HasField("activity_task_scheduled_event_attributes")]
        return len(names) > 70

    below = causes(stock, frozen(answered(fits - 800)), ends=scheduled)
    beyond = causes(stock, frozen(answered(fits + 1_600)), ends=scheduled)
    assert below == set()
    # How the SDK tells of "received message larger than max" differs from release to release.
    names = ("FORCE_CLOSE_COMMAND", "GRPC_MESSAGE_TOO_LARGE")
    assert beyond & {f"WORKFLOW_TASK_FAILED_CAUSE_{name}" for name in names} == beyond != set()
