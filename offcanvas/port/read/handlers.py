"""Handlers of Celery's signals: what a project has called around its tasks, and no port calls."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from offcanvas.audit.module import Module

if TYPE_CHECKING:
    from collections.abc import Iterator

    from offcanvas.audit.project import Project

_SIGNALS: Final = "celery.signals"
#: Signals around a task, its message and the process that executes it; not those of beat, of logs.
_TOLD: Final = frozenset(
    {"before_task_publish", "after_task_publish", "task_received", "task_prerun", "task_postrun"}
    | {"task_success", "task_failure", "task_retry", "task_revoked", "task_rejected"}
    | {"task_internal_error", "task_unknown", "worker_init", "worker_process_init"}
    | {"worker_ready", "worker_process_shutdown", "worker_shutdown", "worker_shutting_down"}
)


def handlers(project: Project) -> Iterator[tuple[str, int, str]]:
    """Path, line and signal of each ``task_prerun.connect`` of the project's product code."""
    for path, facts in project.files.items():
        if not any(map(_concerns, facts.imports.values())):
            continue
        module = Module.opened(project, path)
        if module is None:
            continue
        for node in module.walk(ast.Attribute):
            if node.attr == "connect":
                package, _, signal = (module.name(node.value) or "").rpartition(".")
                if package == _SIGNALS and signal in _TOLD:
                    yield path, node.lineno, signal


def _concerns(dotted: str) -> bool:
    return dotted in {"celery", _SIGNALS} or dotted.startswith(f"{_SIGNALS}.")
