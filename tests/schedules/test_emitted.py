"""What the command writes: schedules on a Temporal server and deployments on Prefect's, paused."""

import asyncio
import importlib.util
import os
import subprocess
import sys

import pytest

from offcanvas.servers import prefect, temporal

MAIN = "from offcanvas.cli import main; main()"
APP = "tests.schedules.project"


def command(*words, **environment):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAIN, "schedules", "-A", APP, *words],
        capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, **environment},
    )  # fmt: skip


def module(path):
    spec = importlib.util.spec_from_file_location("emitted", path)
    found = importlib.util.module_from_spec(spec)
    sys.modules["emitted"] = found
    spec.loader.exec_module(found)
    return found


@pytest.mark.servers
def test_on_temporal(tmp_path):
    path = tmp_path / "schedules.py"
    ran = command("--to", "temporal", "--out", str(path), "--start", "2026-01-01")
    assert ran.returncode == 1, ran.stderr
    assert "nightly: 30 2 * * * in Europe/Berlin\n" in ran.stdout
    assert "2026-03-29 (clocks 02:00 -> 03:00): Celery alone at" in ran.stdout
    assert "no clock is changed" not in ran.stdout
    assert "dusk: solar\n  no schedule is written: a solar event has another time" in ran.stdout
    emitted = module(path)

    async def made(address):
        from temporalio.client import Client

        client = await Client.connect(address)
        await emitted.create(client)
        await client.get_schedule_handle("beat/nightly").unpause()
        await emitted.create(client)
        names = [one.name for one in emitted.ENTRIES]
        return {name: await client.get_schedule_handle(f"beat/{name}").describe() for name in names}

    with temporal() as server:
        found = asyncio.run(made(server.url))
    assert sorted(found) == ["friday-13", "nightly", "often", "quarterly", "seconds"]
    paused = {name: one.schedule.state.paused for name, one in found.items()}
    assert paused == {**dict.fromkeys(found, True), "nightly": False}
    assert found["nightly"].schedule.spec.time_zone_name == "Europe/Berlin"
    from temporalio.client import ScheduleOverlapPolicy

    policy = found["nightly"].schedule.policy
    assert policy.overlap is ScheduleOverlapPolicy.ALLOW_ALL
    assert policy.catchup_window.total_seconds() == 3_600
    assert found["quarterly"].schedule.policy.catchup_window.total_seconds() == 900


@pytest.mark.servers
def test_on_prefect(tmp_path):
    path = tmp_path / "schedules.py"
    ran = command("--to", "prefect", "--out", str(path), "--start", "2026-01-01")
    assert "friday-13: 0 0 13 * 5 in Europe/Berlin" in ran.stdout, ran.stderr
    assert "no clock is changed" not in ran.stdout
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import schedules\n"
        "from prefect.client.orchestration import get_client\n"
        "ids = [one.apply() for one in schedules.deployments()]\n"
        "with get_client(sync_client=True) as client:\n"
        "    for one in ids:\n"
        "        found = client.read_deployment(one)\n"
        "        (s,) = found.schedules\n"
        "        print(found.name, s.active, getattr(s.schedule, 'day_or', None),\n"
        "              getattr(s.schedule, 'timezone', None))\n"
    )
    with prefect() as server:
        made = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)],
            capture_output=True, text=True, check=False, timeout=300,
            env={**os.environ, "PREFECT_API_URL": server.url},
        )  # fmt: skip
    assert made.returncode == 0, made.stderr
    lines = sorted(line.split() for line in made.stdout.splitlines() if " False " in line)
    assert [line[0] for line in lines] == ["friday-13", "nightly", "often", "quarterly", "seconds"]
    assert ["nightly", "False", "False", "Europe/Berlin"] in lines


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "airflow"], "--to 'airflow': write temporal or prefect"),
        (["--to", "prefect", "--out", "/no/such/file"], "cannot be written"),
        (["--to", "prefect", "--start", "9999-12-30"], "the calendar has not so many days"),
    ],
)
def test_misuse_is_one_line(words, said):
    ran = command("--diff-days", "3", *words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1
