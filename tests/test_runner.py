"""`python -m tests`: nothing is left out, and a failure in one folder is seen as one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.__main__ import HERE, main, parts_of, run_parts

ROOT = HERE.parent


def suite(folder: Path, **bodies: str) -> Path:
    for name, body in bodies.items():
        (folder / name).mkdir()
        (folder / name / f"test_{name}.py").write_text(body, encoding="utf-8")
    return folder


def test_every_test_file_belongs_to_one_part() -> None:
    held = [
        file
        for part in parts_of(HERE)
        for path in part.paths
        for file in ([path] if path.is_file() else path.rglob("test_*.py"))
    ]
    assert sorted(held) == sorted(HERE.rglob("test_*.py"))
    assert Path(__file__) in held


def test_a_failure_is_told_whole_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    suite(
        tmp_path,
        good="import pytest\ndef test_g(): pass\ndef test_s(): pytest.skip('no service')\n",
        bad="def test_b(): assert 'red' == 'blue'\n",
        broken="import nothing_of_that_name\n",
    )
    assert sorted(run_parts(parts_of(tmp_path), ["-ra"], 2)) == ["bad", "broken"]
    told = capsys.readouterr().out
    assert "1 passed, 1 skipped" in told
    assert "no service" in told
    assert "===== bad, status 1 =====" in told
    assert "'red' == 'blue'" in told
    assert "No module named 'nothing_of_that_name'" in told


def test_a_selection_may_leave_a_part_without_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    suite(tmp_path, one="def test_red(): pass\n", two="def test_blue(): pass\n")
    assert run_parts(parts_of(tmp_path), ["-k", "red"], 2) == []
    (tmp_path / "two" / "test_two.py").write_text("")
    assert run_parts(parts_of(tmp_path), [], 2) == ["two"]


def test_a_path_is_plain_pytest(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([f"{__file__}::test_every_test_file_belongs_to_one_part", "-q"]) == 0
    assert "1 passed" in capfd.readouterr().out


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_after_a_signal_the_parts_tidy_up(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    suite(tmp_path, slow=SLOW)
    program = (
        "import sys; from pathlib import Path; from tests import __main__ as m;"
        "m.HERE = Path.cwd(); sys.exit(m.main([]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not (tmp_path / "set up").exists():
        assert time.monotonic() < deadline, "the test did not begin"
        time.sleep(0.05)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    assert process.wait(300) == status
    assert (tmp_path / "tidied up").exists()


SLOW = """
import time
from pathlib import Path
import pytest

@pytest.fixture
def place():
    Path("set up").touch()
    yield
    Path("tidied up").touch()

def test_slow(place):
    time.sleep(600)
"""
