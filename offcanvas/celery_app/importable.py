"""Where another process finds the app."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from offcanvas.errors import BadTarget, line_of

if TYPE_CHECKING:
    from celery import Celery

#: Celery brings its own tasks, and a script cannot be imported.
_NOT_USERS = frozenset({"celery", "__main__"})


def load_app(target: str) -> Celery:
    """The app at ``module:name``; as with ``celery -A``, the current directory is importable.

    Raises:
        BadTarget: the target is written otherwise, does not import, or leads to something else.
    """
    module, colon, name = target.partition(":")
    if not (module and colon and name):
        raise BadTarget(f"{target}: name the Celery app as module:app, for example shop:app")
    if os.getcwd() not in sys.path:  # noqa: PTH109  # as text, which is what is on the path
        sys.path.insert(0, os.getcwd())  # noqa: PTH109  # likewise
    try:
        found = import_module(module)
    except (Exception, SystemExit) as error:  # whatever the user's module raises is the answer
        raise BadTarget(f"{target}: importing {module} failed with {line_of(error)}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise BadTarget(f"{target}: {module} has no {name}")
        found = getattr(found, part)
    return require_app(found, target)


def require_app(found: Any, where: str) -> Celery:
    """``found``, which has to be a Celery app.

    Raises:
        BadTarget: it is something else.
    """
    from celery import Celery
    from celery.app.task import Task

    if isinstance(found, Celery):
        return found
    kind = type(found).__name__
    what = f"the task {found.name}" if isinstance(found, Task) else f"of type {kind}"
    raise BadTarget(f"{where} is {what}, not a Celery app; name the app, for example shop:app")


def importable(app: Celery) -> str:
    """``module:name`` under which a worker process finds the app.

    Raises:
        BadTarget: no module has it, or only the script that is running.
    """
    for name, module in list(sys.modules.items()):
        # Celery's own modules have it as the default app, in this process only.
        if name in {"__main__", "__mp_main__"} or name.startswith("celery."):
            continue
        for attribute, found in list(vars(module).items()) if module is not None else ():
            if found is app:
                return f"{name}:{attribute}"
    raise BadTarget(
        f"a worker cannot import the app {app.main or 'without a name'}: no module has it as a "
        f"global; put it into a module, not into the script that runs, or name yours: -A, as for "
        f"celery"
    )


def task_modules(app: Any) -> list[str]:
    """What the setting ``include`` has to be for a process to have the tasks that the app has here.

    A module that the app knows nothing of, such as one that a command line names, has to be named.
    """
    modules = {str(task.__module__) for task in app.tasks.values()}
    known = {
        name for name in modules if name in sys.modules and name.partition(".")[0] not in _NOT_USERS
    }
    return sorted({*app.conf.include, *known})
