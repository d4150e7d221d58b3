"""The command itself: a few faults, injected into real workers on private servers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from jsonschema import Draft202012Validator

from comparisons.lab.export import SCHEMA
from comparisons.lab.plan import make_plan
from comparisons.lab.profiles import PROFILES
from shared.errors import UsageError
from tests.comparisons.test_timing import ROOT, command, environment, family_once, running
from tests.comparisons.test_timing import temporary as temporary  # noqa: PLC0414 - a fixture
from tests.services import unavailable

pytestmark = [pytest.mark.servers, pytest.mark.services]

# A killed worker, and a message that comes twice: redelivery, sweeps and heartbeats at work.
FAULTS = ("F02", "F12")


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    try:
        make_plan(faults=None, profiles=None, repeat=1, out=Path("comparisons-out"))
    except UsageError as error:
        unavailable("The fault lab", error)


def test_a_few_faults_on_five_profiles(tmp_path: Path, temporary: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        command("faults", "--faults", ",".join(FAULTS), "--repeat", "1", "--out", str(out)),
        cwd=ROOT, env=environment(temporary), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    data = json.loads((out / "faults.json").read_text(encoding="utf-8"))
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(data)
    assert data["reached"] is True
    runs = {(run["fault"], run["profile"]): run for run in data["runs"]}
    assert set(runs) == {(fault, profile) for fault in FAULTS for profile in PROFILES}
    for (fault, profile), run in runs.items():
        assert run["expected"], (fault, profile, run["ending"], run["missed"], run["error"])
        assert any(what.startswith("FAULT") for _, what, _ in run["timeline"])
    lost = runs["F02", "celery-naive"]["found"]
    assert lost["lost"] >= 1
    assert lost["total"] is None
    for profile in ("celery-hardened", "celery-hardened-redis", "prefect", "temporal"):
        found = runs["F02", profile]["found"]
        assert (found["lost"], found["files"], found["total"]) == (0, 12, found["expected_total"])
    assert sum(runs["F12", "celery-hardened"]["found"]["repeated"].values()) == 1
    assert runs["F12", "temporal"]["found"]["repeated"] == {}
    assert runs["F12", "prefect"]["found"]["repeated"] == {}
    text = (out / "faults.json").read_text(encoding="utf-8")
    for ours in (str(ROOT), str(tmp_path), str(temporary), os.uname().nodename):
        assert not re.search(rf"(?<!\w){re.escape(ours)}(?!\w)", text), ours
    assert list(temporary.iterdir()) == []


def test_after_ctrl_c_nothing_is_left(tmp_path: Path, temporary: Path) -> None:
    out = tmp_path / "out"
    words = ["faults", "--profiles", "celery-hardened-redis,temporal", "--out", str(out)]
    with running(words, temporary) as process:
        family = family_once(process, lambda: list(temporary.glob("oc-*/*/rolls/f0*")))
        assert family
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 130, errors
        assert "Traceback" not in errors, errors
        _, alive = psutil.wait_procs(family, timeout=300)
    assert alive == []
    assert list(temporary.iterdir()) == []
    assert not out.exists()
