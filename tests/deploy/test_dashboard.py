"""The dashboard, by the model that Grafana publishes of it, and by the metrics that there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from docs.tools.dashboard import PANELS, dashboard
from offcanvas.metrics.vocabulary import FAMILIES
from tests.services import unavailable

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"


def through_grafanas_model(raw: dict) -> dict:
    """What is left of it: names that Grafana does not know are not."""
    register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(raw)))


def lost(before: object, after: object, path: str = "") -> list[str]:
    """Where something of `before` is missing in, or other in, `after`."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            each for key, one in before.items()
            for each in lost(one, after.get(key, "nothing"), f"{path}/{key}")
        ]  # fmt: skip
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [each for n, (one, two) in pairs for each in lost(one, two, f"{path}/{n}")]
    return [] if before == after else [path]


def test_the_file_is_the_generators() -> None:
    assert json.loads((GRAFANA / "dashboard.json").read_text()) == dashboard(), (
        "python -m docs.tools.dashboard > deploy/grafana/dashboard.json"
    )


def test_grafana_knows_all_that_is_in_it() -> None:
    assert lost(dashboard(), through_grafanas_model(dashboard())) == []


@pytest.mark.parametrize("where", ["panels", "top"])
def test_what_grafana_does_not_know_would_be_found(where: str) -> None:
    raw = dashboard()
    (raw["panels"][0] if where == "panels" else raw)["wrongName"] = 1
    assert lost(raw, through_grafanas_model(raw)) != []


def test_the_queries_go_by_metrics_that_there_are(tmp_path: Path) -> None:
    known = {family.shown for family in FAMILIES}
    queries = [curve.expr for panel in PANELS for curve in panel.curves]
    for query in queries:
        named = {name.removesuffix("_bucket") for name in re.findall(r"offcanvas_\w+", query)}
        assert named <= known, query
        assert named or "ALERTS" in query


@pytest.mark.services
def test_prometheus_understands_the_queries(tmp_path: Path) -> None:
    program = shutil.which("promtool")
    if program is None:
        unavailable("promtool", "no such command; apt-get install prometheus")
    targets = [target for panel in dashboard()["panels"] for target in panel["targets"]]
    rules = [
        {"record": f"query:{number}",
         "expr": target["expr"].replace("$__rate_interval", "1m").replace("$engine", ".*")}
        for number, target in enumerate(targets)
    ]  # fmt: skip
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    ran = subprocess.run(
        [program, "check", "rules", str(file)], check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{len(targets)} rules found" in ran.stdout


def test_it_is_provisioned_with_its_data_source() -> None:
    source = yaml.safe_load((GRAFANA / "datasource.yml").read_text())["datasources"][0]
    named = {
        (panel["datasource"]["type"], panel["datasource"]["uid"]) for panel in dashboard()["panels"]
    }
    assert named == {(source["type"], source["uid"])}
    provider = yaml.safe_load((GRAFANA / "dashboards.yml").read_text())["providers"][0]
    compose = (GRAFANA.parents[1] / "docker-compose.yml").read_text()
    assert f":{provider['options']['path']}/offcanvas.json:ro" in compose
