"""Engines with a fault built in: the differential tests have to find it."""

import pytest
from hypothesis import HealthCheck, Phase, find, settings

from offcanvas.canvas.calls import End, TaskCall
from offcanvas.engines.memory.engine import MemoryDriver, MemoryEngine
from tests.differential import specs
from tests.differential.observe import on_celery, on_memory
from tests.differential.quirks import explained

pytestmark = [
    pytest.mark.servers,
    # Celery announces a change of chord.link_error whenever that is called.
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
    # A canvas of four levels is long when it is written out.
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]


class Reversed(MemoryDriver):
    """Results of a group come in reverse order."""

    async def gather(self, branches, walk):
        return (await super().gather(branches, walk))[::-1]


class StopsAtFirst(MemoryDriver):
    """Siblings of a failed task are not run."""

    async def gather(self, branches, walk):
        ends = []
        for branch in branches:
            ends.append(await walk(branch))
            if ends[-1].state != "SUCCESS":
                break
        return [*ends, *(End("SUCCESS") for _ in branches[len(ends) :])]


class DropsKeywords(MemoryDriver):
    """Keyword arguments of signatures get lost."""

    async def run_task(self, call):
        return await super().run_task(_changed(call, kwargs={}))


class Appends(MemoryDriver):
    """A predecessor's result comes last, not first."""

    async def run_task(self, call):
        first, *rest = call.signature["args"] or [None]
        moved = [*rest, first] if rest else call.signature["args"]
        return await super().run_task(_changed(call, args=moved))


def _changed(call, **changes):
    return TaskCall(**{**_fields(call), "signature": {**call.signature, **changes}})


def _fields(call):
    return {name: getattr(call, name) for name in call.__slots__}


@pytest.mark.parametrize("driver", [Reversed, StopsAtFirst, DropsKeywords, Appends])
def test_a_sabotaged_engine_is_caught(worker, driver):
    class Sabotaged(MemoryEngine):
        def driver(self, app, loop, *, strict):
            return driver(app, loop, strict=strict)

    def is_caught(example):
        real, broken = on_celery(example, worker), on_memory(example, worker, Sabotaged())
        if not broken.differences(real) or explained(example, real, broken):
            return False
        # The same example passes on the engine as it is, so that the fault is what was found.
        return not on_memory(example, worker).differences(real)

    found = find(
        specs.shallow,
        is_caught,
        settings=settings(
            max_examples=200,
            report_multiple_bugs=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert found
