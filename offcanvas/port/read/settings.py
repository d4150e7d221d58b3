"""Settings of the app that hold for every task which does not say otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from offcanvas.audit.told import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from offcanvas.audit.project import Project

#: What is emitted as if the task itself said it.
OF_TASKS: Final = ("time_limit", "soft_time_limit", "acks_late", "ignore_result")
#: What is told of and not emitted.
_NOT_EMITTED: Final = (
    *("task_annotations", "task_routes", "task_default_rate_limit", "task_default_priority"),
)


def of_app(project: Project) -> dict[str, object]:
    """Options by name as the project's settings have them, read from the source."""
    found: dict[str, object] = {}
    for name in OF_TASKS:
        value, _ = _read(project, f"task_{name}")
        if value:
            found[name] = value
    return found


def of_task(task: Any) -> dict[str, object]:
    """The same of an imported task, as its app has been configured."""
    conf = task.app.conf
    return {name: value for name in OF_TASKS if (value := conf.get(f"task_{name}"))}


def doubts(project: Project, live: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    """Path, line and what there is to say of a setting that may be another one in production."""
    for name in OF_TASKS:
        for written in () if live else project.settings.all(f"task_{name}")[:1]:
            value, certain = _read(project, f"task_{name}")
            if not certain:
                said = "cannot be read" if value is None else f"is taken for {value!r}"
                yield written.path, written.line, f"task_{name} {said}: name the app with -A"
    for key in _NOT_EMITTED:
        for written in project.settings.all(key)[:1]:
            yield written.path, written.line, f"{key} holds for tasks, and is not emitted"


def _read(project: Project, key: str) -> tuple[object, bool]:
    """What a setting says, and whether it is certain to be that when the program runs."""
    written = project.settings.all(key)
    if not written:
        return None, True
    first = written[0]
    facts = project.index.files[first.path]
    known = told(project.index, facts, first.value, first.scope)
    if known is None:
        return None, False
    return known[0], known[1] and len(written) == 1
