"""A worker process for an app as it is elsewhere, with other settings.

python -m offcanvas.engines.celery_worker JSON

JSON is an object: ``app`` (``module:name``), ``path`` (``sys.path``), ``settings`` (for
``app.conf``) and ``arguments`` of ``celery worker``. Celery's own command line cannot set all
settings.
"""

import json
import sys
from importlib import import_module
from typing import Any


def main() -> None:
    """Be the worker."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    sys.path[:] = given["path"]
    from offcanvas.engines.recorder import record_if_asked
    from offcanvas.engines.settings import change_settings

    module, _, name = given["app"].partition(":")
    app: Any = getattr(import_module(module), name)
    change_settings(app, given["settings"])
    app.set_default()
    record_if_asked()
    app.worker_main(["worker", *given["arguments"]])


if __name__ == "__main__":
    main()
