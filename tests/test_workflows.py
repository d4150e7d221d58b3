"""CI and the hooks of pre-commit: they are valid, and call what is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_workflows_are_valid(tmp_path):
    assert [path.stem for path in WORKFLOWS] == ["docs", "release", "tests"]
    done = subprocess.run(
        [BIN / "actionlint", *WORKFLOWS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text("utf-8").replace("runs-on:", "run-on:"), "utf-8")
    done = subprocess.run([BIN / "actionlint", wrong], capture_output=True, text=True, check=False)
    assert (done.returncode, "run-on" in done.stdout) == (1, True)


def test_every_version_is_tested():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8"))["jobs"]
    assert jobs["suite"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    celery = {one["celery"] for one in jobs["celery"]["strategy"]["matrix"]["include"]}
    assert celery == {"5.6", "5.7"}


def targets():
    text = "".join(path.read_text("utf-8") for path in WORKFLOWS)
    named = re.findall(r"make ([a-z][\w.-]*)", text) + re.findall(r"target: ([\w.-]+)", text)
    return sorted(set(named))


@pytest.mark.parametrize("target", targets())
def test_what_they_make_is_a_target(target):
    assert re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text("utf-8"), re.M)


def test_the_hooks_are_valid_and_their_programs_are_in_the_lock():
    for command, name in (
        ("validate-config", ".pre-commit-config.yaml"),
        ("validate-manifest", ".pre-commit-hooks.yaml"),
    ):
        words = [BIN / "pre-commit", command, name]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert hooks
    assert [one for one in hooks if not (BIN / Path(one["entry"].split()[0]).name).is_file()] == []
