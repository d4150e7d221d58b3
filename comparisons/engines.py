"""The engines that can be compared: what each is called, drawn in, and started with.

A further engine is a row here, an `<engine>_impl` with a `client` (`shared.contract`), and a word
in schema.json.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from comparisons.airflow_server import airflow, check_airflow
from offcanvas import servers


def _nothing_to_check() -> None:
    """What it needs was installed with the project."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine.

    Attributes:
        colour: told apart from the others on light and dark, and by people who do not see red and
            green.
        start: its embedded server.
        fields: the settings that name a real one.
        check: raises `UsageError` where the engine itself is not installed.
        by_default: whether it takes part where nobody has named the engines.
    """

    name: str
    title: str
    colour: str
    start: Callable[[], servers.Server]
    fields: tuple[str, ...]
    check: Callable[[], object] = _nothing_to_check
    by_default: bool = True


ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine(
            "celery", "Celery", "#2a9d78", servers.redis,
            ("celery_broker_url", "celery_result_backend"),
        ),
        Engine("prefect", "Prefect", "#4285d6", servers.prefect, ("prefect_api_url",)),
        Engine("temporal", "Temporal", "#dd7a2b", servers.temporal, ("temporal_address",)),
        Engine(
            "airflow", "Airflow", "#a558b8", airflow, ("airflow_api_url", "airflow_home"),
            check=check_airflow, by_default=False,
        ),
    )
}  # fmt: skip

DEFAULT_ENGINES = tuple(engine.name for engine in ENGINES.values() if engine.by_default)
NAMES = {engine.name: engine.title for engine in ENGINES.values()}
