import socket
from pathlib import Path

import pytest

from comparisons.services import check_named, embedded
from offcanvas.servers.base import free_port
from shared.errors import UsageError
from shared.settings import Settings

ENGINES = ("celery", "prefect", "temporal")


def test_without_addresses_all_are_embedded() -> None:
    assert [service.name for service in embedded(Settings(), ENGINES)] == list(ENGINES)
    assert [service.name for service in embedded(Settings(), ("temporal",))] == ["temporal"]


def test_a_named_service_is_not_started() -> None:
    settings = Settings(temporal_address="localhost:7233")
    assert [service.name for service in embedded(settings, ENGINES)] == ["celery", "prefect"]


def test_a_broker_without_a_result_backend_is_half_a_setting() -> None:
    settings = Settings(celery_broker_url="amqp://localhost")
    with pytest.raises(UsageError, match="CELERY_RESULT_BACKEND is not: set both"):
        embedded(settings, ENGINES)
    assert embedded(settings, ("temporal",)) != []


@pytest.mark.parametrize(
    ("field", "form"),
    [
        ("celery_broker_url", "amqp://guest:secret@127.0.0.1:{}//"),
        ("celery_result_backend", "redis://127.0.0.1:{}/0"),
        ("prefect_api_url", "http://127.0.0.1:{}/api"),
        ("temporal_address", "127.0.0.1:{}"),
    ],
)
def test_a_service_that_is_down_is_named_without_its_password(field: str, form: str) -> None:
    address = form.format(free_port())
    with pytest.raises(UsageError, match=f"{field.upper()}=.* does not answer") as caught:
        check_named(Settings(**{field: address}), ENGINES)  # type: ignore[arg-type] # by name
    assert "secret" not in str(caught.value)


def test_a_socket_that_is_not_there_is_down(tmp_path: Path) -> None:
    settings = Settings(celery_broker_url=f"redis+socket://{tmp_path}/s")
    with pytest.raises(UsageError, match="does not answer"):
        check_named(settings, ENGINES)


@pytest.mark.parametrize("address", ["localhost", "localhost:port", ""])
def test_an_address_without_host_or_port_is_none(address: str) -> None:
    with pytest.raises(UsageError, match="host and port are missing"):
        check_named(Settings(temporal_address=address), ENGINES)


def test_what_listens_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        check_named(Settings(temporal_address=address), ENGINES)


def test_an_engine_that_is_not_asked_for_may_be_down() -> None:
    settings = Settings(temporal_address=f"127.0.0.1:{free_port()}")
    check_named(settings, ("celery",))
