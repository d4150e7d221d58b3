"""The private rooms are private and gone afterwards."""

import os

import psycopg
import pytest
import redis
from kombu import Connection

from shared.settings import Settings, load_settings
from tests.conftest import pytest_configure
from tests.services import private_postgres, private_rabbitmq, private_redis

pytestmark = pytest.mark.services


def test_a_private_database_is_dropped() -> None:
    with private_postgres() as url:
        plain = url.replace("+psycopg", "")
        with psycopg.connect(plain) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(plain)


def test_two_sessions_get_two_redis_databases_and_leave_them_empty() -> None:
    with private_redis() as one, private_redis() as other:
        assert one != other
        with redis.Redis.from_url(one) as client:
            client.set("left", "behind")
    with redis.Redis.from_url(one) as client:  # which others may be using by now
        assert client.get("left") is None


def test_a_private_virtual_host_takes_messages(rabbitmq_url: str, queue_prefix: str) -> None:
    with Connection(rabbitmq_url) as connection:
        queue = connection.SimpleQueue(queue_prefix)
        queue.put("roll")
        message = queue.get(timeout=300)
        message.ack()
        assert message.payload == "roll"
        queue.close()
        connection.default_channel.queue_delete(queue_prefix)


@pytest.mark.parametrize(
    ("room", "variable", "address"),
    [
        (private_postgres, "TEST_POSTGRES_URL", "postgresql://127.0.0.1:1/none"),
        (private_redis, "TEST_REDIS_URL", "redis://127.0.0.1:1"),
        (private_rabbitmq, "TEST_RABBITMQ_URL", "amqp://guest@127.0.0.1:1//"),
    ],
)
def test_a_service_out_of_reach_is_skipped_unless_required(
    room, variable: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, address)
    monkeypatch.setenv("OFFCANVAS_REQUIRE_SERVICES", "1")
    with pytest.raises(pytest.fail.Exception, match="does not answer"), room():
        pass
    monkeypatch.delenv("OFFCANVAS_REQUIRE_SERVICES")
    with pytest.raises(pytest.skip.Exception, match="does not answer"), room():
        pass


def test_a_setting_of_the_developer_does_not_reach_the_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://production/rolls")
    monkeypatch.setenv("concurrency", "99")
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    pytest_configure()
    assert load_settings() == Settings.model_construct(concurrency=os.cpu_count())
    assert Settings.model_config["env_file"] is None
