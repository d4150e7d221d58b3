import pytest

from tests.audit.helpers import audit, lines

APP = """
from celery import Celery
app = Celery("shop", broker="redis://x")

@app.task
def load(x): ...
"""


def test_one_finding_at_the_app() -> None:
    found = audit("CEL504", {"shop/app.py": APP, "shop/more.py": APP.replace("load", "more")})
    assert lines(found) == [3]
    assert not found[0].doubt


@pytest.mark.parametrize(
    "watch",
    [
        "import sentry_sdk\n",
        "from celery import signals\nsignals.task_failure.connect(print)\n",
        "def start():\n    from opentelemetry.instrumentation.celery import CeleryInstrumentor\n",
        "from celery import Task\nclass Told(Task):\n    def on_failure(self, *args): ...\n",
    ],
)
def test_what_watches(watch: str) -> None:
    assert not audit("CEL504", {"shop/app.py": APP, "shop/watch.py": watch})


def test_a_hook_of_no_task_watches_nothing() -> None:
    other = "class Form:\n    def on_failure(self): ...\n"
    assert lines(audit("CEL504", {"shop/app.py": APP, "shop/form.py": other})) == [3]


def test_a_library_has_no_app() -> None:
    library = "from celery import shared_task\n\n@shared_task\ndef load(x): ...\n"
    assert not audit("CEL504", library)


def test_events_are_a_doubt() -> None:
    (found,) = audit("CEL504", APP + "app.conf.worker_send_task_events = True\n")
    assert "events" in found.doubt
