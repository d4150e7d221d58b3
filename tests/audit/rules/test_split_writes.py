from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit

TASKS = """
from celery import shared_task
from django.db import transaction
from shop.models import Item, Order
"""


def test_writes_that_follow_one_another() -> None:
    found = audit(
        "CEL312",
        TASKS
        + """
@shared_task
def related(x):
    order = Order.objects.create(x=x)
    Item.objects.create(order=order)

@shared_task
def apart(x):
    order = Order.objects.get(pk=x)
    item = Item.objects.get(pk=x)
    order.save()
    item.save()
""",
    )
    assert [(f.line, f.severity) for f in found] == [(9, Severity.MEDIUM), (16, Severity.LOW)]


def test_transactions_branches_and_the_same_row() -> None:
    assert not audit(
        "CEL312",
        TASKS
        + """
@shared_task
def block(x):
    with transaction.atomic():
        order = Order.objects.create(x=x)
        Item.objects.create(order=order)

@shared_task
@transaction.atomic
def whole(x):
    order = Order.objects.create(x=x)
    Item.objects.create(order=order)

@shared_task
def branches(x):
    if x:
        Order.objects.create(x=x)
    else:
        Item.objects.create(x=x)

@shared_task
def again(x, form, path):
    order = Order.objects.get(pk=x)
    order.save()
    order.save()
    form.save()
    path.delete()

@shared_task
def trim(x):
    Order.objects.filter(x__lt=x).delete()
    Item.objects.filter(x__lt=x).delete()

def view(x):
    order = Order.objects.create(x=x)
    Item.objects.create(order=order)
""",
    )
