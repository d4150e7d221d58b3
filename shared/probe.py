"""Where a fault lab may take hold of a step: nothing at all unless FAULT_PROBE names its socket.

A step tells the lab which point it has reached, and does what the lab answers. Faults are injected
at points that the work itself has reached, not after a guessed number of seconds:

started         nothing has been read yet
in_transaction  everything is written, nothing committed
committed       the transaction is over, the engine does not know it yet
finished        the same moment, but only told: the step goes on to the engine at once

The lab answers each of the first three with one byte: GO, or, after as long as it likes, GO; DEAF
makes the process ignore the signals of the soft time limits from here on, and wait for good. A lab
that has gone holds up nobody.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time

from shared.settings import settings

STARTED, IN_TRANSACTION = "started", "in_transaction"
COMMITTED, FINISHED = "committed", "finished"
POINTS = (STARTED, IN_TRANSACTION, COMMITTED, FINISHED)

GO, DEAF = b"g", b"d"


def probing() -> bool:
    """Whether a lab is listening."""
    return settings().fault_probe is not None


def reached(point: str, run_id: str, step: str, item: str, attempt: int) -> None:
    """Tell the lab, and wait for its answer, at a point where it may be given one."""
    path = settings().fault_probe
    if path is None:
        return
    event = {
        "point": point, "run_id": run_id, "step": step, "item": item, "attempt": attempt,
        "pid": os.getpid(), "at": time.time(),
    }  # fmt: skip
    with socket.socket(socket.AF_UNIX) as lab:
        try:
            lab.connect(path)
            lab.sendall(json.dumps(event).encode() + b"\n")
            answer = GO if point == FINISHED else lab.recv(1)
        except (ConnectionError, FileNotFoundError):
            return
        if answer == DEAF:
            # SIGALRM here and SIGUSR1 in Celery: what interrupts a step that takes too long.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGUSR1})
            lab.recv(1)
