"""F12: a part of the fan-out is delivered twice."""

from __future__ import annotations

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, repeats, whole
from comparisons.lab.profiles import (
    AIRFLOW,
    HARDENED,
    HARDENED_REDIS,
    KIT_PREFECT,
    KIT_TEMPORAL,
    NAIVE,
    PREFECT,
    TEMPORAL,
)
from shared.probe import COMMITTED, FINISHED, STARTED


class DeliveredTwice(Fault):
    """The message of one member of the header is sent a second time, with the same task id, while
    the first is executed, before it is acknowledged, or afterwards: what a publisher does that has
    not heard of a confirm, or a broker that has not heard of an acknowledgement.

    Prefect and Temporal send no message for a step. What can come twice there is the start of the
    whole run, which is sent again at the same points. A second attempt at a step is F04.
    """

    id, title = "F12", "Delivered twice"
    source = (
        "celery/backends/redis.py, on_chord_part_return (de-duplicated by task id in 5.7); Prefect "
        "REST API: idempotency_key; docs.temporal.io/workflow-execution/workflowid-runid"
    )
    phases = (STARTED, COMMITTED, FINISHED)
    expects = {
        NAIVE: repeats("executed twice; the chord counts members by task id"),
        HARDENED: repeats("the same: steps can be repeated"),
        HARDENED_REDIS: repeats("the same"),
        PREFECT: whole("the idempotency key leads to the flow run that is there"),
        TEMPORAL: whole("the workflow id is taken"),
        AIRFLOW: whole("the run id is taken: 409"),
        KIT_PREFECT: whole(
            "the canvas has the same ids: its key leads to the flow run that is there"
        ),
        KIT_TEMPORAL: whole("the canvas has the same ids, and the workflow id is taken"),
    }

    def prepare(self, cell: Cell) -> None:
        """Have the caller keep what it sends."""
        profile = cell.lane.profile
        if profile.engine == "celery":
            keep = f"{profile.states}:keep_messages"
            cell.lane.caller.ask("call", function=keep, arguments=[])
        cell.trap()

    def inject(self, cell: Cell) -> None:
        """Send it again while the first is where it is; let that go on once the second is there."""
        held = cell.catch()
        item = held.event.item
        profile = cell.lane.profile
        again = f"{profile.states}:send_again"
        if not profile.sends_messages:
            cell.strike("the run is started a second time")
            if profile.rerouted_to is None:
                cell.lane.caller.ask("start", variant=self.variant, run_id=cell.run_id)
            else:
                cell.lane.caller.ask("call", function=again, arguments=[cell.run_id, item])
            held.release()
            return
        cell.strike(f"the message of {item} is sent a second time")
        cell.lane.caller.ask("call", function=again, arguments=[cell.run_id, item])
        if cell.phase != FINISHED:
            cell.lane.wait_until(lambda: cell.struck_again() is not None, 60.0, "the second one")
        held.release()
