"""What the server is told before anything can run: a work pool, and a deployment for each flow.

Worker and client both call `register`, so that a run can be started before there is a worker.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.utilities.callables import parameter_schema
from prefect.workers.base import BaseWorker

from prefect_impl.names import DEPLOYMENT, SWEEP_EVERY, WORK_POOL, WORKER_TYPE, deployment_of
from prefect_impl.registry import FLOWS
from shared.recovery import OLDER_THAN


def register(client: SyncPrefectClient) -> None:
    """Create the work pool and the deployments, or bring them up to date."""
    pool = WorkPoolCreate(
        name=WORK_POOL,
        type=WORKER_TYPE,
        description="Voter rolls: flow runs that only orchestrate, inside the worker",
        base_job_template=BaseWorker.get_default_base_job_template(),
    )
    with suppress(ObjectAlreadyExists):  # an operator may have paused it: not ours to undo
        client.create_work_pool(pool)
    for flow in FLOWS.values():
        if _version_there(client, flow) != _version(flow):
            _deploy(client, flow)


def _version(flow: Flow[..., Any]) -> str:
    """Changes with what is registered.

    Registering a deployment anew makes the server delete the runs it has planned for its schedule
    and plan a hundred again, which is eight seconds of its CPU: not at every start of a worker.
    """
    what = (_entrypoint(flow), _schema(flow), str(_sweeping() if flow.name == "sweep" else {}))
    return hashlib.sha256(repr(what).encode()).hexdigest()[:12]


def _version_there(client: SyncPrefectClient, flow: Flow[..., Any]) -> str | None:
    try:
        return client.read_deployment_by_name(deployment_of(flow.name)).version
    except ObjectNotFound:
        return None


def _entrypoint(flow: Flow[..., Any]) -> str:
    return f"{flow.fn.__module__}.{flow.fn.__name__}"


def _schema(flow: Flow[..., Any]) -> dict[str, Any]:
    return parameter_schema(flow).model_dump_for_openapi()


def deployment_id(client: SyncPrefectClient, flow_name: str) -> UUID:
    """The deployment of a flow; all are registered if it is not there yet."""
    try:
        return client.read_deployment_by_name(deployment_of(flow_name)).id
    except ObjectNotFound:
        register(client)
        return client.read_deployment_by_name(deployment_of(flow_name)).id


def _deploy(client: SyncPrefectClient, flow: Flow[..., Any]) -> UUID:
    return client.create_deployment(
        client.create_flow(flow),
        DEPLOYMENT,
        work_pool_name=WORK_POOL,
        version=_version(flow),
        entrypoint=_entrypoint(flow),
        description=(flow.fn.__doc__ or "").strip(),
        # Empty queues before changing signatures: here the server refuses a run whose
        # parameters do not fit what was last registered.
        parameter_openapi_schema=_schema(flow),
        enforce_parameter_schema=True,
        **(_sweeping() if flow.name == "sweep" else {}),
    )


def _sweeping() -> dict[str, Any]:
    """By a schedule, at every moment that is a multiple of the interval."""
    # With a fixed anchor: by default it is the present, and so never the same schedule.
    every = IntervalSchedule(interval=SWEEP_EVERY, anchor_date=datetime(2024, 1, 1, tzinfo=UTC))
    return {
        "parameters": {"older_than": OLDER_THAN},
        "schedules": [DeploymentScheduleCreate(schedule=every)],
    }
