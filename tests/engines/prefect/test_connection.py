"""Where the Prefect server is: all forms of Prefect's own configuration."""

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest
from prefect.settings import PREFECT_API_SSL_CERT_FILE, temporary_settings

from offcanvas._reroute import reroute
from offcanvas.engines.prefect.client import Caller
from offcanvas.engines.prefect.connection import Connection, address, configured
from offcanvas.errors import EngineUnavailable, UsageError
from offcanvas.servers.base import free_port
from offcanvas.servers.environment import private_only
from prefect_impl import connection
from shared.errors import UsageError as ReferenceUsageError
from shared.settings import settings
from tests.engines.apart import app
from tests.engines.tls import behind_tls

pytestmark = pytest.mark.servers  # importing Prefect takes seconds


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    for name in ("API_URL", "API_KEY", "API_AUTH_STRING", "PROFILE"):
        monkeypatch.delenv(f"PREFECT_{name}", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "profiles.toml"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def profiles(home, active="cloud"):
    (home / "profiles.toml").write_text(
        f'active = "{active}"\n'
        '[profiles.cloud]\nPREFECT_API_URL = "http://cloud:1/api"\nPREFECT_API_KEY = "key"\n'
        '[profiles.own]\nPREFECT_API_URL = "http://own:1/api"\n'
        'PREFECT_API_AUTH_STRING = "admin:secret"\n'
    )


def test_a_profile_names_a_server_and_who_asks(home, monkeypatch):
    profiles(home)
    assert configured() == Connection("http://cloud:1/api", "key", None)
    monkeypatch.setenv("PREFECT_PROFILE", "own")
    assert configured() == Connection("http://own:1/api", None, "admin:secret")
    monkeypatch.setenv("PREFECT_API_URL", "http://variable:1/api")
    assert address() == "http://variable:1/api"
    with private_only("PREFECT_API_URL"):
        assert configured() == Connection(None)


def test_a_file_names_a_server(home):
    (home / "prefect.toml").write_text('[api]\nurl = "http://file:1/api"\n')
    assert address() == "http://file:1/api"


def test_a_profile_that_is_not_there_is_one_line(home, monkeypatch):
    profiles(home)
    monkeypatch.setenv("PREFECT_PROFILE", "nobody")
    with pytest.raises(EngineUnavailable, match="PREFECT_PROFILE=nobody: there is no such profile"):
        configured()


def test_without_a_server_nothing_is_started(monkeypatch):
    monkeypatch.setattr(app.conf, "result_backend", "file:///tmp")
    with pytest.raises(UsageError, match=r"set PREFECT_API_URL.*private=True starts one"):
        reroute(app, to="prefect")


@contextmanager
def answering(status, body="null"):
    """A server that answers everything so; yields its address and the headers it was sent."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(dict(self.headers))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        do_POST = do_GET  # noqa: N815  # likewise

        def log_message(self, *_):
            """Nobody reads it."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api", seen
        server.shutdown()


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_asks_for_authentication_is_told(status, monkeypatch):
    with answering(status) as (url, _):
        told = r"wants authentication, and refuses what it got \(40[13]\): set PREFECT_"
        with pytest.raises(EngineUnavailable, match=told):
            Caller(url)
        monkeypatch.setenv("PREFECT_API_URL", url)
        settings.cache_clear()
        with pytest.raises(ReferenceUsageError, match="wants authentication, and refuses"):
            connection.connect()


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_password_in_the_address_is_not_shown(status):
    with answering(status) as (url, _):
        known = url.replace("//", "//ann:s3cret@")
        with pytest.raises(
            EngineUnavailable, match=r"http://ann:\*\*\*@127\.0\.0\.1:\d+/api"
        ) as told:
            Caller(known)
        assert "s3cret" not in str(told.value)


def test_who_asks_is_told_to_the_server(monkeypatch):
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:secret")
    with answering(404) as (url, seen), pytest.raises(EngineUnavailable, match="404"):
        Caller(url)
    assert seen[-1].get("Authorization") == "Basic YWRtaW46c2VjcmV0"


@pytest.mark.parametrize("says", [b"SSH-2.0-x\r\n", b""])
def test_a_port_that_speaks_no_http_is_told_within_seconds(says):
    with socket.create_server(("127.0.0.1", free_port())) as listener:

        def serve():
            while True:
                try:
                    accepted, _ = listener.accept()
                except OSError:
                    return
                with accepted:
                    accepted.sendall(says)

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        with pytest.raises(EngineUnavailable, match="no Prefect server answers at"):
            Caller(url)


def test_a_server_behind_tls(prefect_url, monkeypatch, tmp_path):
    plain = int(urlsplit(prefect_url).port or 0)
    with behind_tls(plain, tmp_path) as (port, certificate):
        url = f"https://localhost:{port}/api"
        for wrong in (url, f"http://localhost:{port}/api", f"https://127.0.0.1:{plain}/api"):
            with pytest.raises(EngineUnavailable, match="no Prefect server answers at") as raised:
                Caller(wrong)
            assert "\n" not in str(raised.value)
        monkeypatch.setenv("PREFECT_API_URL", url)
        monkeypatch.setenv("PREFECT_API_SSL_CERT_FILE", certificate)
        settings.cache_clear()
        with Caller(url) as caller:
            assert caller.client.api_healthcheck() is None
        trusted = temporary_settings({PREFECT_API_SSL_CERT_FILE: certificate})
        with trusted, connection.connect() as client:
            assert client.api_healthcheck() is None
        monkeypatch.setenv("PREFECT_API_SSL_CERT_FILE", str(tmp_path / "none.pem"))
        with pytest.raises(EngineUnavailable, match=r"^PREFECT_API_SSL_CERT_FILE=.*none.pem: no"):
            Caller(url)
    settings.cache_clear()
