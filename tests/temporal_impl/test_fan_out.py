"""Headers of any size: order, width, batches in child workflows, and failing members."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from temporal_impl.connection import connect
from temporal_impl.failures import original, type_and_text
from temporal_impl.fan_out import Batch, FanOut, Limits
from temporal_impl.spans import read_spans
from tests.temporal_impl.stage import Stage

pytestmark = pytest.mark.servers

SMALL = Limits(in_flight=2, in_history=3, batches=2)


@dataclass
class Members:
    """An activity that knows how many of it are at work, and fails for negative numbers.

    The first ones wait until `together` of them are.
    """

    together: int = 1
    at_work: int = 0
    most_at_work: int = 0
    met: asyncio.Event = field(default_factory=asyncio.Event)

    @activity.defn
    async def double(self, number: int) -> int:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        if self.at_work >= self.together:
            self.met.set()
        await self.met.wait()
        await asyncio.sleep(0.05)
        self.at_work -= 1
        if number < 0:
            raise ApplicationError(f"{number} is negative", type="Negative", non_retryable=True)
        return 2 * number


async def run(
    members: list[int], limits: Limits, workflow_id: str, together: int = 1
) -> tuple[Members, Any]:
    client, work = await connect(), Members(together)
    async with Worker(client, task_queue=workflow_id, workflows=[FanOut], activities=[work.double]):
        result = await client.execute_workflow(
            FanOut.run,
            Batch("double", members, limits),
            id=workflow_id,
            task_queue=workflow_id,
        )
    return work, result


async def test_results_come_in_the_order_of_the_members(server: Stage) -> None:
    work, result = await run(list(range(7)), Limits(in_flight=3), "narrow", together=3)
    assert result == [0, 2, 4, 6, 8, 10, 12]
    assert work.most_at_work == 3


async def test_no_member_is_no_result(server: Stage) -> None:
    _, result = await run([], SMALL, "empty")
    assert result == []


async def test_more_than_a_history_holds_goes_into_child_workflows(server: Stage) -> None:
    work, result = await run(list(range(8)), SMALL, "wide")
    assert result == [0, 2, 4, 6, 8, 10, 12, 14]
    assert work.most_at_work <= SMALL.in_flight * SMALL.batches
    client = await connect()
    sizes = []
    for number in range(3):
        spans = await read_spans(client, f"wide/batch-{number}")
        sizes.append(len(spans))
    assert sizes == [3, 3, 2]
    assert len(await read_spans(client, "wide")) == 8


@pytest.mark.parametrize("limits", [Limits(), SMALL], ids=["one history", "batches"])
async def test_siblings_of_a_failing_member_run_and_the_first_error_is_told(
    server: Stage, limits: Limits
) -> None:
    workflow_id = f"failing-{limits.in_history}"
    with pytest.raises(WorkflowFailureError) as caught:
        await run([0, -1, 2, 3, -2, 5, 6], limits, workflow_id)
    assert type_and_text(original(caught.value)[0]) == ("Negative", "-1 is negative")
    spans = await read_spans(await connect(), workflow_id)
    assert sorted(span.item for span in spans) == ["-1", "-2", "0", "2", "3", "5", "6"]
