"""docs/airflow.md: its figures are those that are kept, and its commands do what it says."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from comparisons import airflow_page
from comparisons.airflow_page import Kind
from offcanvas.servers.base import free_port
from shared.cli import run
from tests.docs.guide import running, shell

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "airflow.md"


def test_the_page_is_made_from_what_is_kept() -> None:
    assert airflow_page.page() == PAGE.read_text(encoding="utf-8"), (
        "python -m comparisons.airflow_page > docs/airflow.md"
    )


def test_what_is_no_result_is_one_line_and_keeps_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "results.json"
    file.write_text("[]")
    before = Kind.TIMING.file.read_bytes()
    with pytest.raises(SystemExit) as caught:
        run(airflow_page.app, "page", ["keep", "timing", str(file)])
    shown = capsys.readouterr()
    assert (caught.value.code, shown.out) == (2, "")
    assert shown.err == f"page: {file}: these are no results of timing or faults\n"
    assert Kind.TIMING.file.read_bytes() == before


#: Where the server is that other tests here use.
OTHERS = ("AIRFLOW_HOME", "AIRFLOW_API_URL")


@pytest.mark.long
@pytest.mark.servers
@pytest.mark.airflow
def test_the_first_look_does_what_the_page_says(airflow_program: Path, tmp_path: Path) -> None:
    """On SQLite, in the words of the page; the port alone is a free one."""
    del airflow_program  # it is there: that is what counts
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    make, server, fake, worker, start, health, sweep = lines
    assert make == "make airflow"
    environment = {
        **{name: text for name, text in os.environ.items() if name not in OTHERS},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'voters.db'}",
        "ROLLS_DIR": str(tmp_path / "rolls"),
        "SWEEP_EVERY": "86400",
    }
    serving = subprocess.Popen(
        [*shlex.split(server), "--port", str(free_port())],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert serving.stdout is not None
        for line in serving.stdout:
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                environment[name] = value
            if "AIRFLOW_API_URL" in environment:
                break
        home = Path(environment["AIRFLOW_HOME"])
        shell(ROOT, fake, environment)
        with running(ROOT, worker, environment, "____"):
            assert "total: 264" in shell(ROOT, start, environment).stdout
            assert "stuck: none" in shell(ROOT, health, environment).stdout
            assert shell(ROOT, sweep, environment).stdout == "re-queued 0 runs\n"
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.communicate(timeout=120)
    assert not home.exists()
