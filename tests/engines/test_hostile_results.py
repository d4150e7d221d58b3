"""Results that somebody has put into the result backend."""

import os
import pickle
from pathlib import Path

import pytest
from celery import chord

from offcanvas._reroute import reroute
from tests.engines.files import wait_until
from tests.engines.test_reroute import get, remote

__all__ = ["remote"]


class Runs:
    """What makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def of(kind, trace):
    whole = pickle.dumps(Runs(trace))
    return {
        "pickle": whole,
        "pickle in the place of the value": pickle.dumps(
            {"status": "SUCCESS", "result": Runs(trace), "children": [], "traceback": None}
        ),
        "no JSON": b"{",
        "another object": b"[1]",
        "nothing": b"",
    }[kind]


@pytest.mark.parametrize(
    "kind", ["pickle", "pickle in the place of the value", "no JSON", "another object", "nothing"]
)
def test_a_result_that_was_replaced_runs_nothing_and_fails_the_task_alone(remote, tmp_path, kind):
    trace = str(tmp_path / "trace")
    with reroute(remote.app, to="memory"):
        header = [remote.big.s(5_000), remote.waits_for.s(str(tmp_path / "replaced"))]
        waits = chord(header, remote.length.s()).delay()
        large = waits.parent.results[0]
        folder = Path(remote.app.conf.result_backend.removeprefix("file://"))
        stored = folder / f"celery-task-meta-{large.id}"
        wait_until(lambda: large.state == "SUCCESS")
        stored.write_bytes(of(kind, trace))
        (tmp_path / "replaced").touch()
        wait_until(waits.ready)
        assert waits.state == "FAILURE"
        assert get(remote.add.delay(1)) == 2
    assert not os.path.exists(trace)  # noqa: PTH110  # a path is text here
