"""Run Celery's own canvas tests on an engine and hold the outcome against `expected.toml`.

python -m tests.conformance FOLDER ENGINE [pytest's arguments]

FOLDER holds `t/integration` of Celery's source distribution. A whole run is kept in `results/` and
docs/conformance.md is made anew; with arguments only what ran is looked at, and put into the run
that is kept, as run again. Status 0: as expected;
1: not so; 2: it could not run.
"""

import os
import shlex
import sys
import time
from pathlib import Path

import pytest
from celery.result import AsyncResult

from offcanvas.engines.registry import specs
from offcanvas.servers import redis
from tests.conformance import page, results
from tests.conformance.expected import complaints, expected
from tests.conformance.plugin import Conformance

HERE = Path(__file__).parent
FILES = ("test_canvas.py", "test_group_chains.py", "test_tasks.py")
ENGINES = ("celery", *(name for name, one in specs().items() if one.target))


def run(folder, engine, arguments):
    """The plugin after the run: its `ran` has an outcome for each test."""
    plugin = Conformance(engine)
    with redis(tcp=True) as server:
        host, _, port = server.url.removeprefix("redis://").partition(":")
        # Only Celery itself has a broker. Elsewhere nobody listens at its address, so that a
        # message that is published after all fails the test.
        broker = server.url if engine == "celery" else "redis://127.0.0.1:1"
        os.environ.update(
            REDIS_HOST=host,
            REDIS_PORT=port,
            TEST_BACKEND=server.url,
            TEST_BROKER=broker,
            # As Celery's own workflow sets it: tests read the worker's log.
            WORKER_LOGLEVEL="INFO",
        )
        os.chdir(folder)
        # For this process, and for those that workers start.
        sys.path[:0] = [str(folder), str(HERE.parents[1])]
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
        command = ["-c", str(HERE / "celery-tests.ini"), f"--rootdir={folder}", *arguments]
        pytest.main([*command, *files(folder)], plugins=[plugin])
    # Results that live longer than the server need not tell it when they go.
    AsyncResult.__del__ = lambda _self: None
    return plugin


def files(folder):
    """The files of tests that are run: of Celery 5.6 the first only."""
    names = FILES[:1] if results.release() == "5.6" else FILES
    return [f"t/integration/{name}" for name in names if (folder / "t/integration" / name).exists()]


def refused(why):
    """Say why it cannot run; the status."""
    sys.stderr.write(f"{why}\n")
    return 2


def main(folder, engine, *arguments):
    """See the module; returns the status."""
    if engine not in ENGINES:
        return refused(f"no engine {engine!r}; ON is one of: {', '.join(ENGINES)}")
    if not (folder / "t/integration/test_canvas.py").exists():
        return refused(f"{folder} has no t/integration/test_canvas.py; `make conformance` gets it")
    began = time.monotonic()
    ran = run(folder, engine, arguments).ran
    if not ran:
        return refused("no test ran; see what pytest says above")
    wrong = complaints(expected(engine, results.release()), ran, whole=not arguments)
    if arguments:
        results.again(engine, ran)
    else:
        results.save(engine, ran, time.monotonic() - began)
    page.write()
    told = f"{engine}: {results.counted(one.outcome for one in ran.values())}"
    sys.stdout.write("\n".join([*wrong, told, ""]))
    return 1 if wrong else 0


if __name__ == "__main__":
    # One word from make: ARGS as its user wrote them.
    given = shlex.split(os.environ.get("ARGS", "")) or sys.argv[3:]
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2], *given))
