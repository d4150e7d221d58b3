"""Transient errors are retried as often as the policy says, permanent ones never."""

import pytest

from celery_impl.tasks import generate_roll
from shared import steps
from shared.policy import STEP
from shared.variants import OBJECTION
from tests.celery_impl.places import Place, attempts

pytestmark = pytest.mark.servers


def prepare(run_id: str) -> None:
    """The stations are assigned, and a file lies where the rolls' folder should be made."""
    steps.begin_run(run_id, "group", "celery")
    steps.assign_all(run_id)
    steps.rolls_folder(run_id).parent.mkdir(parents=True, exist_ok=True)
    steps.rolls_folder(run_id).write_text("in the way")


def send(work: Place, run_id: str) -> str:
    """One roll, known to the client as an execution of its own."""
    from celery_impl.client import _Execution

    result = generate_roll.si(run_id, "B-1").apply_async()
    work.client._executions[result.id] = _Execution(run_id, 0.0, is_group=False, before=())
    return result.id


def test_an_error_that_stays_is_tried_as_often_as_the_policy_says(work: Place, eventually) -> None:
    prepare("stays")
    execution = send(work, "stays")
    outcome = work.client.wait(execution, 300)
    assert outcome.error_type in {"FileExistsError", "NotADirectoryError"}
    eventually(lambda: len(work.client.spans(execution)) == STEP.attempts)
    assert [span.attempt for span in work.client.spans(execution)] == [1, 2, 3, 4]
    assert attempts("stays", steps.GENERATE) == []


def test_an_error_that_passes_is_no_error(work: Place, eventually) -> None:
    prepare("passes")
    # Celery draws each wait from 0 to the backoff, in whole seconds: one task in thirty draws three
    # zeros, and has failed for good before anybody can clear its way.
    executions = [send(work, "passes") for _ in range(8)]
    eventually(lambda: work.client.spans(executions[0]))
    steps.rolls_folder("passes").unlink()
    assert 1 in [work.client.wait(execution, 300).total_pages for execution in executions]
    assert max(attempts("passes", steps.GENERATE)) > 1


def test_a_permanent_error_is_not_tried_again(work: Place, eventually) -> None:
    steps.begin_run("barred", "group", "celery")
    steps.assign_all("barred")
    steps.object_to("barred", "B-1", OBJECTION)
    execution = send(work, "barred")
    assert work.client.wait(execution, 300).error_type == "RollUnderObjection"
    eventually(lambda: work.client.spans(execution))
    assert [span.attempt for span in work.client.spans(execution)] == [1]
