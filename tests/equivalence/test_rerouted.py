"""Celery's variants, not a line changed, elsewhere: the same PDFs as the hand-written ports."""

from collections.abc import Iterator

import pytest

from celery_impl.app import connect
from comparisons.verify import verify_variant
from offcanvas._reroute import reroute
from offcanvas.engines.prefect.client import Caller as PrefectCaller
from offcanvas.engines.prefect.private_worker import private_worker as prefect_worker
from offcanvas.engines.temporal.caller import Caller
from offcanvas.engines.temporal.client import finish
from offcanvas.engines.temporal.private_worker import private_worker
from tests.equivalence.stack import CONCURRENCY, SHORT, WITHIN, Stack
from tests.equivalence.test_variants import NAMES, _files

pytestmark = pytest.mark.usefixtures("book")

SOME = [name if name in SHORT else pytest.param(name, marks=pytest.mark.long) for name in NAMES]


@pytest.fixture(scope="package")
def plugged(stack: Stack) -> Iterator[Caller]:
    """A Temporal worker with the plugin for the variants' app, on the stack's server."""
    del stack  # its environment is what counts
    with private_worker(connect(), processes=CONCURRENCY) as calls:
        yield calls


@pytest.fixture(scope="package")
def deployed(stack: Stack) -> Iterator[PrefectCaller]:
    """A worker of the kit for the variants' app, on the stack's Prefect server."""
    del stack  # its environment is what counts
    with prefect_worker(connect(), processes=CONCURRENCY) as calls:
        yield calls


# One stack and one book: worker processes come from a fork server, which keeps the environment of
# its first use, and so cannot follow this process from one stack to another.
@pytest.mark.parametrize("book", ["edges"], indirect=True)
@pytest.mark.parametrize(
    "stack", [pytest.param("embedded", marks=pytest.mark.servers)], indirect=True
)
@pytest.mark.parametrize("variant", SOME)
def test_rerouted_to_temporal(
    stack: Stack, plugged: Caller, book: str, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand = stack.run(variant)["temporal"]
    run_id = f"{variant}-{book}-rerouted"
    client = stack.clients["celery"]
    monkeypatch.setenv("OFFCANVAS_TASK_QUEUE", plugged.task_queue)
    with reroute(connect(), to="temporal") as rerouting:
        execution = client.start(variant, run_id)
        (workflow,) = rerouting.target._workflows.of([execution])
        handle = plugged.client.get_workflow_handle(workflow)
        plugged.wait(finish(plugged.client, handle))
        outcome = client.wait(execution, WITHIN)
    verdict = verify_variant(variant, "celery", run_id, outcome, stack.truth)
    assert not verdict.failures
    assert _files(run_id) == _files(by_hand.run_id)


@pytest.mark.parametrize("book", ["edges"], indirect=True)
@pytest.mark.parametrize(
    "stack", [pytest.param("embedded", marks=pytest.mark.servers)], indirect=True
)
@pytest.mark.parametrize("variant", SOME)
def test_rerouted_to_prefect(
    stack: Stack, deployed: PrefectCaller, book: str, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand = stack.run(variant)["prefect"]
    run_id = f"{variant}-{book}-rerouted-to-prefect"
    client = stack.clients["celery"]
    monkeypatch.setenv("OFFCANVAS_DEPLOYMENT", deployed.deployment)
    with reroute(connect(), to="prefect"):
        execution = client.start(variant, run_id)
        for flow_run in deployed.find(execution):
            assert deployed.finish(flow_run, WITHIN)
        outcome = client.wait(execution, WITHIN)
    verdict = verify_variant(variant, "celery", run_id, outcome, stack.truth)
    assert not verdict.failures
    assert _files(run_id) == _files(by_hand.run_id)
