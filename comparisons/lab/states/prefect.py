"""The state of the flow run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.states import Cancelled, Scheduled

from prefect_impl.connection import connect
from prefect_impl.deployments import deployment_id
from prefect_impl.names import ENGINE, key_of, tag_of
from shared import steps

VARIANT = "chord_by_station"


def shown(execution: str) -> str:
    """Its name, such as Running, Completed, Crashed."""
    with connect() as client:
        return client.read_flow_run(UUID(execution)).state_name or "no state"


def abandon(execution: str) -> None:
    """Call it cancelled."""
    with connect() as client:
        client.set_flow_run_state(UUID(execution), Cancelled(), force=True)


def start_later(run_id: str, seconds: float) -> str:
    """`chord_by_station`, scheduled for later; returns the flow run's id."""
    steps.begin_run(run_id, VARIANT, ENGINE)
    due = datetime.now(UTC) + timedelta(seconds=seconds)
    with connect() as client:
        run = client.create_flow_run_from_deployment(
            deployment_id(client, VARIANT),
            parameters={"run_id": run_id},
            name=run_id,
            tags=[tag_of(run_id)],
            idempotency_key=key_of(VARIANT, run_id),
            state=Scheduled(scheduled_time=due),
        )
    return str(run.id)
