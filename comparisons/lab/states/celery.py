"""Celery's word for a chord is the state of its body."""

from __future__ import annotations

from typing import Any

from celery import group
from celery.result import AsyncResult
from celery.signals import before_task_publish

from celery_impl.app import connect
from celery_impl.tasks import generate_roll, sum_pages
from shared import steps


def shown(execution: str) -> str:
    """PENDING is what Celery says of a task that it has lost, or never heard of."""
    result: AsyncResult[Any] = AsyncResult(execution, app=connect())
    return str(result.state)


def abandon(execution: str) -> None:
    """Drop every message that waits."""
    connect().control.purge()


_kept: dict[tuple[str, str], dict[str, Any]] = {}


def keep_messages() -> None:
    """Keep each message of a roll that this process sends from now on."""
    before_task_publish.connect(_keep, dispatch_uid="the lab keeps messages")


def _keep(
    sender: str, body: Any, exchange: str, routing_key: str, headers: Any, properties: Any, **_: Any
) -> None:
    if sender == generate_roll.name:
        run_id, station_id = body[0]
        _kept[run_id, station_id] = {
            "body": body,
            "exchange": exchange,
            "routing_key": routing_key,
            "headers": dict(headers),
            **properties,
        }


def send_again(run_id: str, station_id: str) -> None:
    """Send the message of a roll once more, as it was."""
    with connect().amqp.producer_pool.acquire(block=True) as producer:
        producer.publish(serializer="json", **_kept[run_id, station_id])


def start_later(run_id: str, seconds: float) -> str:
    """`chord_by_station` with a countdown on every member of the header; returns the body's id."""
    steps.begin_run(run_id, "chord_by_station", "celery")
    steps.assign_all(run_id)
    header = group(
        generate_roll.si(run_id, station).set(countdown=seconds)
        for station in steps.list_stations(run_id)
    )
    return str((header | sum_pages.s(run_id=run_id)).apply_async().id)
