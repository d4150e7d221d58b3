"""Where another process finds the app."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from offcanvas.errors import BadTarget

if TYPE_CHECKING:
    from celery import Celery

#: Celery brings its own tasks, and a script cannot be imported.
_NOT_USERS = frozenset({"celery", "__main__"})


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
