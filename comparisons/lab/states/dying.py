"""What the caller does on its way to an early death; called by name (`Caller.ask("call", ...)`)."""

from __future__ import annotations

import os
import signal
from typing import Any

from shared import steps


def enter_and_die(run_id: str, variant: str, engine: str) -> None:
    """Enter the run, as every `Client.start` does first, and be killed before anything else."""
    steps.begin_run(run_id, variant, engine)
    os.kill(os.getpid(), signal.SIGKILL)


def die_after_messages(count: int) -> None:
    """Be killed after so many rolls have been sent, before the next one is."""
    from celery.signals import before_task_publish

    from celery_impl.tasks import generate_roll

    sent = 0

    def count_down(sender: str, **_: Any) -> None:
        nonlocal sent
        if sender == generate_roll.name:
            if sent == count:
                os.kill(os.getpid(), signal.SIGKILL)
            sent += 1

    before_task_publish.connect(count_down, weak=False)
