"""One class, read from the environment and from .env; passwords are not shown."""

import os
from pathlib import Path

import pytest

from offcanvas.printable import masked as masked_by_the_kit
from shared.errors import UsageError
from shared.settings import Settings, load_settings, masked, settings
from shared.settings_table import settings_in_force


def test_every_setting_is_described_and_has_a_default() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert not field.is_required(), name


def test_defaults_need_no_environment() -> None:
    values = load_settings()
    assert values.database_url is None
    assert values.celery_profile == "hardened"
    assert values.concurrency == os.cpu_count()
    assert values.font_files == ()


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    assert load_settings().database_url is None


def test_several_fonts_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLL_FONTS", os.pathsep.join(["/b.ttf", "/a.ttf", ""]))
    assert load_settings().font_files == (Path("/b.ttf"), Path("/a.ttf"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONCURRENCY", "0"),
        ("CONCURRENCY", "many"),
        ("CELERY_PROFILE", "reckless"),
        ("STEP_TIME_LIMIT", "inf"),
        ("SWEEP_EVERY", "1e300"),
        ("SILENT_AFTER", "inf"),
        ("VISIBILITY_TIMEOUT", "inf"),
    ],
)
def test_a_value_that_does_not_fit_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=f"^{name}='{value}': "):
        load_settings()


def test_settings_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().temporal_namespace == "default"
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "other")
    assert settings().temporal_namespace == "default"


def test_a_missing_address_names_its_variable() -> None:
    with pytest.raises(UsageError, match=r"^TEMPORAL_ADDRESS is not set: export it, or run"):
        settings().required("temporal_address")


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("TEMPORAL_NAMESPACE=from-file\nCONCURRENCY=3\nUNRELATED=1\n")
    monkeypatch.setitem(Settings.model_config, "env_file", env_file)
    monkeypatch.setenv("CONCURRENCY", "5")
    table = {setting.name: setting for setting in settings_in_force()}
    assert set(table) == {name.upper() for name in Settings.model_fields}
    assert (table["CONCURRENCY"].value, table["CONCURRENCY"].source) == ("5", "environment")
    namespace = table["TEMPORAL_NAMESPACE"]
    assert (namespace.value, namespace.source) == ("from-file", ".env")
    assert (table["CELERY_PROFILE"].value, table["CELERY_PROFILE"].source) == (
        "hardened",
        "default",
    )
    assert (table["DATABASE_URL"].value, table["DATABASE_URL"].source) == (None, "default")


def test_the_table_hides_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://guest:s3cret@host//")
    table = {setting.name: setting.value for setting in settings_in_force()}
    assert table["CELERY_BROKER_URL"] == "amqp://guest:***@host//"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://me:pw@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("db+postgresql://me:p@w/d:x@host/db", "db+postgresql://me:***@host/db"),
        ("redis://:pw@host/0", "redis://:***@host/0"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("amqp://a:b@one//;amqp://c:d@two//", "amqp://a:***@one//;amqp://c:***@two//"),
        ("postgresql://host/db?user=me&password=pw", "postgresql://host/db?user=me&password=***"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("sqlite:////tmp/a@b.db", "sqlite:////tmp/a@b.db"),
        ("host:7233", "host:7233"),
        ("", ""),
        ("amqp://a:b;c@one//;amqp://d:e@two//", "amqp://a:***@one//;amqp://d:***@two//"),
        ("https://TOKEN@host/api", "https://***@host/api"),
        ("http://me:pw@host:4200/api", "http://me:***@host:4200/api"),
        ("postgresql://host/db?PASSWORD=pw&x=1", "postgresql://host/db?PASSWORD=***&x=1"),
        (
            "sqs://?aws_secret_access_key=x;api_key=y",
            "sqs://?aws_secret_access_key=***;api_key=***",
        ),
        ("host=a password=b dbname=c", "host=a password=*** dbname=c"),
        ("cannot reach http://me:pw@host/api", "cannot reach http://me:***@host/api"),
    ],
)
def test_masked(address: str, shown: str) -> None:
    assert masked(address) == masked_by_the_kit(address) == shown
