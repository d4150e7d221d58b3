"""Prefect's `chord_by_station` in slices that any worker of the pool takes: the same files."""

import pytest

from comparisons.verify import verify_variant
from prefect_impl.client import Client
from prefect_impl.flow_runs import of_run
from shared.settings import settings
from tests.equivalence.stack import WITHIN, Stack
from tests.equivalence.test_variants import _files, _state

SIZE = 3
pytestmark = [
    pytest.mark.usefixtures("book"),
    # As for what is rerouted: worker processes cannot follow this one from stack to stack.
    pytest.mark.parametrize(
        "stack", [pytest.param("embedded", marks=pytest.mark.servers)], indirect=True
    ),
]


@pytest.mark.parametrize("book", ["edges"], indirect=True)
def test_slices_of_stations_are_flow_runs(
    stack: Stack, book: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant, run_id = "chord_by_station", f"spread-{book}"
    whole = stack.run(variant)["prefect"]
    client = stack.clients["prefect"]
    assert isinstance(client, Client)
    monkeypatch.setenv("SPREAD", str(SIZE))
    settings.cache_clear()
    try:
        outcome = client.wait(client.start(variant, run_id), WITHIN)
        verdict = verify_variant(variant, "prefect", run_id, outcome, stack.truth)
        assert not verdict.failures
        assert (_files(run_id), outcome) == (_files(whole.run_id), whole.outcome)
        with client._client() as server:
            slices = {run.name for run in of_run(server, run_id)} - {run_id}
        count = -(-len(stack.truth.voters_of) // SIZE)
        assert slices == {f"{run_id}/{number}" for number in range(count)}
        # The second start finds the first one's flow run.
        before = _state(run_id)
        assert client.wait(client.start(variant, run_id), WITHIN) == outcome
        assert _state(run_id) == before
    finally:
        monkeypatch.undo()
        settings.cache_clear()
