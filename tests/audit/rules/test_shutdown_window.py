from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

APP = """
import os
import sys
from celery import Celery
app = Celery("shop", broker="redis://x")
"""


def test_exits_in_tasks_only() -> None:
    found = audit(
        "CEL106",
        APP
        + """
@app.task
def load(path):
    if path == 1:
        sys.exit(1)
    if path == 2:
        os._exit(1)
    raise SystemExit

def main():
    sys.exit(0)
""",
    )
    assert lines(found) == [10, 12, 13]


def test_late_on_redis_without_a_soft_shutdown() -> None:
    late = "app.conf.task_acks_late = True\n"
    (found,) = audit("CEL106", APP + late)
    assert "process manager" in found.doubt
    assert not audit("CEL106", APP + late + "app.conf.worker_soft_shutdown_timeout = 30\n")
    assert not audit("CEL106", APP.replace("redis", "amqp") + late)


def test_another_exit_is_not_the_systems() -> None:
    assert not audit("CEL106", APP + "@app.task\ndef load(shell):\n    shell.exit(1)\n")


COMPOSE = "services:\n  worker:\n    command: celery -A shop worker\n"


def test_killed_before_the_longest_task_may_end() -> None:
    limited = APP + "@app.task(soft_time_limit=50, time_limit=60)\ndef load(path): ...\n"
    (found,) = audit("CEL106", {"tasks.py": limited, "compose.yaml": COMPOSE})
    assert (found.path, found.line, found.severity) == ("compose.yaml", 3, Severity.LOW)
    assert "10 seconds after asking it to stop by default, and a task may run 50" in found.message
    long = COMPOSE + "    stop_grace_period: 60s\n"
    assert not audit("CEL106", {"tasks.py": limited, "compose.yaml": long})
    assert not audit("CEL106", {"tasks.py": APP, "compose.yaml": COMPOSE})
    soft = limited + "app.conf.worker_soft_shutdown_timeout = 8\n"
    assert not audit("CEL106", {"tasks.py": soft, "compose.yaml": COMPOSE})
