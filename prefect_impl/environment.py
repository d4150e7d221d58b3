"""The environment of a process of ours, set up before Prefect is imported."""

from __future__ import annotations

import os

from shared.settings import settings

# What this project changes of Prefect's settings, for its own processes; the environment wins.
# https://docs.prefect.io/v3/api-ref/settings-ref
PREFECT_SETTINGS = {
    # A worker asks for work every 15 s by default, which would be all one sees of a run of 2 s.
    "PREFECT_WORKER_QUERY_SECONDS": "0.5",
    # At INFO each task run writes three lines, and sends them to the server as well.
    "PREFECT_LOGGING_LEVEL": "WARNING",
}


def configure() -> None:
    """Set it up.

    Raises:
        UsageError: the server's address is not set.
    """
    os.environ["PREFECT_API_URL"] = settings().required("prefect_api_url")
    # Results of flow runs: a total, or the exception. In a place that worker and caller share
    # anyway; by default it would be the home folder of whoever runs the worker.
    results = settings().rolls_dir.resolve() / ".prefect-results"
    os.environ.setdefault("PREFECT_LOCAL_STORAGE_PATH", str(results))
    for name, value in PREFECT_SETTINGS.items():
        os.environ.setdefault(name, value)
