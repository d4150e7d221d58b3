"""Histories recorded in the past replay with today's code: no open canvas would break."""

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from offcanvas.engines.temporal import CanvasPlugin, driver
from offcanvas.engines.temporal.workflow import CanvasWorkflow
from tests.engines.apart import app
from tests.engines.temporal.record_histories import CANVASES

HISTORIES = sorted(Path(__file__).with_name("histories").glob("*.json"))


def read(path):
    recorded = json.loads(path.read_text(encoding="utf-8"))
    # Ids of children are made from the workflow's own id, so that it has to be the recorded one.
    started = recorded["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], recorded)


@pytest.fixture(autouse=True)
def _limits_of_the_recording(request, monkeypatch):
    path = request.node.callspec.params.get("path") if hasattr(request.node, "callspec") else None
    name = path.stem.partition("_")[0] if path is not None else None
    for limit, value in CANVASES.get(name, (None, {}))[1].items():
        monkeypatch.setattr(driver, limit, value)


def test_every_canvas_has_a_history():
    assert set(CANVASES) <= {path.stem for path in HISTORIES}


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path):
    result = await Replayer(workflows=[CanvasWorkflow]).replay_workflow(read(path))
    assert result.replay_failure is None


async def test_the_plugin_brings_the_workflow_to_a_replayer():
    path = next(path for path in HISTORIES if path.stem == "chord")
    result = await Replayer(workflows=[], plugins=[CanvasPlugin(app)]).replay_workflow(read(path))
    assert result.replay_failure is None


async def test_a_careless_change_is_caught(monkeypatch):
    async def backwards(self, branches, walk):
        return [await walk(branch) for branch in reversed(branches)][::-1]

    monkeypatch.setattr(driver.TemporalDriver, "gather", backwards)
    path = next(path for path in HISTORIES if path.stem == "chord")
    with pytest.raises(NondeterminismError):
        await Replayer(workflows=[CanvasWorkflow]).replay_workflow(read(path))
