"""Revoking a task by killing the process that runs it.

Bad:
    from celery import Celery

    app = Celery("shop")

    def cancel(task_id):
        app.control.revoke(task_id, terminate=True, signal="SIGKILL")
Good:
    from celery import Celery

    app = Celery("shop")

    def cancel(job):
        job.cancelled = True  # the task looks at it between two steps and stops by itself
        job.save()
        app.control.revoke(job.task_id)  # for the case that it has not started
Why: terminate kills the process, not the task: nothing is cleaned up, no handler of the task runs
    after SIGKILL, and the process may have gone on to another task by then. The pools threads
    and solo cannot kill a task at all. A chain is not revoked with its first task.
Prefect: Cancelling a run is a state of the run; the runner stops its process.
Temporal: Cancellation is delivered at the activity's heartbeat and can be cleaned up after.
Source: https://docs.celeryq.dev/en/stable/userguide/workers.html#revoke-revoking-tasks
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.names import APP, RESULT
from offcanvas.audit.rules import module_rule

_CONTROLS: Final = (f"{APP}.control", "celery.app.control.Control", "celery.task.control")
_PLACE: Final = {
    **{f"{c}.{m}": 2 for c in _CONTROLS for m in ("revoke", "revoke_by_stamped_headers")},
    f"{RESULT}.revoke": 1,
}
"""Calls that take `terminate`, and its place among the positional arguments."""
_TERMINATES: Final = frozenset(f"{c}.terminate" for c in _CONTROLS)
_KILL: Final[frozenset[str | int]] = frozenset({"SIGKILL", "KILL", 9})
_RAISES: Final[frozenset[str | int]] = frozenset({"SIGINT", "INT", 2, "SIGUSR1", "USR1", 10})
"""Signals that a prefork worker's child turns into KeyboardInterrupt and SoftTimeLimitExceeded."""


@module_rule("CEL502", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
    """Calls that kill; with a terminate that is decided at run time it is only possible."""
    for call in module.walk(ast.Call):
        name = module.name(call.func) or ""
        doubt = ""
        if name in _PLACE:
            given = _keyword(call, "terminate")
            if given is None and len(call.args) > _PLACE[name]:
                given = call.args[_PLACE[name]]
            if given is None:
                continue
            said = module.literal(given)
            if isinstance(said, bool | int) and not said:
                continue
            if said is None:
                if isinstance(given, ast.Constant):
                    continue  # terminate=None
                doubt = f"whether it terminates is decided by {module.text(given)!r}"
        elif name not in _TERMINATES:
            continue
        hard = _signals(module, call, _KILL)
        if _signals(module, call, _RAISES):
            doubt = "this signal raises an exception in the task, which may clean up after itself"
        yield module.remark(
            call,
            ("SIGKILL ends" if hard else "terminate ends")
            + " the worker's process with whatever it runs at that moment"
            + (", without any clean-up" if hard else "")
            + "; let the task look at a cancel flag and stop by itself",
            doubt=doubt,
        )


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None)


def _signals(module: Module, call: ast.Call, wanted: frozenset[str | int]) -> bool:
    """Whether the call names one of these signals."""
    signal = _keyword(call, "signal")
    if signal is None:
        return False
    name = module.name(signal) or ""
    return module.literal(signal) in wanted or (
        name.startswith("signal.") and name.rpartition(".")[2] in wanted
    )
