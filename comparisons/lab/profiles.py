"""The five profiles: which engine, on which servers, with which settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

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
PREFECT_ON_POSTGRESQL = "prefect on postgresql"  # another one than DATABASE


def starter(name: str) -> Callable[[], Server]:
    """What starts a server of that name."""
    if name == PERSISTENT_REDIS:
        return partial(servers.redis, persistent=True)
    if name == PREFECT_ON_POSTGRESQL:
        return partial(servers.prefect, postgresql=True)
    start: Callable[[], Server] = getattr(servers, name)
    return start


@dataclass(frozen=True, slots=True)
class Profile:
    """An engine with its servers and settings.

    Attributes:
        servers: names for `starter` by role; the database, PostgreSQL everywhere, is left out.
        sweeps: the arguments after `python -m <engine>_impl` that set the sweep going; None where
            there is none, or where the worker itself brings it along.
        goal: whether a fault must leave nothing lost, no visible duplicate and the right sum.
        recovers: whether anything looks after what was lost; where nothing does, the lab waits
            until nothing has moved for a while, not for two minutes.
    """

    name: str
    engine: str
    title: str
    servers: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    sweeps: tuple[str, ...] | None = None
    goal: bool = True
    recovers: bool = True

    @property
    def main_server(self) -> str:
        """The role of the server that hands out the work."""
        return ENGINE if ENGINE in self.servers else BROKER


_SWEEP = ("sweep", "--older-than", f"{INTERVALS['SWEEP_EVERY']:g}")
_NAIVE = {"CELERY_PROFILE": "naive"}
_HARDENED = {"CELERY_PROFILE": "hardened"}
NAIVE, HARDENED, HARDENED_REDIS = "celery-naive", "celery-hardened", "celery-hardened-redis"
PREFECT, TEMPORAL = "prefect", "temporal"
CELERY = (NAIVE, HARDENED, HARDENED_REDIS)

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
        Profile(TEMPORAL, "temporal", "Temporal", {ENGINE: TEMPORAL}, sweeps=_SWEEP),
    )
}  # fmt: skip
