"""The command itself: a few faults, injected into real workers on private servers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from jsonschema import Draft202012Validator

from comparisons.lab.export import SCHEMA
from comparisons.lab.plan import make_plan
from comparisons.lab.profiles import DEFAULT_PROFILES
from shared.errors import UsageError
from tests.comparisons.test_timing import ROOT, command, environment, family_once, running
from tests.comparisons.test_timing import temporary as temporary  # noqa: PLC0414 - a fixture
from tests.services import unavailable

pytestmark = [pytest.mark.servers, pytest.mark.services]


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    try:
        make_plan(faults=None, profiles=None, repeat=1, out=Path("comparisons-out"))
    except UsageError as error:
        unavailable("The fault lab", error)


def injected(
    fault: str, out: Path, temporary: Path, profiles: Sequence[str] = DEFAULT_PROFILES
) -> dict[str, Any]:
    """What the lab writes down of a fault on these profiles, each as it is expected to end."""
    words = ("--faults", fault, "--profiles", ",".join(profiles), "--repeat", "1")
    done = subprocess.run(
        command("faults", *words, "--out", str(out)),
        cwd=ROOT, env=environment(temporary), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert {file.name for file in out.iterdir()} == {"faults.html", "faults.json"}
    data: dict[str, Any] = json.loads((out / "faults.json").read_text(encoding="utf-8"))
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(data)
    assert data["reached"] is True
    ran = {(run["fault"], run["profile"]) for run in data["runs"]}
    assert ran == {(fault, profile) for profile in profiles}
    for run in data["runs"]:
        assert run["expected"], (run["profile"], run["ending"], run["missed"], run["error"])
        assert any(what.startswith("FAULT") for _, what, _ in run["timeline"])
    return data


@pytest.mark.parametrize(
    "profiles",
    [
        pytest.param(("celery-naive", "celery-hardened", "temporal"), id="some"),
        pytest.param(DEFAULT_PROFILES, id="all", marks=pytest.mark.long),
    ],
)
def test_a_worker_that_is_killed(tmp_path: Path, temporary: Path, profiles: Sequence[str]) -> None:
    """Redelivery, sweeps and heartbeats at work."""
    out = tmp_path / "out"
    data = injected("F02", out, temporary, profiles)
    runs = {run["profile"]: run for run in data["runs"]}
    lost = runs["celery-naive"]["found"]
    assert lost["lost"] >= 1
    assert lost["total"] is None
    hardened = {"celery-hardened", "celery-hardened-redis", "prefect", "temporal"}
    for profile in hardened.intersection(profiles):
        found = runs[profile]["found"]
        assert (found["lost"], found["files"], found["total"]) == (0, 12, found["expected_total"])
    # A worker that is killed is noticed everywhere; what was lost, by what the database knows.
    for profile in profiles:
        assert runs[profile]["alerts"], (profile, runs[profile]["timeline"])
        assert 0 <= runs[profile]["alerted"] < runs[profile]["seconds"]
    told = {name for name, _ in runs["celery-naive"]["alerts"]}
    assert told & {"RunUnfinished", "WorkerUnreachable", "WorkerGone"}
    assert any("an alert fired in" in sentence for sentence in data["sentences"])
    text = (out / "faults.json").read_text(encoding="utf-8")
    for ours in (str(ROOT), str(tmp_path), str(temporary), os.uname().nodename):
        assert not re.search(rf"(?<!\w){re.escape(ours)}(?!\w)", text), ours
    assert list(temporary.iterdir()) == []


@pytest.mark.long
def test_a_message_that_comes_twice(tmp_path: Path, temporary: Path) -> None:
    runs = injected("F12", tmp_path / "out", temporary)["runs"]
    repeated = {run["profile"]: run["found"]["repeated"] for run in runs}
    assert sum(repeated["celery-hardened"].values()) == 1
    assert repeated["temporal"] == repeated["prefect"] == {}


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
    # What had ended by then is kept, and is no whole result.
    assert {file.name for file in out.glob("*")} <= {"faults.part.json"}
