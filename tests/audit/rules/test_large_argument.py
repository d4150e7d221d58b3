from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

TASKS = """
import requests
from celery import shared_task
from shop.models import Order
from shop.api import OrderSerializer

@shared_task
def load(what): ...
"""


def test_files_answers_and_whole_tables() -> None:
    found = audit(
        "CEL204",
        TASKS
        + """
def upload(path, order):
    load.delay(path.read_bytes())
    with open(path) as file:
        load.delay(file.read())
    answer = requests.get("https://x", timeout=3)
    load.delay(answer.content)
    load.delay(OrderSerializer(order).data)
    load.delay(list(Order.objects.values_list("pk", flat=True)))
    load.s([o.pk for o in Order.objects.all()])
""",
    )
    assert lines(found) == [11, 13, 15, 16, 17, 18]
    assert [f.severity for f in found[:3]] == [Severity.MEDIUM, Severity.MEDIUM, Severity.LOW]


def test_keys_and_bounded_lists() -> None:
    assert not audit(
        "CEL204",
        TASKS
        + """
def upload(path, order, numbers):
    load.delay(path)
    load.delay(order.data)
    load.delay(list(numbers))
    load.delay(list(Order.objects.values_list("pk", flat=True)[:50]))
    load.delay(Order.objects.count())
    load.delay([n + 1 for n in numbers])
    load.delay(path.read(100))
""",
    )
