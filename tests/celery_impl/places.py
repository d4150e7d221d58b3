"""A place to work in: addresses, a roll book, a real worker process; all of it gone afterwards."""

import os
import secrets
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from celery_impl.client import Client
from offcanvas.servers.base import leashed, stop_process_group
from shared import steps
from shared.database import transaction
from shared.ledger import effects
from shared.models import PollingCenter, Voter, VoterRegistration
from shared.settings import settings
from shared.upsert import insert_missing
from tests.services import database_at

BOOK = {"A": 501, "B": 40, "C": 0}  # stations, B-1


@dataclass(frozen=True)
class Place:
    """Where the tests of a module work."""

    client: Client
    worker: subprocess.Popen[bytes]

    def run(self, variant: str, timeout: float = 300):
        """Start a variant under a new name; returns the name, the execution and the outcome."""
        name = f"{variant.replace(':', '-')}-{secrets.token_hex(4)}"
        execution = self.client.start(variant, name)
        return name, execution, self.client.wait(execution, timeout)


@contextmanager
def addresses(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """A database with empty tables, a folder for rolls, and the addresses of the servers."""
    with pytest.MonkeyPatch.context() as patch, database_at(f"sqlite:///{folder / 'voters.db'}"):
        patch.setenv("ROLLS_DIR", str(folder / "rolls"))
        patch.delenv("CELERY_BROKER_URL", raising=False)
        patch.delenv("CELERY_RESULT_BACKEND", raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        settings.cache_clear()
        yield


@contextmanager
def place(folder: Path, environment: Mapping[str, str], concurrency: int = 2) -> Iterator[Place]:
    """The above, with a worker that is up."""
    with addresses(folder, environment):
        client = Client()
        process = subprocess.Popen(
            leashed(client.worker_command(concurrency)), env=dict(os.environ),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            client.wait_for_worker(300)
            yield Place(client, process)
        finally:
            client.close()
            stop_process_group(process, grace=20)


def register(**sizes: int) -> None:
    """Centers by id with so many voters each, added to the roll book."""
    with transaction() as session:
        for center, size in sizes.items():
            voters = [f"{center}-{number:04}" for number in range(size)]
            insert_missing(
                session, PollingCenter, [{"center_id": center, "center_name": f"School {center}"}]
            )
            insert_missing(
                session, Voter, [{"voter_id": each, "voter_name": f"V {each}"} for each in voters]
            )
            insert_missing(
                session,
                VoterRegistration,
                [{"voter_id": each, "center_id": center} for each in voters],
            )


def executed(run_id: str) -> Counter[tuple[str, str]]:
    """How often each (step, item) has been executed."""
    with transaction(read_only=True) as session:
        return Counter((effect.step, effect.item) for effect in effects(session, run_id))


def attempts(run_id: str, step: str) -> list[int]:
    """The attempts whose effect has been committed, in order."""
    with transaction(read_only=True) as session:
        return [effect.attempt for effect in effects(session, run_id) if effect.step == step]


def printed(run_id: str) -> dict[str, bytes]:
    """The files of a run."""
    folder = steps.rolls_folder(run_id)
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}
