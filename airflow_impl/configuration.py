"""How the embedded Airflow is set up: its `airflow.cfg`, and the reason for what is not default.

https://airflow.apache.org/docs/apache-airflow/stable/configurations-ref.html
"""

from __future__ import annotations

import base64
import secrets
from configparser import ConfigParser
from pathlib import Path

from airflow_impl.names import DAGS
from shared.policy import STEP
from shared.settings import at_import

# The longest list that a task can be mapped over. Airflow's 1,024 protects a scheduler from a list
# that nobody had in mind; a fan-out of 5,000 steps is meant here, and one of 20,000 is not.
MAX_MAP_LENGTH = 10_000
SIMPLE_AUTH = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"

# Each of Airflow's programs imports this when it starts ("Configuring local settings"). A task's
# process is forked from one of them, and need not import the steps by itself: 0.3 s of CPU a task.
LOCAL_SETTINGS = "from shared import recovery, steps, workloads\n"

Options = dict[str, dict[str, str]]


def options(home: Path, port: int, database: str) -> Options:
    """Section by section, what is written into `airflow.cfg`.

    Args:
        home: AIRFLOW_HOME, private to this server and its workers.
        port: of the loopback interface, for the API server.
        database: SQLAlchemy's address of the metadata database.
    """
    api = f"http://127.0.0.1:{port}"
    return {
        "core": {
            "dags_folder": str(DAGS),
            "executor": "LocalExecutor",
            "load_examples": "False",
            "dags_are_paused_at_creation": "False",
            "max_map_length": str(MAX_MAP_LENGTH),
            # The pool and the executor's processes limit what runs at a time, not these.
            "max_active_tasks_per_dag": "256",
            "max_active_runs_per_dag": "256",
            # Tasks talk to the API server, never to the database.
            "execution_api_server_url": f"{api}/execution/",
            "auth_manager": SIMPLE_AUTH,
            # On loopback, for one user: nobody is asked for a password.
            "simple_auth_manager_all_admins": "True",
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        },
        "database": {"sql_alchemy_conn": database, "load_default_connections": "False"},
        "api": {
            "host": "127.0.0.1",
            "port": str(port),
            "base_url": api,
            "secret_key": secrets.token_hex(16),
            # The records of a wide run are read in pages of this.
            "maximum_page_limit": "1000",
        },
        "api_auth": {"jwt_secret": secrets.token_hex(32)},
        "dag_processor": {
            # The files do not change while this server runs, but for a deploy: they are looked at
            # now and then, and when their time stamp says so.
            "min_file_process_interval": "300",
            "refresh_interval": "5",
            "parsing_processes": "1",
        },
        "scheduler": scheduling(),
        "logging": {
            "base_log_folder": str(home / "logs"),
            "logging_level": "WARNING",
        },
        "usage_data_collection": {"enabled": "False"},
    }


def scheduling() -> dict[str, str]:
    """How a scheduler notices what is lost, by our settings; a worker says it anew.

    As Airflow's documentation advises for tasks whose worker is gone ("Task Instance Heartbeat
    Timeout", "Scheduler health"): a heartbeat that is missed is looked for more often than every
    five minutes.
    """
    silent = max(4, int(at_import().silent_after))
    return {
        # A task's supervisor sends a heartbeat every quarter of this.
        "task_instance_heartbeat_timeout": str(silent),
        "task_instance_heartbeat_sec": str(max(1, silent // 4)),
        "task_instance_heartbeat_timeout_detection_interval": str(silent / 4),
        # What a dead scheduler had queued is queued again by another one, which looks so often.
        "orphaned_tasks_check_interval": str(silent / 2),
        "scheduler_heartbeat_sec": str(max(1, silent // 4)),
        "scheduler_health_check_threshold": str(silent),
        "task_queued_timeout": str(max(600.0, 2 * STEP.time_limit)),
        # A loop that finds nothing to do sleeps for this long. At Airflow's 1 s every step of a
        # sequence waits for half a second on average before anybody looks at it.
        "scheduler_idle_sleep_time": "0.2",
    }


def write(home: Path, port: int, database: str) -> None:
    """Write `airflow.cfg`, readable by its owner alone: it has the keys in it."""
    parser = ConfigParser(interpolation=None)
    parser.read_dict(options(home, port, database))
    home.mkdir(parents=True, exist_ok=True)
    path = home / "airflow.cfg"
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8") as file:
        parser.write(file)
    settings = home / "config" / "airflow_local_settings.py"
    settings.parent.mkdir()
    settings.write_text(LOCAL_SETTINGS, encoding="utf-8")


def read(home: Path, section: str, name: str) -> str:
    """An option of an `airflow.cfg` that is there."""
    parser = ConfigParser(interpolation=None)
    parser.read(home / "airflow.cfg", encoding="utf-8")
    return parser.get(section, name, fallback="?")


def as_variables(section: str, values: dict[str, str]) -> dict[str, str]:
    """Options as the environment variables that are stronger than the file."""
    return {f"AIRFLOW__{section.upper()}__{name.upper()}": text for name, text in values.items()}
