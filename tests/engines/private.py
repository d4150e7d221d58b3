"""What somebody's environment has for other servers, and a command that is to use none of them."""

import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.engines.files import wait_for

ROOT = Path(__file__).parents[2]
#: For servers of the user's; every one of them is of no use on a private one.
OTHERS = {
    "TEMPORAL_NAMESPACE": "elsewhere",
    "TEMPORAL_API_KEY": "a-key",
    "TEMPORAL_TLS": "true",
    "PREFECT_SERVER_API_AUTH_STRING": "admin:other",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+asyncpg://x:x@127.0.0.1:1/none",
    "PREFECT_API_AUTH_STRING": "admin:another",
    "PREFECT_API_KEY": "a-key",
    "PREFECT_API_SSL_CERT_FILE": "/nowhere.pem",
    "PREFECT_PROFILES_PATH": "/nowhere.toml",
    "http_proxy": "http://127.0.0.1:1",
}


def command(*words, **environment):
    """The ``offcanvas`` of this environment, with these words, as a process in the making."""
    program = str(Path(sys.executable).with_name("offcanvas"))
    known = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TEMPORAL_", "PREFECT_"))
    }
    return subprocess.Popen(
        [program, *words],
        env={**known, **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


#: Prints what a task gives on a private server, which ends with the switch.
REROUTED = """
import sys
from offcanvas import reroute
from tests.engines.apart import add, app

if __name__ == "__main__":
    with reroute(app, to=sys.argv[1], private=True):
        print(add.delay(1).get(timeout=300, interval=0.02))
"""


def runs_on_a_private_server(engine, folder):
    """``offcanvas run`` on an engine, and ``reroute``, which start a server, come to their end."""
    ran = command("run", "tests.engines.apart:add", "--on", engine, "--arg", "x=1", **OTHERS)
    said, complaint = ran.communicate(timeout=300)
    assert (ran.returncode, said.split()) == (0, ["2"]), complaint
    (folder / "script.py").write_text(REROUTED)
    results = {"OFFCANVAS_TEST_RESULTS": f"file://{folder}", "PYTHONPATH": str(ROOT)}
    script = subprocess.run(
        [sys.executable, folder / "script.py", engine],
        env={**os.environ, **OTHERS, **results}, cwd=ROOT,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert (script.returncode, script.stdout.split()) == (0, ["2"]), script.stderr


def leaves_no_process_when_killed(engine, folder):
    """``offcanvas run`` on an engine that is killed while a task runs."""
    began = str(folder / "began")
    words = ["tests.engines.apart:sleeps", "--on", engine, "--arg", began]
    with command("run", *words) as run:
        wait_for(began)
        family = psutil.Process(run.pid).children(recursive=True)
        run.kill()
    # The server, the worker if it is apart, and the processes of its tasks.
    assert len(family) > 1
    assert psutil.wait_procs(family, timeout=60)[1] == []
