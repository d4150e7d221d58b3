"""Why every task here says NO_CACHE."""

import json
import subprocess
import sys

import pytest

from tests.prefect_impl.stack import ROOT

PROGRAM = """
import json
from collections import Counter
from prefect import flow, task
from prefect_impl.options import task_options
from shared.policy import STEP

calls = Counter()

@task(persist_result=True)
def by_default(station):
    calls["by_default"] += 1
    return station

@task(**{**task_options(STEP), "persist_result": True})
def as_ours(station):
    calls["as_ours"] += 1
    return station

@flow
def four_identical_calls():
    for _ in range(4):
        by_default("C-1")
        as_ours("C-1")

four_identical_calls()
print(json.dumps(calls))
"""


@pytest.mark.servers
@pytest.mark.usefixtures("stack")
def test_four_identical_calls_are_executed_once_by_default_and_four_times_here() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {"by_default": 1, "as_ours": 4}
