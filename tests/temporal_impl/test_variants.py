"""The ten variants on a real server and a real worker: what Temporal's caller gets."""

import asyncio
from collections import Counter

import pytest

from shared.contract import Outcome
from shared.ledger import WHOLE_RUN
from shared.settings import settings
from shared.steps import ASSIGN, GENERATE, ON_ERROR, PUBLISH, SUM, missing_rolls
from shared.variants import OBJECTION, VARIANTS
from temporal_impl.client import Client
from temporal_impl.connection import connect
from tests.temporal_impl.stage import PAGES, STATIONS, effects, executed, rolls, until

pytestmark = pytest.mark.servers

BY_CENTER = {"all_in_one", "chord_by_center", "assign_stations_in_parallel"}
HANDED_OVER = {"assign_stations_in_parallel", "group"}
SUMMED = {variant.name for variant in VARIANTS} - HANDED_OVER - {"error_in_header"}


def due(variant: str) -> Counter[tuple[str, str]]:
    centers = [f"C{number:04d}" for number in range(4)]
    steps = [(ASSIGN, item) for item in (centers if variant in BY_CENTER else [WHOLE_RUN])]
    if variant != "assign_stations_in_parallel":
        steps += [(GENERATE, station) for station in STATIONS]
    if variant in SUMMED:
        steps.append((SUM, WHOLE_RUN))
    if variant == "chain":
        steps.append((PUBLISH, WHOLE_RUN))
    return Counter(steps)


@pytest.mark.parametrize("variant", sorted(SUMMED))
def test_the_caller_gets_the_sum_and_each_step_is_done_once(client: Client, variant: str) -> None:
    execution = client.start(variant, f"sum-{variant}")
    assert client.wait(execution, 300) == Outcome(total_pages=PAGES)
    assert executed(f"sum-{variant}") == due(variant)
    assert rolls(f"sum-{variant}") == [f"{station}.pdf" for station in STATIONS]


@pytest.mark.parametrize("variant", sorted(HANDED_OVER))
def test_what_nobody_waits_for_is_done_all_the_same(client: Client, variant: str) -> None:
    execution = client.start(variant, f"left-{variant}")
    assert client.wait(execution, 300) == Outcome()
    until(lambda: executed(f"left-{variant}") == due(variant))
    assert missing_rolls(f"left-{variant}") == ([] if variant == "group" else list(STATIONS))


def test_a_failing_member_lets_its_siblings_run_and_calls_back_once(client: Client) -> None:
    outcome = client.wait(client.start("error_in_header", "bad"), 300)
    assert outcome == Outcome(
        error_type="RollUnderObjection",
        error_text=f"station {STATIONS[0]}: {OBJECTION}",
        wrapped_in="WorkflowFailureError > ActivityError > ApplicationError",
    )
    done = executed("bad")
    assert {item for step, item in done if step == GENERATE} == set(STATIONS[1:])
    assert [count for (step, _), count in done.items() if step == ON_ERROR] == [1]
    assert (SUM, WHOLE_RUN) not in done
    assert set(done.values()) == {1}


@pytest.mark.parametrize("variant", ["chord_by_station", "error_in_header"])
def test_starting_twice_does_not_run_twice(client: Client, variant: str) -> None:
    first = client.start(variant, f"twice-{variant}")
    assert client.start(variant, f"twice-{variant}") == first
    outcome = client.wait(first, 300)
    before = executed(f"twice-{variant}")
    assert client.start(variant, f"twice-{variant}") == first
    assert client.wait(first, 300) == outcome
    assert executed(f"twice-{variant}") == before


@pytest.mark.parametrize("workload", ["noop:7", "fib10:3"])
def test_a_workload_counts_its_steps(client: Client, workload: str) -> None:
    run_id = workload.replace(":", "-")
    assert client.wait(client.start(workload, run_id), 300).total_pages == int(workload[-1])


def test_a_transient_error_is_tried_again_and_the_attempt_is_counted(client: Client) -> None:
    """A file where the run's folder should be: the disk refuses until somebody mends it."""
    in_the_way = settings().rolls_dir / "refused"
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.touch()
    execution = client.start("starmap", "refused")
    until(lambda: asyncio.run(next_attempt(execution)) >= 2)
    in_the_way.unlink()
    assert client.wait(execution, 300) == Outcome(total_pages=PAGES)
    attempts = {effect.attempt for effect in effects("refused") if effect.step == GENERATE}
    assert len(attempts) == 1
    assert attempts <= {2, 3, 4}


async def next_attempt(workflow_id: str) -> int:
    """Of the activity that is pending, 0 if there is none."""
    handle = (await connect()).get_workflow_handle(workflow_id)
    pending = (await handle.describe()).raw_description.pending_activities
    return max((activity.attempt for activity in pending), default=0)
