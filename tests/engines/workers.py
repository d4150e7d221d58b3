"""Workers as users start them, which tests may kill and freeze."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

from tests.engines.apart import app


class Worker:
    """A worker process."""

    def __init__(self, process):
        self._process = process

    def kill(self):
        """End it, with its processes."""
        self._process.send_signal(signal.SIGKILL)

    def freeze(self):
        """Stop it alone: what its processes are doing they may go on with."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def wait(self, seconds):
        """Until it has ended."""
        self._process.wait(seconds)


def on_prefect(url):
    """The environment of a worker of the Prefect server there."""
    return {
        "PREFECT_API_URL": url,
        "PREFECT_WORKER_QUERY_SECONDS": "0.5",
        "OFFCANVAS_RESULT_BACKEND": app.conf.result_backend,
    }


@contextmanager
def running(module, *options, **settings):
    """``python -m module tests.engines.apart:app``, ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, "tests.engines.apart:app", *options],
        env={**os.environ, "OFFCANVAS_TEST_RESULTS": app.conf.result_backend, **settings},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        with process:
            for line in process.stdout:
                if "at work " in line:
                    break
            else:
                raise AssertionError("the worker has ended")
            try:
                yield Worker(process)
            finally:
                process.terminate()
                process.wait(300)
    finally:
        process.kill()
