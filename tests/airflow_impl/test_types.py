"""The DAGs with Airflow's own types, which the project's environment does not have."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ONLY_OURS = """[mypy]
strict = true
python_version = 3.11
follow_imports = silent
"""


@pytest.mark.airflow
def test_the_dags_fit_airflows_types(airflow_program: Path, tmp_path: Path) -> None:
    settings = tmp_path / "mypy.ini"
    settings.write_text(ONLY_OURS)
    done = subprocess.run(
        [
            sys.executable, "-m", "mypy", "--config-file", str(settings), "--no-error-summary",
            "--python-executable", str(airflow_program.with_name("python")),
            "--cache-dir", str(tmp_path / "cache"), "-p", "airflow_impl",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("", 0), done.stdout + done.stderr
