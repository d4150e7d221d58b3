"""A pytest plugin that runs Celery's integration tests on another engine, the files unedited.

Celery's own fixtures make an app for each test, a worker for the session and a `manager`. What the
plugin puts in their place:

* the worker: the engine and its own worker, started once, with the app of `worker_app`;
* each test's app is rerouted to it, through the same seam as `offcanvas._reroute`;
* `manager.inspect()` and `manager.wait_until_idle()`, which ask Celery workers through a broker:
  a ping is a canvas of one task, and idle is when everything that was started has ended.

On `celery` nothing is put in the place of anything: this is the baseline.
"""

import asyncio
import contextlib
import time
from contextlib import contextmanager

import pytest

from offcanvas.engines.temporal.client import finish
from offcanvas.errors import EngineError
from tests.conformance import outcomes

#: Seconds for one test. The slowest waits 150 s for things that must not happen.
LIMIT = 600


class Borrowed:
    """The session's target, which a test's switch must not close."""

    def __init__(self, target):
        self.start = target.start
        self.revoke = target.revoke

    def close(self):
        """The session does."""


def idle(target):
    """Wait until all that was started has ended."""
    walks = getattr(target, "_walks", None)
    if walks is not None:
        target._wait(asyncio.sleep(0))
        while walks:
            time.sleep(0.01)
        return
    opened, target._open = target._open, []
    for one in opened:
        with contextlib.suppress(EngineError):
            if hasattr(target.calls, "finish"):
                target.calls.finish(one, LIMIT)
            else:
                target.calls.wait(finish(target.calls.client, one))


class Inspect:
    """What `app.control.inspect()` is asked for by the tests."""

    def __init__(self, app):
        self.app = app

    def ping(self):
        answer = self.app.signature("t.integration.tasks.identity", args=("pong",)).delay()
        return {"offcanvas": {"ok": answer.get(timeout=300)}}

    def active(self):
        return {}

    reserved = stats = active


class Conformance:
    """The plugin; `ran` has the outcome of each test afterwards."""

    def __init__(self, on):
        self.on = on
        self.ran = {}
        self._target = None

    def pytest_configure(self, config):
        for marker in ("flaky: reruns are not taken: every test has one go", "celery: settings"):
            config.addinivalue_line("markers", marker)

    def pytest_collection_modifyitems(self, items):
        for item in items:
            item.add_marker(pytest.mark.timeout(LIMIT), append=False)
            item.own_markers = [
                mark for mark in item.own_markers if mark.name != "timeout" or mark.args
            ]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self):
        """The engine is there while tests run."""
        if self.on == "celery":
            return (yield)
        from celery.contrib.testing import manager, worker

        from offcanvas._reroute import reroute
        from tests.conformance.worker_app import app

        private = {"private": True} if self.on != "memory" else {}
        with pytest.MonkeyPatch.context() as patch, reroute(app, to=self.on, **private) as switch:
            self._target = Borrowed(switch.target)
            patch.setattr(worker, "start_worker", _no_celery_worker)
            patch.setattr(manager.Manager, "inspect", lambda self, timeout=None: Inspect(self.app))
            patch.setattr(
                manager.Manager, "wait_until_idle", lambda _self, **_given: idle(switch.target)
            )
            return (yield)

    @pytest.fixture(autouse=True)
    def _rerouted(self, celery_app, celery_session_app):
        if self._target is None:
            yield
            return
        from offcanvas._reroute import Rerouting

        with (
            Rerouting(celery_session_app, self.on, self._target, (), False),
            Rerouting(celery_app, self.on, self._target, (), False),
        ):
            yield

    def pytest_runtest_logreport(self, report):
        outcomes.note(self.ran, report)


@contextmanager
def _no_celery_worker(app, **_options):
    app.finalize()
    app.set_current()
    app.set_default()
    yield None
