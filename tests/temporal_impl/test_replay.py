"""Histories recorded in the past replay on today's workflows: no open workflow would break."""

import json
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

with workflow.unsafe.imports_passed_through():
    from shared.variants import VARIANTS
    from temporal_impl.activities import Activities
    from temporal_impl.fan_out import fan_out
    from temporal_impl.inputs import Parts, Run, Station
    from temporal_impl.options import SHORT
    from temporal_impl.registry import WORKFLOWS

HISTORIES = sorted(Path(__file__).with_name("histories").glob("*.json"))


def read(path: Path) -> WorkflowHistory:
    recorded = json.loads(path.read_text())
    # Ids of children are made from the workflow's own id, so that it has to be the recorded one.
    started = recorded["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], recorded)


def workflow_type(path: Path) -> str:
    first = read(path).events[0]
    return str(first.workflow_execution_started_event_attributes.workflow_type.name)


def test_every_workflow_has_a_history() -> None:
    recorded = {workflow_type(path) for path in HISTORIES}
    assert {variant.name for variant in VARIANTS} <= recorded
    without = {"ready", "sweep"}  # one activity each
    assert recorded == {workflow._Definition.must_from_class(w).name for w in WORKFLOWS} - without


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    result = await Replayer(workflows=WORKFLOWS, build_id="1").replay_workflow(read(path))
    assert result.replay_failure is None


@workflow.defn(name="chord_by_station")
class AsksFirst:
    """`chord_by_station` after a careless change: a further activity before the fan-out."""

    @workflow.run
    async def run(self, run: Run) -> int:
        await workflow.execute_activity_method(Activities.list_centers, run, **SHORT)
        stations = await workflow.execute_activity_method(Activities.assign_all, run, **SHORT)
        members = [Station(run.run_id, station) for station in stations]
        pages = await fan_out(Activities.generate_roll, members)
        return await workflow.execute_activity_method(
            Activities.sum_pages, Parts(run.run_id, pages), **SHORT
        )


async def test_a_changed_workflow_is_caught() -> None:
    path = next(path for path in HISTORIES if path.stem == "chord_by_station")
    with pytest.raises(workflow.NondeterminismError, match=r"list_centers"):
        await Replayer(workflows=[AsksFirst], build_id="1").replay_workflow(read(path))
