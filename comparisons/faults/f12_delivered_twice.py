"""F12: a part of the fan-out is delivered twice."""

from __future__ import annotations

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, repeats, whole
from comparisons.lab.profiles import HARDENED, HARDENED_REDIS, NAIVE, PREFECT, TEMPORAL
from shared.probe import COMMITTED, FINISHED, STARTED

_KEEP = "comparisons.lab.states.celery:keep_messages"
_RESEND = "comparisons.lab.states.celery:send_again"


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
    }

    def prepare(self, cell: Cell) -> None:
        """Have the caller keep what it sends."""
        if cell.lane.profile.engine == "celery":
            cell.lane.caller.ask("call", function=_KEEP, arguments=[])
        cell.trap()

    def inject(self, cell: Cell) -> None:
        """Send it again while the first is where it is; let that go on once the second is there."""
        held = cell.catch()
        item = held.event.item
        if cell.lane.profile.engine != "celery":
            cell.strike("the run is started a second time")
            cell.lane.caller.ask("start", variant=self.variant, run_id=cell.run_id)
            held.release()
            return
        cell.strike(f"the message of {item} is sent a second time")
        cell.lane.caller.ask("call", function=_RESEND, arguments=[cell.run_id, item])
        if cell.phase != FINISHED:
            cell.lane.wait_until(lambda: cell.struck_again() is not None, 60.0, "the second one")
        held.release()
