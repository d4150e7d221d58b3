"""Where the Temporal server is: all forms of Temporal's own configuration."""

import asyncio
import subprocess
import sys

import pytest
from temporalio.client import Client, Interceptor
from temporalio.converter import DataConverter, PayloadCodec

from offcanvas._reroute import reroute
from offcanvas._run import run
from offcanvas.engines.temporal.caller import caller
from offcanvas.engines.temporal.connection import configured, connect, names_a_server
from offcanvas.engines.temporal.serving import serve
from offcanvas.errors import EngineUnavailable, UsageError
from offcanvas.servers.environment import private_only
from shared.errors import UsageError as ReferenceUsageError
from shared.settings import settings
from temporal_impl import connection
from tests.engines.apart import add, app
from tests.engines.refusing import refusing
from tests.engines.tls import behind_tls

NAMES = ("ADDRESS", "NAMESPACE", "API_KEY", "TLS", "PROFILE", "CONFIG_FILE")


@pytest.fixture(autouse=True)
def _nothing_is_configured(monkeypatch, tmp_path):
    for name in NAMES:
        monkeypatch.delenv(f"TEMPORAL_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def profile(monkeypatch, tmp_path):
    def write(text):
        (tmp_path / "temporal.toml").write_text(text)
        monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "temporal.toml"))

    return write


def test_a_file_names_a_server(profile, monkeypatch):
    assert not names_a_server()
    profile('[profile.default]\naddress = "there:7233"\n[profile.other]\naddress = "else:1"\n')
    assert configured()["target_host"] == "there:7233"
    monkeypatch.setenv("TEMPORAL_PROFILE", "other")
    assert configured()["target_host"] == "else:1"
    with private_only("TEMPORAL_ADDRESS"):
        assert not names_a_server()


@pytest.mark.parametrize("text", ["[profile.default\n", "[profile.default]\naddress = 3\n"])
def test_a_file_that_cannot_be_read_is_one_line(profile, text):
    profile(text)
    with pytest.raises(EngineUnavailable, match=r"^Temporal's conf.* cannot be") as raised:
        names_a_server()
    assert "\n" not in str(raised.value)


def test_without_a_server_nothing_is_started(monkeypatch):
    monkeypatch.setattr(app.conf, "result_backend", "file:///tmp")
    with pytest.raises(UsageError, match=r"set TEMPORAL_ADDRESS.*private=True starts one"):
        reroute(app, to="temporal")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"client": "localhost:7233"}, "client= has to be a temporalio Client, not 'localhost"),
        ({"heartbeat_timeout": 0, "client": connect}, "heartbeat_timeout=0 has to be a number of"),
        ({"heartbeat_timeout": True, "client": connect}, "heartbeat_timeout=True has to be"),
        ({"client": connect, "private": True}, "client= names a server, and private=True starts"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(monkeypatch, given, told):
    monkeypatch.setattr(app.conf, "result_backend", "file:///tmp")
    with pytest.raises(UsageError, match=told):
        reroute(app, to="temporal", **given)


@pytest.mark.servers
@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (
            {"NAMESPACE": "nope"},
            "has no namespace 'nope'; correct TEMPORAL_NAMESPACE, or crea",
        ),
        ({"API_KEY": "secret"}, "no Temporal server answers with TLS at .*TEMPORAL_TLS=false"),
        (
            {"TLS": "true"},
            r"no Temporal server answers with TLS at .*speak TLS\); an API.*TLS=false",
        ),
        ({"TLS_CLIENT_CERT_PATH": "/none"}, "Temporal's configuration .* FileNotFoundError"),
    ],
)
def test_what_the_server_refuses_is_one_line(address, monkeypatch, environment, told):
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    for name, value in environment.items():
        monkeypatch.setenv(f"TEMPORAL_{name}", value)
    with pytest.raises(EngineUnavailable, match=told) as raised:
        run(add.s(1), on="temporal")
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.servers
def test_a_server_behind_tls(address, monkeypatch, tmp_path):
    with behind_tls(int(address.rpartition(":")[2]), tmp_path) as (port, certificate):
        monkeypatch.setenv("TEMPORAL_ADDRESS", f"localhost:{port}")
        with pytest.raises(EngineUnavailable, match=r"^no Temporal server answers at localhost:\d"):
            asyncio.run(connect())
        monkeypatch.setenv("TEMPORAL_TLS", "true")
        told = (
            r"^the certificate of .* not believed \(UnknownIssuer\): name who has signed it in TE"
        )
        with pytest.raises(EngineUnavailable, match=told):
            asyncio.run(connect())
        monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", certificate)
        assert asyncio.run(connect()).namespace == "default"
        # The reference's own connection; a key alone asks for TLS.
        monkeypatch.delenv("TEMPORAL_TLS")
        monkeypatch.setenv("TEMPORAL_API_KEY", "secret")
        settings.cache_clear()
        assert asyncio.run(connection.connect()).namespace == "default"
        monkeypatch.setenv("TEMPORAL_ADDRESS", address)
        settings.cache_clear()
        with pytest.raises(
            ReferenceUsageError, match=r"there with TLS .*TEMPORAL_TLS=false"
        ) as told:
            asyncio.run(connection.connect())
        assert "secret" not in str(told.value)
        monkeypatch.delenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH")
        monkeypatch.setenv("TEMPORAL_ADDRESS", f"localhost:{port}")
        settings.cache_clear()
        with pytest.raises(ReferenceUsageError, match=r"not believed \(UnknownIssuer\): name who"):
            asyncio.run(connection.connect())
    settings.cache_clear()


