import pytest

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


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (
            "for part in batched(csv.DictReader(file), 100):\n            save.delay(list(part))",
            True,
        ),
        ("while rows := list(islice(csv.reader(file), 9)):\n            save.delay(rows)", True),
        ("save.delay(list(csv.reader(file)))", True),
        ("rows = [r for r in csv.reader(file)]\n        save.s(rows).delay()", True),
        (
            "b = []\n        for r in csv.reader(file): b.append(r)\n        save.delay(b)",
            True,
        ),
        ("for part in chunks(read(file), 9):\n            save.delay(part)", True),
        ("save.delay([list(r) for r in load_workbook(file).active.iter_rows()])", True),
        ("for row in csv.reader(file):\n            save.delay(row[0])", False),
        ("save.delay(len(list(csv.reader(file))))", False),
        ("for part in chunks(ids, 9):\n            save.delay(part)", False),
    ],
)
def test_rows_of_a_file(body: str, found: bool) -> None:
    source = f"""
import csv
from itertools import batched, islice
from celery import shared_task
from openpyxl import load_workbook

@shared_task
def save(rows): ...

def read(file):
    return csv.reader(file)

def load(path, ids, chunks):
    with open(path) as file:
        {body}
"""
    told = audit("CEL204", source)
    assert [f.severity for f in told] == ([Severity.LOW] if found else [])
    assert all("rows of a file" in f.message and f.doubt for f in told)
