"""The suite of what tasks and their classes do: in this process, and in the pool of processes."""

import asyncio
import time

import pytest
from celery import group

from offcanvas._reroute import reroute
from offcanvas._run import run
from offcanvas.canvas.calls import Branch
from offcanvas.celery_app.freezing import prepare
from offcanvas.celery_app.private_results import private_results
from offcanvas.engines.memory.engine import Loop, MemoryEngine, memory_backend
from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.walker import Walker
from tests.engines.apart import app
from tests.engines.meaning import Meaning
from tests.engines.odd import rated

pytestmark = pytest.mark.filterwarnings(
    "ignore::celery.exceptions.CPendingDeprecationWarning", "ignore::offcanvas.errors.CanvasWarning"
)


class TestInMemory(Meaning):
    """See `Meaning`."""

    @pytest.fixture
    def on_engine(self):
        def on_memory(canvas, *args, **options):
            return run(canvas, args=args, **options)

        return on_memory

    def test_a_rate_limit_spreads_tasks_out(self):
        with memory_backend(app):
            prepared, loop = prepare(app, group(rated.s() for _ in range(13))), Loop()
            before, driver = loop.clock, MemoryEngine().driver(app, loop, strict=False)
            loop.start(Walker(driver).walk(Branch(prepared.plan)))
            loop.run()
        # Its clock jumps.
        assert 3.0 <= loop.clock - before <= 3.5


@pytest.fixture(scope="module")
def pooled():
    with private_results(app), reroute(app, to="memory") as switch:
        yield switch


class TestInThePool(Meaning):
    """See `Meaning`."""

    @pytest.fixture
    def on_engine(self, pooled):
        def in_the_pool(canvas, *args, **options):
            result = canvas.apply_async(args, **options)
            pooled.target._wait(asyncio.sleep(0))  # it has been begun
            while pooled.target._walks:
                time.sleep(0.01)
            return outcome_of(result, timeout=1.0, interval=0.05)

        return in_the_pool
