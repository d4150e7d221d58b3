"""Queue after commit: hardened sends when the rows are there, naive sends before that."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from celery_impl.app import connect
from celery_impl.health import load
from celery_impl.queueing import queue
from celery_impl.tasks import generate_roll
from offcanvas.servers import redis
from shared import steps
from shared.database import transaction
from shared.models import Run
from tests.celery_impl.places import addresses

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module", autouse=True)
def _broker_without_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with redis() as server, addresses(tmp_path_factory.mktemp("queue"), server.environment):
        yield


@pytest.fixture(autouse=True)
def _empty_queue() -> None:
    connect().control.purge()


def queued() -> int:
    return load(connect()).queued


def enter(session, run_id: str) -> None:
    session.add(Run(run_id=run_id, variant="group", engine="celery", started_at=0.0))
    session.flush()


def test_hardened_sends_after_the_commit() -> None:
    with transaction() as session:
        enter(session, "committed")
        queue(session, generate_roll.si("committed", "A-1"))
        assert queued() == 0
    assert queued() == 1


def test_hardened_sends_nothing_after_a_rollback() -> None:
    def change_my_mind() -> None:
        with transaction() as session:
            enter(session, "rolled-back")
            queue(session, generate_roll.si("rolled-back", "A-1"))
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        change_my_mind()
    assert queued() == 0


def test_naive_sends_what_nobody_can_see_yet_and_what_will_never_be() -> None:
    # A process of its own: a profile is for life.
    script = textwrap.dedent("""
        from celery_impl.app import connect
        from celery_impl.health import load
        from celery_impl.queueing import queue
        from celery_impl.tasks import generate_roll
        from shared.database import engine, transaction
        from shared.models import Run
        from sqlalchemy import func, select

        app = connect()
        rows = select(func.count()).select_from(Run).where(Run.run_id == "ghost")
        try:
            with transaction() as session:
                session.add(Run(run_id="ghost", variant="group", engine="celery", started_at=0.0))
                session.flush()
                queue(session, generate_roll.si("ghost", "A-1"))
                with engine().execution_options(read_only=True).begin() as another:
                    print("before:", load(app).queued, "queued,", another.scalar(rows), "rows")
                raise RuntimeError
        except RuntimeError:
            with transaction(read_only=True) as session:
                print("after:", load(app).queued, "queued,", session.scalar(rows), "rows")
    """)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "CELERY_PROFILE": "naive"},
        check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.stdout == "before: 1 queued, 0 rows\nafter: 1 queued, 0 rows\n"
    assert steps.list_centers() == []
