"""The plugin: what it adds to a worker, and what it takes from the worker's own options."""

import importlib
import os
from collections.abc import Sequence
from datetime import timedelta

import pytest
from celery import Celery
from temporalio import activity
from temporalio.common import RawValue

from offcanvas.engines.processes.pool import process_pool
from offcanvas.engines.temporal import CanvasPlugin, driver
from offcanvas.engines.temporal.private_worker import private_worker
from offcanvas.engines.temporal.workflow import CanvasWorkflow
from offcanvas.errors import BadTarget, EngineError
from tests.engines.apart import app


def configured(plugin, **options):
    return plugin.configure_worker({"max_concurrent_activities": None, "tuner": None, **options})


def test_it_adds_an_activity_for_each_task_under_its_name():
    config = configured(CanvasPlugin(app))
    names = {activity._Definition.must_from_callable(one).name for one in config["activities"]}
    assert set(app.tasks) <= names
    assert names - set(app.tasks) == {
        *(driver.FAIL_CHORD, driver.STORE_FAILURES, driver.LOSE_TASK, driver.REVOKE_TASK),
        *(driver.KEEP_TEXT, driver.LOAD_TEXT, driver.LOSE_BATCH),
        None,  # for names that no task has here
    }
    assert config["workflows"] == [CanvasWorkflow]


def test_what_the_worker_has_already_is_kept():
    @activity.defn
    async def own():
        """The user's own."""

    config = configured(CanvasPlugin(app), activities=[own], workflows=[str])
    assert config["activities"][0] is own
    assert config["workflows"] == [str, CanvasWorkflow]


def test_an_activity_of_the_users_for_all_names_is_the_only_one():
    @activity.defn(dynamic=True)
    async def own(_given: Sequence[RawValue]):
        """The user's own."""

    config = configured(CanvasPlugin(app), activities=[own], workflows=[])
    names = [activity._Definition.must_from_callable(one).name for one in config["activities"]]
    assert names.count(None) == 1


def test_as_many_activities_as_processes():
    assert configured(CanvasPlugin(app, processes=3))["max_concurrent_activities"] == 3


def test_a_limit_of_the_worker_is_the_number_of_processes():
    plugin = CanvasPlugin(app)
    assert configured(plugin, max_concurrent_activities=5)["max_concurrent_activities"] == 5
    assert plugin._processes == 5


def test_heartbeats_are_not_held_back():
    config = configured(CanvasPlugin(app), max_heartbeat_throttle_interval=timedelta(minutes=1))
    assert config["max_heartbeat_throttle_interval"] == driver.HEARTBEAT_THROTTLE


def test_an_app_that_processes_cannot_import_is_refused():
    with pytest.raises(BadTarget, match="no module has it as a global"):
        CanvasPlugin(Celery("nowhere", set_as_current=False))


@pytest.mark.servers
def test_a_worker_whose_processes_cannot_start_is_no_deployment(address, monkeypatch, tmp_path):
    (tmp_path / "here_only.py").write_text(
        "import os\n"
        "from celery import Celery\n"
        f"assert os.getpid() == {os.getpid()}\n"
        "app = Celery('here_only', set_as_current=False)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    here_only = importlib.import_module("here_only")
    with (
        pytest.raises(EngineError, match="importing here_only:app fails"),
        private_worker(here_only.app, address),
    ):
        pytest.fail("there is no worker")


async def test_a_process_that_cannot_import_the_app_is_named():
    with pytest.raises(EngineError, match="importing no_such_module:app fails"):
        async with process_pool(1, "no_such_module:app", {}):
            pytest.fail("there is no such module")
