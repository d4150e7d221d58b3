"""Objects as arguments: what only Celery's pickle carries, and no engine's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offcanvas.audit.values import Const
from offcanvas.port.pickled import changed_by_json, is_plain

if TYPE_CHECKING:
    from offcanvas.audit.project import Project
    from offcanvas.port.ir import Task


def pickles(project: Project) -> bool:
    """Whether a setting of the project, or of a task, has Celery send tasks as pickle."""
    if any("pickle" in str(t.literal("serializer")) for t in project.tasks_by_name.values()):
        return True
    for written in project.settings.all("task_serializer"):
        said = project.index.constant(project.files[written.path], written.value)
        if isinstance(said, Const) and "pickle" in str(said.value):
            return True
    for facts in project.files.values():
        for name, value in facts.assigns.items():
            if not name.lower().endswith("task_serializer"):
                continue
            said = project.index.constant(facts, value)
            if isinstance(said, Const) and "pickle" in str(said.value):
                return True
    return False


def object_params(task: Task) -> list[str]:
    """The parameters and the result of a task that need not be what JSON carries."""
    found = [
        f"{param.name}: {param.annotation}" if param.annotation else param.name
        for param in task.params
        if not is_plain(param.annotation)
    ]
    if not is_plain(task.returns):
        found.append(f"-> {task.returns}" if task.returns else "its result")
    return found


def changed_values(task: Task) -> list[str]:
    """The parameters and the result of a task that JSON gives back as something else."""
    found = [f"{p.name}: {p.annotation}" for p in task.params if changed_by_json(p.annotation)]
    return [*found, f"-> {task.returns}"] if changed_by_json(task.returns) else found