@pytest.fixture
def fresh_settings():
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize("status", [16, 7])
def test_credentials_that_are_refused_are_one_line_without_them(
    monkeypatch, fresh_settings, status
):
    with refusing(status, "Request unauthorized.") as port:
        for name, value in {
            "ADDRESS": f"127.0.0.1:{port}",
            "API_KEY": "hush",
            "TLS": "false",
        }.items():
            monkeypatch.setenv(f"TEMPORAL_{name}", value)
        for connecting, error in (
            (connect, EngineUnavailable),
            (connection.connect, ReferenceUsageError),
        ):
            with pytest.raises(error) as told:
                asyncio.run(connecting())
            said = str(told.value)
            assert "refuses the credentials (Request unauthorized.); set TEMPORAL_API_KEY" in said
            assert "hush" not in said
            assert "\n" not in said


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (
            {"CONFIG_FILE": "/none.toml"},
            r"^TEMPORAL_CONFIG_FILE=/none.toml: there is no such file$",
        ),
        (
            {"TLS_CLIENT_CERT_PATH": "/none"},
            r"^Temporal's configuration .* cannot be used: File.*$",
        ),
    ],
)
def test_the_references_configuration_that_cannot_be_used_is_one_line(
    monkeypatch, fresh_settings, environment, told
):
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    for name, value in environment.items():
        monkeypatch.setenv(f"TEMPORAL_{name}", value)
    with pytest.raises(ReferenceUsageError, match=told):
        asyncio.run(connection.connect())


@pytest.mark.servers
def test_the_references_namespace_may_be_the_profiles(
    address, profile, monkeypatch, fresh_settings
):
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    profile('[profile.default]\nnamespace = "elsewhere"\n')
    with pytest.raises(ReferenceUsageError, match=r"=elsewhere: the server at .* has no"):
        asyncio.run(connection.connect())
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "default")
    settings.cache_clear()
    assert asyncio.run(connection.connect()).namespace == "default"


class Reversed(PayloadCodec):
    """Stands for encryption: nobody without it can read a payload."""

    async def encode(self, payloads):
        return [self._turned(one) for one in payloads]

    async def decode(self, payloads):
        return [self._turned(one) for one in payloads]

    def _turned(self, payload):
        turned = type(payload)()
        turned.CopyFrom(payload)
        turned.data = payload.data[::-1]
        return turned


class Counting(Interceptor):
    """Counts what goes through it."""

    def __init__(self):
        self.seen = []

    def intercept_client(self, next):  # noqa: A002  # Temporal's name
        self.seen.append(next)
        return next


@pytest.mark.servers
@pytest.mark.parametrize("made", ["before", "when needed"])
def test_a_client_of_ones_own_brings_its_codec_and_interceptors(calls, address, monkeypatch, made):
    counting = Counting()
    monkeypatch.setenv("OFFCANVAS_TASK_QUEUE", f"own-{made}")

    async def connected():
        return await Client.connect(
            address,
            data_converter=DataConverter(payload_codec=Reversed()),
            interceptors=[counting],
        )

    async def worker(ready):
        running = asyncio.create_task(
            serve(await connected(), app, task_queue=f"own-{made}", processes=1, ready=ready.set)
        )
        await asyncio.wait(
            {running, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        return running

    async def cancel(running):
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    monkeypatch.setattr("signal.signal", lambda *_: None)  # the worker is in a thread here
    with caller(address, "unused") as elsewhere:
        ready = elsewhere.wait(_event())
        running = elsewhere.wait(worker(ready))
        own = connected if made == "when needed" else asyncio.run(connected())
        with reroute(app, to="temporal", client=own) as rerouting:
            assert add.delay(1).get(timeout=120) == 2
            (workflow,) = rerouting.target._workflows._runs.values()
            started = elsewhere.wait(first_event(elsewhere.client, workflow))
        elsewhere.wait(cancel(running))
    assert counting.seen
    assert started.workflow_execution_started_event_attributes.input.payloads[0].data[:1] == b"}"


async def first_event(client, workflow):
    events = client.get_workflow_handle(workflow).fetch_history_events()
    return await anext(events)


async def _event():
    return asyncio.Event()


@pytest.mark.servers
def test_a_short_program_ends_well(address):
    """The SDK's threads let go of Python first; otherwise one in five ended in a crash."""
    program = (
        "import asyncio; from offcanvas.engines.temporal.connection import connect; "
        f"asyncio.run(connect({address!r}))"
    )
    ends = {
        subprocess.run([sys.executable, "-c", program], check=False).returncode for _ in range(15)
    }
    assert ends == {0}
