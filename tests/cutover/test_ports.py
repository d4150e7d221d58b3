"""Roots that go to a workflow or a deployment of one's own; their callers know nothing of it."""

import os
import signal
import subprocess
import sys
import uuid

import pytest

pytestmark = pytest.mark.servers
ROOT = "tests.cutover.shop.charge"


@pytest.fixture
def port(here, engine_server, monkeypatch):
    """The stage, the engine's name, and the words of a rule for the port whose worker runs."""
    engine, where = engine_server
    name = f"port-{uuid.uuid4().hex[:8]}"
    home = str(here.folder / "home")
    where = {**where, "PORT_QUEUE": name, "PREFECT_LOCAL_STORAGE_PATH": home}
    here.environment.update(where)
    for key, value in where.items():
        monkeypatch.setenv(key, value)
    words = {
        "temporal": f'workflow = "Charge"\ntask_queue = "{name}"\n',
        "prefect": f'deployment = "charge/{name}"\n',
    }[engine]
    here.rules.write_text(
        f'[cutover]\nclaims = "{here.environment["CUTOVER_CLAIMS"]}"\n'
        f'[root."{ROOT}"]\nto = "{engine}"\nas = "port"\n{words}'
    )
    return here, engine


def test_nobody_serves_it_then_somebody_does(port):
    here, engine = port
    refused = here.command("set", ROOT, "--percent", "100")
    assert refused.returncode == 2
    said = {"temporal": "no worker polls the task queue", "prefect": "has no deployment"}[engine]
    assert said in refused.stderr
    assert "percent" not in here.rules.read_text()
    command = [sys.executable, "-W", "ignore", "-m", f"tests.cutover.port_{engine}"]
    log = (here.folder / "port.log").open("w")
    process = subprocess.Popen(
        command, env=here.env(), stdout=log, stderr=log, start_new_session=True
    )
    # Ids of its own: the servers are those of other tests as well.
    paid, bounced = f"paid-{uuid.uuid4().hex}", f"bounced-{uuid.uuid4().hex}"
    try:
        here.until(lambda: here.command("set", ROOT, "--percent", "100").returncode == 0)
        here.run(f"charge.apply_async((1,), {{'cents': 5}}, task_id='{paid}')")
        here.run(f"charge.apply_async((1,), {{'cents': 5}}, task_id='{paid}')")
        here.run(f"charge.apply_async((2,), {{'cents': -1}}, task_id='{bounced}')")
        if engine == "prefect":
            misfit = here.run("charge.apply_async(('one',))", check=False)
            assert "refuses this with 409 Conflict" in misfit
            assert "is not of type 'integer'" in misfit
        lost = here.run("charge.apply_async((3,), link=charge.s())", check=False)
        assert "cannot be told of link" in lost
        here.until(lambda: here.command("sweep").returncode == 0 and _ended(here))
        got = here.run(
            f"print(app.AsyncResult('{paid}').get(timeout=60))\n"
            f"failed = app.AsyncResult('{bounced}')\n"
            "print(type(failed.get(timeout=60, propagate=False)).__name__)"
        )
        assert got.splitlines() == ["15", "Bounced"]
        plan = here.command("plan")
        assert "AsyncResult(id).get() answers once the sweep has seen the end" in plan.stdout
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
        log.close()


def _ended(here):
    said = here.run("print(len([c for c in router.claims.since(1e9) if c.ended]))")
    return said.split() == ["2"]
