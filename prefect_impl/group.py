"""Fire and forget: nobody collects the results.

In Canvas: a plain group; the caller goes on when the messages are sent. A mapped Prefect task
cannot be left alone like that: it lives in its flow's task runner, and the flow that returns
takes it along. What can be left alone is a flow run. So this flow hands its members over to
another deployment, `rolls`, with `timeout=0`, which means: create the flow run and do not wait.
It ends as soon as the server has that, and that is what the caller can wait for.

A roll that fails for good fails `rolls` once all siblings have run; nobody is told, but it stays
visible as a failed flow run, which Celery's lost result is not.
"""

from __future__ import annotations

from prefect import flow, unmapped
from prefect.deployments import run_deployment

from prefect_impl.fan_out import join
from prefect_impl.names import deployment_of, key_of, tag_of
from prefect_impl.options import FLOW
from prefect_impl.tasks import assign_all, generate_roll, list_stations


@flow(name="rolls", **FLOW)
def rolls(run_id: str) -> None:
    """group(generate_roll per station): the run's stations, as the database has them."""
    stations = list_stations(run_id)
    join(generate_roll.map(unmapped(run_id), stations))


@flow(name="group", **FLOW)
def group(run_id: str) -> None:
    """assign_all, then hand over group(generate_roll per station)."""
    assign_all(run_id)
    run_deployment(
        deployment_of("rolls"),
        parameters={"run_id": run_id},
        idempotency_key=key_of("rolls", run_id),
        tags=[tag_of(run_id)],
        timeout=0,
    )
