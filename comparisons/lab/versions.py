"""Versions of the servers, as their programs tell them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from comparisons.lab.profiles import PROFILES, RABBITMQ
from offcanvas.servers.redis import executable

_RABBITMQ = "/usr/lib/rabbitmq/lib"


def program_versions(profiles: Sequence[str]) -> dict[str, str]:
    """PostgreSQL's, and those of the brokers and servers that these profiles run on."""
    found = {"PostgreSQL": _asked(_initdb(), "--version")}
    chosen = [PROFILES[name] for name in profiles]
    names = {profile.rerouted_to or profile.engine for profile in chosen}
    if any(profile.engine == "celery" for profile in chosen):
        program = executable()
        name = "Valkey" if "valkey" in Path(program).name else "Redis"
        found[name] = _asked(program, "--version")
        if any(RABBITMQ in PROFILES[name].servers.values() for name in profiles):
            found["RabbitMQ"] = _rabbitmq()
    if "temporal" in names:
        found["Temporal CLI"] = _asked("temporal", "--version")
    return found


def _asked(program: str, flag: str) -> str:
    path = shutil.which(program) or shutil.which(program, path=str(Path(sys.executable).parent))
    if path is None:
        return "unknown"
    done = subprocess.run([path, flag], capture_output=True, text=True, check=False, timeout=60)
    version = re.search(r"\d+(\.\d+)+", done.stdout)
    return version[0] if version else "unknown"


def _initdb() -> str:
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return shutil.which("initdb") or str(packaged[-1] if packaged else "initdb")


def _rabbitmq() -> str:
    """From the name of the installed folder: asking the program takes seconds."""
    for folder in sorted(Path(_RABBITMQ).glob("rabbitmq_server-*"), reverse=True):
        return folder.name.partition("-")[2]
    return _asked("rabbitmqctl", "version")
