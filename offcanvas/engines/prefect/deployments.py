"""What the server is told before anything can run: a work pool, and a deployment for an app."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.workers.base import BaseWorker

from offcanvas.engines.prefect.flow import canvas
from offcanvas.errors import UsageError

#: The type of the work pools that our own worker serves.
WORKER_TYPE = "offcanvas"
#: Imported by whoever executes a flow run.
ENTRYPOINT = "offcanvas.engines.prefect.flow.canvas"


def create_pool(client: SyncPrefectClient, name: str) -> None:
    """The work pool of our own worker; one that is there stays as it is."""
    pool = WorkPoolCreate(
        name=name,
        type=WORKER_TYPE,
        description="Celery canvases, walked inside the worker",
        base_job_template=BaseWorker.get_default_base_job_template(),
    )
    with suppress(ObjectAlreadyExists):  # an operator may have paused it: not ours to undo
        client.create_work_pool(pool)


def deploy(client: SyncPrefectClient, app: str, name: str, work_pool: str) -> UUID:
    """Create the deployment ``canvas/<name>`` for the app at ``app``, or bring it up to date.

    Raises:
        UsageError: there is no such work pool.
    """
    try:
        client.read_work_pool(work_pool)
    except ObjectNotFound:
        raise UsageError(
            f"there is no work pool {work_pool!r}; create it: "
            f"prefect work-pool create {work_pool} --type process"
        ) from None
    return client.create_deployment(
        client.create_flow(canvas),
        name,
        work_pool_name=work_pool,
        entrypoint=ENTRYPOINT,
        parameters={"app": app},
        description=f"Celery canvases of {app}",
        enforce_parameter_schema=False,
    )


def remove(client: SyncPrefectClient, name: str) -> None:
    """Take the deployment and the work pool of this name away; flow runs stay."""
    with suppress(ObjectNotFound):
        client.delete_deployment(client.read_deployment_by_name(f"{canvas.name}/{name}").id)
    with suppress(ObjectNotFound):
        client.delete_work_pool(name)
