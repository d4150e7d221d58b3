"""`python -m comparisons.lab.caller CLIENT STATES`: starts runs and asks about them.

The names are those of modules. One JSON object a line, in and out.

It is a process of its own because Celery's app keeps the profile and the addresses it was imported
with, and because some faults kill it.

    {"do": "ready", "timeout": 60}                     -> {"ok": null}
    {"do": "start", "variant": ..., "run_id": ...}     -> {"ok": "<execution>"}
    {"do": "shown", "execution": ...}                  -> {"ok": "<the engine's word for it>"}
    {"do": "outcome", "execution": ..., "timeout": 5}  -> {"ok": "total 21"}, or an error's text
    {"do": "queued"}                                   -> {"ok": 0}
    {"do": "abandon", "execution": ...}                -> {"ok": null}
    {"do": "call", "function": "package.module:name", "arguments": [...]}  -> {"ok": ...}

What goes wrong is answered as {"error": "<class>: <text>"}.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from shared.contract import EngineClient


def _outcome(client: EngineClient, execution: str, timeout: float) -> str:
    try:
        outcome = client.wait(execution, timeout)
    except TimeoutError:
        return "nothing yet"
    if outcome.error_type is not None:
        return f"{outcome.error_type}: {outcome.error_text}"
    return "nothing to wait for" if outcome.total_pages is None else f"total {outcome.total_pages}"


def _call(function: str, arguments: list[Any]) -> Any:
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)(*arguments)


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints belongs into the log
    client: EngineClient = importlib.import_module(sys.argv[1]).Client()
    states = importlib.import_module(sys.argv[2])
    does: dict[str, Callable[..., Any]] = {
        "ready": client.wait_for_worker,
        "start": client.start,
        "shown": states.shown,
        "outcome": lambda **given: _outcome(client, **given),
        "queued": lambda: client.health().queued,
        "abandon": states.abandon,
        "call": _call,
    }
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = {"ok": does[order.pop("do")](**order)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
