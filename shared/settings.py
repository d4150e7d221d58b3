"""All settings of the reference workflow, in one place.

Each field is read from the environment variable of the same name in capitals, or from a `.env`
file in the working directory. An address that is not set means the embedded server: the
comparisons and the tests start one and put its address into the environment of the workers.
`python -m shared settings` shows what is in force.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import UsageError

_DAY = 86_400.0  # seconds
LONGEST_STEP = 1_500.0  # seconds, see `shared.policy`


class Settings(BaseSettings):
    """Where everything is, and how hard to work."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    database_url: str | None = Field(
        None,
        description="Application database: sqlite:///file or postgresql+psycopg://user@host/db",
    )
    rolls_dir: Path = Field(
        Path("rolls"), description="Folder of the printed rolls, one sub-folder a run"
    )
    roll_fonts: str = Field(
        "", description=f"Further TrueType fonts for the rolls, joined by '{os.pathsep}'"
    )
    celery_broker_url: str | None = Field(
        None, description="Celery's broker: amqp://, redis:// or redis+socket://"
    )
    celery_result_backend: str | None = Field(
        None,
        description="Celery's results: redis://, redis+socket:// or db+postgresql+psycopg://",
    )
    celery_profile: Literal["naive", "hardened"] = Field(
        "hardened", description="Celery's defaults, or the settings that do not lose work"
    )
    prefect_api_url: str | None = Field(None, description="Prefect server: http://host:port/api")
    temporal_address: str | None = Field(None, description="Temporal server: host:port")
    temporal_namespace: str = Field("default", description="Temporal namespace")
    airflow_api_url: str | None = Field(
        None, description="Airflow's API server: http://host:port, or with user:password@"
    )
    airflow_home: Path | None = Field(
        None, description="Folder of airflow.cfg, the same for Airflow's server and its workers"
    )
    airflow_environment: Path = Field(
        Path(".venv-airflow"),
        description="Environment with Airflow in it, which `make airflow` sets up",
    )
    concurrency: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=256,
        description="Steps that one worker executes at a time, each in a process of its own",
    )

    spread: int | None = Field(
        None,
        ge=1,
        description="Prefect: stations of chord_by_station, or steps of nap:N, that one flow run "
        "has, so that all workers share the rest; one flow run has them all unless set",
    )
    nap_seconds: float = Field(
        0.1, gt=0, le=60, description="Seconds that a step of the workload nap:N waits"
    )
    step_time_limit: float = Field(
        300.0,
        ge=1,
        le=LONGEST_STEP,
        description="Seconds after which a step is given up; interrupted after four fifths of them",
    )
    sweep_every: float = Field(
        30.0,
        ge=1,
        le=_DAY,
        description="Seconds between two sweeps, and without progress before a run is looked at",
    )
    silent_after: float = Field(
        20.0, ge=4, le=_DAY, description="Seconds of silence after which a worker counts as gone"
    )
    visibility_timeout: float | None = Field(
        None,
        ge=1,
        le=_DAY,
        description="Celery on Redis: seconds until an unacknowledged message is delivered again",
    )
    metrics_port: int | None = Field(
        None, ge=1, le=65_535, description="Port on which a process tells Prometheus its metrics"
    )
    metrics_host: str = Field("127.0.0.1", description="Interface of that port")
    watch_every: float = Field(
        5.0, ge=0.1, le=_DAY, description="Seconds between two looks of `watch`, for metrics"
    )
    fault_probe: str | None = Field(
        None, description="Socket of a fault lab, which then may hold up any step; see shared.probe"
    )

    @property
    def font_files(self) -> tuple[Path, ...]:
        """The files of `roll_fonts`, in order of preference."""
        return tuple(Path(name) for name in self.roll_fonts.split(os.pathsep) if name)

    def required(self, field: str) -> str:
        """The value of an address without which a command by hand cannot work.

        Raises:
            UsageError: the address is not set.
        """
        value = getattr(self, field)
        if value is None:
            raise UsageError(
                f"{field.upper()} is not set: export it, or run "
                "`python -m comparisons serve`, which starts the servers and prints the addresses"
            )
        return str(value)


# What stands between a scheme and the last "@" of a word: a password may hold any character.
_USER_AND_PASSWORD = re.compile(r"(://[^:/?#@\s]*:)\S+(?=@)")
_NEXT = re.compile(r";(?=[\w+.-]+://)")
_TOKEN = re.compile(r"(https?://)[^:/?#@\s]+(?=@)", re.IGNORECASE)
_SECRET_OPTION = re.compile(
    r"((?:^|[?&;\s])[\w.-]*(?:pass|pwd|secret|token|key|credential|auth)[\w.-]*=)[^&;\s]+",
    re.IGNORECASE,
)


def masked(address: str) -> str:
    """The address, or several joined by ';', with each password and token replaced by `***`.

    The kit has the same function (`offcanvas.printable.masked`); a test compares the two.
    """
    parts = (_USER_AND_PASSWORD.sub(r"\1***", part) for part in _NEXT.split(address))
    return _SECRET_OPTION.sub(r"\1***", _TOKEN.sub(r"\1***", ";".join(parts)))


def load_settings() -> Settings:
    """Settings as the environment has them now.

    Raises:
        UsageError: a value does not fit; the message names the variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]).upper()
        value = masked(str(first["input"]))
        raise UsageError(f"{name}={value!r}: {first['msg'].lower()}") from None


def at_import() -> Settings:
    """Settings for constants of modules: the defaults where the environment has an impossible one.

    Nobody is kept from hearing of that: every command reads the settings again before it begins.
    """
    try:
        return load_settings()
    except UsageError:
        return Settings.model_construct()


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
