"""Where Airflow is installed, and how its programs are started."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from airflow_impl.names import DAGS, ROOT
from shared.errors import UsageError
from shared.settings import settings

LOCK = DAGS / "requirements.lock"


def program() -> Path:
    """The `airflow` command of its environment.

    Raises:
        UsageError: there is no such environment, or it has another release than the lock.
    """
    place, folder = settings().airflow_environment, _folder()
    found = folder / "bin" / "airflow"
    if not found.is_file():
        raise UsageError(
            f"there is no Airflow in {place}: run `make airflow`, which installs it there"
        )
    wanted, there = locked_version(), installed_version()
    if there != wanted:
        raise UsageError(
            f"{place} has Airflow {there or 'of an unknown release'}, and this is written for "
            f"{wanted}: run `make airflow`"
        )
    return found


def locked_version() -> str:
    """The release of Airflow that the lock names."""
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition("==")
        if name == "apache-airflow-core":
            return rest.split()[0]
    raise UsageError(f"{LOCK.relative_to(ROOT)} names no release of apache-airflow-core")


def _folder() -> Path:
    place = settings().airflow_environment
    return place if place.is_absolute() else ROOT / place


def installed_version() -> str | None:
    """The release of Airflow that is installed, by what its installer has left; None for none."""
    core = "apache_airflow_core-"
    for found in sorted(_folder().glob(f"lib/python3*/site-packages/{core}*.dist-info")):
        return found.name.removeprefix(core).removesuffix(".dist-info")
    return None


def variables(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program of Airflow's: ours, and the way to our modules.

    Of this environment's own ways only the repository is handed on: packages that belong to one
    interpreter are of no use to another.
    """
    ours = {
        name: text for name, text in os.environ.items() if name not in {"PYTHONHOME", "VIRTUAL_ENV"}
    }
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    foreign = {str(Path(path).resolve()) for path in sys.path if "site-packages" in path}
    path = [
        str(ROOT),
        *(each for each in given if each and str(Path(each).resolve()) not in foreign),
    ]
    return {
        **ours,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
        "ROLLS_DIR": str(settings().rolls_dir.absolute()),
        # Airflow asks nobody's server about itself.
        "SCARF_ANALYTICS": "false",
        "DO_NOT_TRACK": "1",
        "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"])),
        **(more or {}),
    }
