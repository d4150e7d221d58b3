from tests.audit.helpers import audit, lines

APP = """
import signal
from celery import Celery, current_app
from celery.result import AsyncResult
app = Celery("shop", broker="redis://x")
"""


def test_every_way_to_terminate() -> None:
    found = audit(
        "CEL502",
        APP
        + """
app.control.revoke("a", terminate=True)
current_app.control.revoke("a", None, True)
AsyncResult("a").revoke(terminate=True, signal="SIGKILL")
app.control.terminate("a", signal=signal.SIGKILL)
""",
    )
    assert lines(found) == [7, 8, 9, 10]
    assert ["SIGKILL" in f.message for f in found] == [False, False, True, True]


def test_a_plain_revoke_is_fine() -> None:
    assert not audit(
        "CEL502",
        APP
        + """
app.control.revoke("a")
app.control.revoke("a", terminate=False)
AsyncResult("a").revoke()
""",
    )


def test_what_is_not_celerys() -> None:
    assert not audit("CEL502", APP + "def f(token, process):\n    token.revoke(terminate=True)\n")


def test_decided_at_run_time() -> None:
    (found,) = audit("CEL502", APP + "def f(hard):\n    app.control.revoke('a', terminate=hard)\n")
    assert "hard" in found.doubt
    assert found.severity.label == "low"


def test_a_signal_that_raises_in_the_task() -> None:
    (found,) = audit("CEL502", APP + "app.control.revoke('a', terminate=True, signal='SIGUSR1')\n")
    assert "exception in the task" in found.doubt
