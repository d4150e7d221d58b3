"""docker-compose.yml against the settings class, the lock file and Compose itself.

Nothing here starts a container: see "What has not been run" in docs/docker.md.
"""

import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.settings import Settings
from tests.services import unavailable

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
ONE_SHOT = {"temporal-schema", "temporal-namespace", "tables"}
WATCHES = {"celery-watch", "prefect-watch", "temporal-watch"}
WORKERS = {
    "celery-worker", "celery-beat", "flower", "prefect-worker", "temporal-worker", *WATCHES
}  # fmt: skip
# Temporal's UI image has neither a shell nor a probe; nothing waits for it.
WITHOUT_PROBE = {"temporal-ui"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def test_every_variable_is_a_setting_and_every_value_fits(compose: dict[str, Any]) -> None:
    environment = compose["x-settings"]
    fields = {name.upper() for name in Settings.model_fields}
    assert set(environment) <= fields
    addresses = {name for name in fields if name.endswith(("_URL", "_ADDRESS", "_BACKEND"))}
    addresses -= {"AIRFLOW_API_URL"}  # not part of the stack, see docs/docker.md
    assert addresses <= set(environment), "an address that the stack does not set"
    settings = Settings(**{name.lower(): value for name, value in environment.items()})
    assert settings.celery_profile == "hardened"


def test_addresses_name_services_of_the_stack(compose: dict[str, Any]) -> None:
    for name, value in compose["x-settings"].items():
        host = re.search(r"(?:@|//|^)([a-z][a-z-]*):\d+", value)
        if name.endswith(("_URL", "_ADDRESS", "_BACKEND")):
            assert host is not None, f"{name}={value}"
            assert host[1] in compose["services"], f"{name}={value}"


def test_workers_share_the_settings_and_the_volume(compose: dict[str, Any]) -> None:
    for name in WORKERS | {"tables"}:
        service = compose["services"][name]
        assert service["environment"] == compose["x-settings"], name
        assert service["volumes"] == ["rolls:/rolls"], name


def test_every_server_has_a_health_check(compose: dict[str, Any]) -> None:
    servers = set(compose["services"]) - ONE_SHOT - WORKERS - WITHOUT_PROBE
    assert servers == {
        "postgres", "redis", "rabbitmq", "temporal", "prefect", "prometheus", "grafana"
    }  # fmt: skip
    for name in servers:
        assert compose["services"][name]["healthcheck"]["test"], name


def test_every_image_is_pinned_to_a_patch_version(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        tag = service["image"].partition(":")[2]
        assert re.match(r"v?\d+\.\d+(\.\d+)?(-|$)", tag), f"{name}: {service['image']}"


def test_the_prefect_server_is_the_version_of_the_client(compose: dict[str, Any]) -> None:
    assert f":{version('prefect')}-" in compose["services"]["prefect"]["image"]


def test_ports_are_published_on_loopback_only(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port}"


def test_prometheus_scrapes_services_of_the_stack_at_their_ports(compose: dict[str, Any]) -> None:
    told = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())
    asked = set()
    for job in told["scrape_configs"]:
        for target in job["static_configs"][0]["targets"]:
            service, _, port = target.partition(":")
            asked.add(service)
            command = compose["services"][service].get("command", [])
            if service in WATCHES:
                assert command[-2:] == ["--port", port]
            elif service.endswith("-worker"):
                assert port == compose["x-settings"]["METRICS_PORT"]
    assert asked == {*WATCHES, "celery-worker", "prefect-worker", "temporal-worker", "flower",
                     "prefect"}  # fmt: skip


def test_mounted_files_exist(compose: dict[str, Any]) -> None:
    mounted = [
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert mounted
    for path in mounted:
        assert (ROOT / path).is_file(), path


def test_worker_commands_exist(compose: dict[str, Any]) -> None:
    for name in WORKERS | {"tables"}:
        module, *words = compose["services"][name]["command"]
        run = subprocess.run(
            [sys.executable, "-m", module, *words, "--help"],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert run.returncode == 0, f"{name}: {run.stderr}"


@pytest.mark.services
def test_compose_accepts_the_file() -> None:
    client = shutil.which("docker-compose")
    if client is None:
        unavailable("Compose", "no docker-compose command; apt-get install docker-compose")
    run = subprocess.run(
        [client, "-f", str(COMPOSE), "config", "-q"], check=False, capture_output=True
    )
    assert run.returncode == 0, run.stderr.decode()
