"""reject_on_worker_lost: acks_late alone still acknowledges a task whose process was killed."""

from collections.abc import Callable

import pytest
from celery.exceptions import WorkerLostError

from tests.lessons.conftest import Enrol
from tests.lessons.school import Class

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("late", [False, True])
def test_naive_fails_and_does_not_try_again(enrol: Enrol, late: bool) -> None:
    naive = enrol("naive", changes={"task_acks_late": late})
    naive.start_worker()
    with pytest.raises(WorkerLostError):
        naive.send("die_once", "victim").get(timeout=300)
    naive.pass_through()
    assert naive.marks.count("begin victim") == 1


def test_hardened_gives_the_message_back(staffed: Callable[[str], Class]) -> None:
    assert staffed("hardened").send("die_once", "victim").get(timeout=300) == 2
