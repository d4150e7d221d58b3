"""The sections of docs/canvas.md on Temporal and Prefect: their commands and programs, run."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from prefect.exceptions import ObjectNotFound

from offcanvas.engines.prefect.client import Caller
from offcanvas.servers import temporal
from tests.docs.test_canvas_page import BLOCKS, PROGRAMS

pytestmark = pytest.mark.servers

_, _, _, ON_TEMPORAL, WORKER, ON_PREFECT = PROGRAMS
TEMPORAL_COMMANDS, OWN_CLIENT_COMMANDS, PREFECT_COMMANDS, OWN_WORKER_COMMANDS = (
    text.splitlines() for language, text in BLOCKS if language == "sh"
)


@pytest.fixture
def folder(tmp_path):
    """The page's programs as files; results go to files instead of Redis."""
    results = tmp_path / "results"
    results.mkdir()
    shop = PROGRAMS[0].replace('"redis://", backend="redis://"', f'"", backend="file://{results}"')
    assert "file://" in shop
    (tmp_path / "shop.py").write_text(shop, encoding="utf-8")
    (tmp_path / "worker.py").write_text(WORKER, encoding="utf-8")
    return tmp_path


def environment(folder, commands, address):
    """The variables that the block sets, with the address of a private server."""
    exports = [line for line in commands if line.startswith("export ")]
    names = [line.removeprefix("export ").partition("=")[0] for line in exports]
    programs = str(Path(sys.executable).parent)
    path = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(folder)}
    return {**os.environ, **path, **dict.fromkeys(names, address)}


@contextmanager
def running(folder, command, env):
    process = subprocess.Popen(
        command.split(), cwd=folder, env=env, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
        assert process.poll() is None, "the worker has ended"
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(120)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def call(folder, program, env):
    (folder / "call.py").write_text(program, encoding="utf-8")
    command = [sys.executable, "-W", "ignore", "call.py"]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.mark.parametrize("worker", [TEMPORAL_COMMANDS[-1], OWN_CLIENT_COMMANDS[-1]])
def test_on_temporal(folder, worker):
    with temporal() as server:
        env = environment(folder, TEMPORAL_COMMANDS, server.url)
        with running(folder, worker, env):
            ran = call(folder, ON_TEMPORAL, env)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "4\n")


def wait_for_deployment(url):
    """A person sees the worker come up; a test has to ask."""
    for _ in range(3_000):
        with Caller(url) as caller, suppress(ObjectNotFound):
            return caller.client.read_deployment_by_name("canvas/offcanvas")
        time.sleep(0.1)
    pytest.fail("there is no deployment")


@pytest.mark.long
def test_on_prefect(folder, prefect_url):
    env = environment(folder, PREFECT_COMMANDS, prefect_url)
    with running(folder, PREFECT_COMMANDS[-1], env):
        wait_for_deployment(prefect_url)
        ran = call(folder, ON_PREFECT, env)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "4\n")


@pytest.mark.long
def test_on_prefects_own_worker(folder, prefect_url):
    env = environment(folder, PREFECT_COMMANDS, prefect_url)
    *before, worker = OWN_WORKER_COMMANDS
    for command in before:
        subprocess.run(
            command.split(), cwd=folder, env=env, check=True, capture_output=True, timeout=600
        )
    with running(folder, worker, env):
        ran = call(folder, ON_PREFECT, env)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "4\n")
