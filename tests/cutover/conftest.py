"""One Redis for the folder; servers of engines for the tests that need them."""

import io
import os
import subprocess
import sys
import traceback
import uuid
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout

import pytest
import redis as redis_client

import tests.same_examples  # noqa: F401  # loads the profile
from offcanvas.celery_app.private_results import backend_set_aside
from offcanvas.celery_app.settings import change_settings
from offcanvas.cli import main
from offcanvas.cutover import cut_over
from offcanvas.engines.celery.engine import let_go
from offcanvas.servers import prefect, redis, temporal
from tests.cutover import shop
from tests.cutover.stage import APP, Stage


@pytest.fixture(scope="session")
def redis_server():
    with redis(tcp=True) as server:
        yield server.url


@pytest.fixture
def stage(redis_server, tmp_path):
    """A folder and an empty Redis; workers and engines on demand."""
    for number in range(3):
        with redis_client.Redis.from_url(f"{redis_server}/{number}") as client:
            client.flushdb()
    return Stage(
        tmp_path,
        {
            "CUTOVER_BROKER": f"{redis_server}/0",
            "CUTOVER_RESULTS": f"{redis_server}/1",
            "CUTOVER_CLAIMS": f"{redis_server}/2",
            "CUTOVER_LEDGER": str(tmp_path / "ledger"),
            "CUTOVER_RULES": str(tmp_path / "cutover.toml"),
            "TEMPORAL_ADDRESS": "127.0.0.1:1",
            "PREFECT_API_URL": "http://127.0.0.1:1/api",
        },
    )


class Here(Stage):
    """Producers and commands in this process: a start takes longer than what they do."""

    def run(self, code, check=True):
        said = io.StringIO()
        router = cut_over(shop.app, self.rules)
        try:
            with redirect_stdout(said):
                exec(code, {**vars(shop), "router": router})  # noqa: S102  # the test's own
        except Exception as error:
            assert not check, traceback.format_exc()
            return f"{type(error).__name__}: {error}"
        finally:
            router.close()
        assert check, "nothing was raised"
        return said.getvalue()

    def command(self, *words):
        words = ["cutover", *words]
        words += [] if "-A" in words else ["-A", APP]
        words += [] if "--rules" in words else ["--rules", str(self.rules)]
        out, err = io.StringIO(), io.StringIO()
        argv, sys.argv = sys.argv, ["offcanvas", *words]
        try:
            with redirect_stdout(out), redirect_stderr(err):
                main()
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            sys.argv = argv
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


@contextmanager
def in_this_process(stage, patch):
    """The stage, with producers and commands in this process."""
    for name, value in stage.environment.items():
        patch.setenv(name, value)
    settings = {
        "broker_url": stage.environment["CUTOVER_BROKER"],
        "result_backend": stage.environment["CUTOVER_RESULTS"],
    }
    before = {name: shop.app.conf[name] for name in settings}
    change_settings(shop.app, settings)
    shop.app._after_fork()
    with backend_set_aside(shop.app):
        yield Here(stage.folder, stage.environment)
        let_go(shop.app.backend)
    change_settings(shop.app, before)
    shop.app._after_fork()


@pytest.fixture
def here(stage, monkeypatch):
    """The stage, with producers and commands in this process."""
    with in_this_process(stage, monkeypatch) as found:
        yield found


@pytest.fixture(
    scope="session", params=["temporal", pytest.param("prefect", marks=pytest.mark.long)]
)
def engine_server(request):
    """An engine's name, and what tells processes where it is."""
    with ExitStack() as stack:
        if request.param == "temporal":
            yield "temporal", {"TEMPORAL_ADDRESS": stack.enter_context(temporal()).url}
        else:
            yield "prefect", {"PREFECT_API_URL": stack.enter_context(prefect()).url}


@pytest.fixture(scope="session")
def _moving(engine_server, redis_server, tmp_path_factory):
    """A stage with an engine and workers of both sides, for all tests that have no need of others.

    Its keys are in databases that the tests without an engine do not empty.
    """
    engine, where = engine_server
    folder = tmp_path_factory.mktemp("moving")
    environment = {
        "CUTOVER_BROKER": f"{redis_server}/3",
        "CUTOVER_RESULTS": f"{redis_server}/4",
        "CUTOVER_CLAIMS": f"{redis_server}/5",
        "CUTOVER_LEDGER": str(folder / "ledger"),
        "CUTOVER_RULES": str(folder / "cutover.toml"),
        **where,
        "OFFCANVAS_TASK_QUEUE": f"q-{uuid.uuid4().hex[:8]}",
        "OFFCANVAS_DEPLOYMENT": f"d-{uuid.uuid4().hex[:8]}",
    }
    stage = Stage(folder, environment)
    stage.rules.write_text(f'[cutover]\nclaims = "{environment["CUTOVER_CLAIMS"]}"\n')
    with stage.worker("celery"), stage.worker(engine):
        yield stage, engine


@pytest.fixture
def moved(_moving, monkeypatch):
    """That stage with no rule, no claim and nothing in the ledger; the engine's name with it."""
    stage, engine = _moving
    claims = stage.environment["CUTOVER_CLAIMS"]
    stage.rules.write_text(f'[cutover]\nclaims = "{claims}"\n')
    stage.ledger.unlink(missing_ok=True)
    with redis_client.Redis.from_url(claims) as client:
        client.flushdb()
    with in_this_process(stage, monkeypatch) as found:
        yield found, engine


def pytest_configure():
    os.environ.pop("CUTOVER_RULES", None)  # the app in this process has no router
