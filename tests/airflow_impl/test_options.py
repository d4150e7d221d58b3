"""Retries and limits are the policy's, as Airflow reads them: asked in its own environment."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from shared.policy import LONG_STEP, STEP

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import json
from airflow.sdk.exceptions import AirflowTaskTimeout
from sqlalchemy.exc import OperationalError
from airflow_impl import tasks
from airflow_impl.options import RETRY_POLICY
from shared.errors import RollUnderObjection

def told(task):
    given = task.kwargs
    return {
        "retries": given["retries"],
        "delay": given["retry_delay"].total_seconds(),
        "factor": given["retry_exponential_backoff"],
        "cap": given["max_retry_delay"].total_seconds(),
        "limit": given["execution_timeout"].total_seconds(),
        "pool": given["pool"],
    }

errors = [OperationalError("", None, Exception()), OSError(), RollUnderObjection(), ValueError(),
          AirflowTaskTimeout()]
print(json.dumps({
    "short": told(tasks.generate_roll),
    "long": told(tasks.everything),
    "actions": [RETRY_POLICY.evaluate(error, 1, 3).action.value for error in errors],
}))
"""


@pytest.mark.airflow
def test_retries_and_limits_are_the_policys(airflow_program: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [airflow_program.with_name("python"), "-c", ASK],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for name, policy in (("short", STEP), ("long", LONG_STEP)):
        assert found[name] == {
            "retries": policy.retries,
            "delay": policy.backoff,
            "factor": policy.backoff_factor,
            "cap": policy.backoff_cap,
            "limit": policy.soft_time_limit,
            "pool": "voter_rolls",
        }
    assert found["actions"] == ["retry", "retry", "fail", "fail", "fail"]
