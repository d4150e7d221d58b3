import pytest

from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

APP = """
from celery import Celery
app = Celery("shop", broker="amqp://localhost")
"""


def test_late_without_reject() -> None:
    found = audit("CEL101", APP + "app.conf.update(task_acks_late=True)\n")
    assert lines(found) == [4]
    assert "task_reject_on_worker_lost" in found[0].message


def test_django_settings_under_a_namespace() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/celery.py": """
            from celery import Celery
            app = Celery("shop")
            app.config_from_object("django.conf:settings", namespace="CELERY")
        """,
        "shop/settings.py": "CELERY_TASK_ACKS_LATE = True\n",
    }
    assert [(f.path, f.line) for f in audit("CEL101", files)] == [("shop/settings.py", 1)]


def test_a_task_that_chooses_for_itself() -> None:
    found = audit(
        "CEL101",
        """
        from celery import shared_task

        @shared_task(acks_late=True)
        def lost(): ...

        @shared_task(acks_late=True, reject_on_worker_lost=True)
        def kept(): ...
        """,
    )
    assert lines(found) == [5]


def test_a_base_class_that_sets_both_is_fine() -> None:
    assert not audit(
        "CEL101",
        """
        from celery import Task, shared_task

        class Durable(Task):
            acks_late = True
            reject_on_worker_lost = True

        @shared_task(base=Durable)
        def kept(): ...
        """,
    )


def test_a_setting_that_is_not_celerys_is_left_alone() -> None:
    assert not audit("CEL101", "class Conf:\n    task_acks_late = True\n")


def test_reject_without_a_limit_is_said_with_doubt() -> None:
    found = audit(
        "CEL101",
        APP + "app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True)\n",
    )
    assert [f.doubt for f in found] == ["the limit may be a policy of the broker"]


def test_tasks_of_a_file_are_told_once() -> None:
    task = "@shared_task(acks_late=True)\ndef {}(): ...\n"
    source = "from celery import shared_task\n" + "".join(map(task.format, "abc"))
    found = audit("CEL101", {"first.py": source, "second.py": source})
    assert [(f.path, f.line) for f in found] == [("first.py", 3), ("second.py", 3)]
    assert "first.a and 2 more tasks of this file acknowledge late" in found[0].message
    assert [line for _, line, _ in found[0].related] == [5, 7]


@pytest.mark.parametrize(
    ("broker", "advice"),
    [("amqp", "quorum queues"), ("redis", "redis counts none"), ("sqs", "redrive policy")],
)
def test_the_advised_pair_is_no_fault_and_the_cure_fits_the_broker(
    broker: str, advice: str
) -> None:
    source = f"""
from celery import Celery
app = Celery("rail", broker="{broker}://x")
app.conf.task_acks_late = True
app.conf.task_reject_on_worker_lost = True
"""
    (found,) = audit("CEL101", source)
    assert (found.severity, found.line) == (Severity.LOW, 5)
    assert advice in found.message
    assert ("quorum" in found.message) == (broker == "amqp")
