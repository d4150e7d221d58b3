"""The names under which the server knows what is ours."""

from __future__ import annotations

from datetime import timedelta

from shared.recovery import OLDER_THAN
from shared.settings import at_import

ENGINE = "prefect"
WORK_POOL = "voter-rolls"
WORKER_TYPE = "voter-rolls-in-process"
DEPLOYMENT = "voter-rolls"


def deployment_of(flow_name: str) -> str:
    """A flow's deployment, as `flow/deployment`."""
    return f"{flow_name}/{DEPLOYMENT}"


def key_of(flow_name: str, run_id: str) -> str:
    """The idempotency key of a run: a second start finds the first one's flow run."""
    return f"{flow_name}/{run_id}"


def tag_of(run_id: str) -> str:
    """The tag that all flow runs of a run bear."""
    return f"run:{run_id}"


# The label with which a worker notes how many task runs a flow run had.
TASK_RUNS = "voter-rolls.task-runs"

# A worker that has missed three heartbeats is offline to the server. Whole seconds, at least one.
HEARTBEAT_SECONDS = max(1, int(at_import().silent_after // 4))

SWEEP_EVERY = timedelta(seconds=OLDER_THAN)
