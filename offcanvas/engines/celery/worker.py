"""A worker process for an app as it is elsewhere, with other settings.

python -m offcanvas.engines.celery.worker JSON

JSON is an object: ``app`` (``module:name``), ``path`` (``sys.path``), ``settings`` (for
``app.conf``), ``arguments`` of ``celery worker``, and a ``folder`` that is removed after it, for
what a worker that is killed leaves behind. Celery's own command line cannot set all settings.
"""

import json
import os
import signal
import sys
import threading
import time
from importlib import import_module
from multiprocessing import current_process
from typing import Any


def main() -> None:
    """Be the worker."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    sys.path[:] = given["path"]
    # Where multiprocessing has files of its own: tasks have the user's TMPDIR.
    current_process()._config["tempdir"] = given["folder"]  # type: ignore[attr-defined]  # noqa: SLF001  # there is no other way
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    from celery import signals

    from offcanvas.celery_app.breaking import break_if_asked
    from offcanvas.celery_app.recorder import record_if_asked
    from offcanvas.celery_app.settings import change_settings

    module, _, name = given["app"].partition(":")
    app: Any = getattr(import_module(module), name)
    change_settings(app, given["settings"])
    app.set_default()
    record_if_asked()
    # Its tasks are there, and not yet ready to be run.
    signals.worker_init.connect(lambda **_given: break_if_asked(app), weak=False)
    # What Celery says itself, of its shutdown for one, belongs in the log. The output of tasks goes
    # to sys.stdout and is the user's.
    sys.__stdout__ = sys.__stderr__  # type: ignore[misc]  # final for type checkers alone
    app.worker_main(["--quiet", "worker", *given["arguments"]])


def _end_with(parent: int) -> None:
    """Leave nothing at work, tasks in hand included, once nobody waits for it any more."""
    while os.getppid() == parent:
        time.sleep(0.5)
    if os.getpgrp() == os.getpid():  # its own group: processes of its pool are in it
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
