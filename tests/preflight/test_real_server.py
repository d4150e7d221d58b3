"""What preflight says, held against a real Temporal server: a few canvases, and a refusal.

Sixty random ones: `python -m benchmarks.preflight temporal`.
"""

import pytest
from temporalio.common import RawValue
from temporalio.service import RPCError

from benchmarks.preflight import Engine, drawn, measured_on_temporal, planned, reckoned, summary
from benchmarks.preflight_tasks import app
from offcanvas.canvas.calls import Branch
from offcanvas.celery_app.freezing import freeze
from offcanvas.celery_app.planning import Submission, plan
from offcanvas.celery_app.private_results import private_results
from offcanvas.engines.temporal.client import settings_of
from offcanvas.engines.temporal.job import WORKFLOW, Job
from offcanvas.engines.temporal.payload import pack
from offcanvas.engines.temporal.private_worker import private_worker
from offcanvas.preflight import limits
from tests.preflight import shop

pytestmark = pytest.mark.servers


def test_a_few_canvases_come_to_what_was_said():
    rows = []
    with measured_on_temporal() as measure:
        for number in (0, 1, 4, 13, 61, 63):
            made = planned(drawn(number))
            expected, most = reckoned(Engine.TEMPORAL, made)
            real = measure(made)
            rows.append({"number": number, "expected": expected, "most": most, "real": real})
    for row in rows:
        expected, most, real = row["expected"], row["most"], row["real"]
        assert expected["workflows"] == real["workflows"]
        assert most["events"] >= real["events"]
        assert most["bytes"] >= real["bytes"]
        # A workflow task more or less is three events and their bytes.
        assert real["events"] == pytest.approx(expected["events"], rel=0.2, abs=6)
        assert real["bytes"] == pytest.approx(expected["bytes"], rel=0.2)
    assert "0 times" in summary(rows)


def test_the_server_refuses_the_plan_that_is_said_not_to_fit():
    def packed(count: int) -> RawValue:
        frozen = freeze(plan(Submission(shop.app, shop.heavy(count, 6_000)))).plan
        assert frozen is not None
        return pack(Job((Branch(frozen),), settings_of(shop.app)).to_json())

    fits, too_large = packed(300), packed(600)
    assert fits.payload.ByteSize() < limits.PAYLOAD < too_large.payload.ByteSize()
    with private_results(app), private_worker(app, private=True) as caller:

        async def start(given: RawValue, name: str) -> None:
            handle = await caller.client.start_workflow(
                WORKFLOW, given, id=name, task_queue="nobody", result_type=RawValue
            )
            await handle.terminate()

        caller.wait(start(fits, "fits"))
        with pytest.raises(RPCError, match=r"(?i)exceed"):
            caller.wait(start(too_large, "too large"))
