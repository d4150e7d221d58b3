"""deploy/alerts.yml, as Prometheus' own tool reads it, and against the metrics that there are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from docs.tools.monitoring import filled, rules
from offcanvas.metrics.vocabulary import FAMILIES
from tests.services import unavailable

DEPLOY = Path(__file__).parents[2] / "deploy"
PAGE = Path(__file__).parents[2] / "docs" / "monitoring.md"


@pytest.fixture(scope="module")
def promtool() -> str:
    program = shutil.which("promtool")
    if program is None:
        unavailable("promtool", "no such command; apt-get install prometheus")
    return program


def outcome_of(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, "test", "rules", "alerts_test.yml"],
        check=False, capture_output=True, text=True, cwd=folder,
    )  # fmt: skip


@pytest.mark.services
def test_the_rules_do_what_their_cases_say(promtool: str) -> None:
    ran = outcome_of(promtool, DEPLOY)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.services
@pytest.mark.parametrize("alert", [rule["alert"] for rule in rules()])
def test_a_rule_that_never_fires_fails_its_cases(promtool: str, alert: str, tmp_path: Path) -> None:
    loaded = yaml.safe_load((DEPLOY / "alerts.yml").read_text())
    for group in loaded["groups"]:
        for rule in group["rules"]:
            if rule["alert"] == alert:
                rule["expr"] = f"({rule['expr']}) and vector(1) < 0"
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(loaded))
    shutil.copy(DEPLOY / "alerts_test.yml", tmp_path)
    ran = outcome_of(promtool, tmp_path)
    assert ran.returncode != 0
    assert alert in ran.stdout + ran.stderr


@pytest.mark.services
def test_the_rules_and_what_is_scraped_are_well_formed(promtool: str, tmp_path: Path) -> None:
    text = (DEPLOY / "prometheus.yml").read_text()
    assert "/etc/prometheus/alerts.yml" in text
    here = tmp_path / "prometheus.yml"
    here.write_text(text.replace("/etc/prometheus/alerts.yml", str(DEPLOY / "alerts.yml")))
    ran = subprocess.run(
        [promtool, "check", "config", str(here)], check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{len(rules())} rules found" in ran.stdout


def test_every_alert_says_why_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "reason", "runbook"}, rule["alert"]
        assert rule["annotations"]["runbook"].endswith("."), rule["alert"]


def test_rules_go_by_metrics_that_there_are() -> None:
    known = {family.shown for family in FAMILIES}
    for rule in rules():
        named = set(re.findall(r"offcanvas_\w+", rule["expr"]))
        assert named <= known, rule["alert"]
        assert named or "up{" in rule["expr"], rule["alert"]


def test_the_page_has_all_metrics_and_alerts_as_they_are() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text) == text, "python -m docs.tools.monitoring docs/monitoring.md"
    for rule in rules():
        assert f"| {rule['alert']} |" in text
