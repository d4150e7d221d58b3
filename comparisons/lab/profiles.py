"""The profiles: which engine, on which servers, with which settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from comparisons.airflow_server import airflow
from comparisons.engines import ENGINES
from offcanvas import servers
from offcanvas.servers import Server

# How long an engine waits before it counts something as lost, in seconds. The defaults of the
# implementations, in brackets, are longer, and recoveries take so much longer with them. Their
# order is the same: silence is noticed before a step is given up, and that before Redis delivers
# again; otherwise one fault would set off the cure of another.
INTERVALS = {
    "SWEEP_EVERY": 8.0,  # (30)
    "SILENT_AFTER": 8.0,  # (20)
    "STEP_TIME_LIMIT": 25.0,  # (300), interrupted after four fifths
    "VISIBILITY_TIMEOUT": 30.0,  # (1,590), Celery on Redis only
}

# Roles of servers. Every profile also has a `DATABASE` of its own.
BROKER, RESULTS, ENGINE, DATABASE = "broker", "results", "engine", "database"

RABBITMQ, REDIS, PERSISTENT_REDIS = "rabbitmq", "redis", "persistent redis"
# On another PostgreSQL than DATABASE.
PREFECT_ON_POSTGRESQL, AIRFLOW_ON_POSTGRESQL = "prefect on postgresql", "airflow on postgresql"


def intervals() -> dict[str, str]:
    """The intervals as environment variables."""
    return {name: f"{seconds:g}" for name, seconds in INTERVALS.items()}


def starter(name: str) -> Callable[[], Server]:
    """What starts a server of that name."""
    if name == PERSISTENT_REDIS:
        return partial(servers.redis, persistent=True)
    if name == PREFECT_ON_POSTGRESQL:
        return partial(servers.prefect, postgresql=True)
    if name == AIRFLOW_ON_POSTGRESQL:
        return partial(airflow, postgresql=True, settings=intervals())
    start: Callable[[], Server] = getattr(servers, name)
    return start


@dataclass(frozen=True, slots=True)
class Profile:
    """An engine with its servers and settings.

    Attributes:
        engine: whose variants are run, as the ledger names it.
        servers: names for `starter` by role; the database, PostgreSQL everywhere, is left out.
        sweeps: the arguments after `python -m <engine>_impl` that set the sweep going; None where
            there is none, or where the worker itself brings it along.
        goal: whether a fault must leave nothing lost, no visible duplicate and the right sum.
        recovers: whether anything looks after what was lost; where nothing does, the lab waits
            until nothing has moved for a while, not for two minutes.
        schedule_in_server: whether the sweep's process sets a schedule going and ends.
        measured_workers: whether the workers tell the metrics that the alert rules are about.
        rerouted_to: where the kit sends Celery's canvases; None where they go to a broker.
    """

    name: str
    engine: str
    title: str
    servers: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    sweeps: tuple[str, ...] | None = None
    goal: bool = True
    recovers: bool = True
    schedule_in_server: bool = False
    measured_workers: bool = True
    rerouted_to: str | None = None

    @property
    def by_default(self) -> bool:
        """Whether it is run where nobody has named the profiles."""
        return ENGINES[self.engine].by_default

    @property
    def package(self) -> str:
        """The package of its client, and of its command for the sweep."""
        return f"{self.engine}_impl" if self.rerouted_to is None else "comparisons.lab.rerouted"

    @property
    def states(self) -> str:
        """The module that knows the engine's words for a run."""
        return f"comparisons.lab.states.{self.engine if self.rerouted_to is None else 'rerouted'}"

    @property
    def worker(self) -> tuple[str, ...]:
        """The arguments after `python` that start a worker."""
        if self.rerouted_to is None:
            return ("-m", self.package, "worker", "--concurrency")
        return (*kit_worker(self.rerouted_to, f"{self.package}.app:app"), "--processes")

    @property
    def sends_messages(self) -> bool:
        """Whether each task is a message to a broker."""
        return self.engine == "celery" and self.rerouted_to is None

    @property
    def metrics_port(self) -> str:
        """The variable that names the port of a worker's metrics."""
        return "METRICS_PORT" if self.rerouted_to is None else "OFFCANVAS_METRICS_PORT"

    @property
    def main_server(self) -> str:
        """The role of the server that hands out the work."""
        return ENGINE if ENGINE in self.servers else BROKER


def kit_worker(engine: str, app: str) -> tuple[str, ...]:
    """The arguments after `python` that start the kit's worker for an app."""
    return ("-m", f"offcanvas.engines.{engine}", app)


_SWEEP = ("sweep", "--older-than", f"{INTERVALS['SWEEP_EVERY']:g}")
_NAIVE = {"CELERY_PROFILE": "naive"}
_HARDENED = {"CELERY_PROFILE": "hardened"}
NAIVE, HARDENED, HARDENED_REDIS = "celery-naive", "celery-hardened", "celery-hardened-redis"
PREFECT, TEMPORAL, AIRFLOW = "prefect", "temporal", "airflow"
KIT_PREFECT, KIT_TEMPORAL = "offcanvas-prefect", "offcanvas-temporal"
CELERY = (NAIVE, HARDENED, HARDENED_REDIS)


def _rerouted(name: str, engine: str, title: str, server: str) -> Profile:
    return Profile(
        name, "celery", title, {ENGINE: server, RESULTS: REDIS},
        # The address of a broker leads nowhere: what is sent to one fails.
        {**_HARDENED, "REROUTED_TO": engine, "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"},
        sweeps=(f"{INTERVALS['SWEEP_EVERY']:g}",), rerouted_to=engine,
    )  # fmt: skip


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            NAIVE, "celery", "Celery naive, RabbitMQ",
            {BROKER: RABBITMQ, RESULTS: REDIS}, _NAIVE, goal=False, recovers=False,
        ),
        Profile(
            HARDENED, "celery", "Celery hardened, RabbitMQ",
            {BROKER: RABBITMQ, RESULTS: REDIS}, _HARDENED, sweeps=_SWEEP,
        ),
        Profile(
            HARDENED_REDIS, "celery", "Celery hardened, Redis",
            {BROKER: PERSISTENT_REDIS, RESULTS: REDIS}, _HARDENED, sweeps=_SWEEP,
            goal=False,
        ),
        Profile(PREFECT, "prefect", "Prefect", {ENGINE: PREFECT_ON_POSTGRESQL}),
        Profile(
            TEMPORAL, "temporal", "Temporal", {ENGINE: TEMPORAL}, sweeps=_SWEEP,
            schedule_in_server=True,
        ),
        Profile(
            AIRFLOW, "airflow", "Airflow", {ENGINE: AIRFLOW_ON_POSTGRESQL}, sweeps=_SWEEP,
            schedule_in_server=True, measured_workers=False,
        ),
        _rerouted(KIT_PREFECT, "prefect", "Celery hardened, rerouted to Prefect",
                  PREFECT_ON_POSTGRESQL),
        _rerouted(KIT_TEMPORAL, "temporal", "Celery hardened, rerouted to Temporal", TEMPORAL),
    )
}  # fmt: skip
DEFAULT_PROFILES = tuple(profile.name for profile in PROFILES.values() if profile.by_default)
