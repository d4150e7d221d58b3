from tests.audit.helpers import audit, lines

TASKS = """
from celery import shared_task
from django.db import models
from django.db.models.signals import post_save
from django.dispatch import receiver

class Base(models.Model):
    class Meta:
        abstract = True

class Order(Base):
    def pay(self):
        ship.delay(self)
        ship.delay(self.pk)

@shared_task
def ship(order, more=None): ...
"""


def test_instances_of_many_origins() -> None:
    found = audit(
        "CEL203",
        TASKS
        + """
def all_of_them(given: Order):
    order, created = Order.objects.get_or_create(pk=1)
    ship.delay(order)
    for each in Order.objects.filter(paid=True):
        ship.s(each)
    ship.delay(given)
    ship.apply_async((1,), {"more": {"order": order}})
    ship.delay(Order(pk=1))
    ship.delay(Order.objects.filter(paid=True).order_by("pk"))

@receiver(post_save, sender=Order)
def saved(sender, instance, **kwargs):
    ship.delay(instance)
""",
    )
    assert lines(found) == [13, 21, 23, 24, 25, 26, 27, 31]
    assert "queryset" in found[6].message


def test_values_and_rows_are_fine() -> None:
    assert not audit(
        "CEL203",
        TASKS.replace("ship.delay(self)", "pass")
        + """
def fine(order, request_id):
    ship.delay(order)
    ship.delay(order.pk, more=[request_id])
    ship.delay(list(Order.objects.values_list("pk", flat=True)))
    for pk in Order.objects.values_list("pk", flat=True):
        ship.delay(pk)
    ship.delay(Order.objects.filter(paid=True).count())
    kept = {}
    order = kept.get("order")
    ship.delay(order)
""",
    )


def test_requests_and_self() -> None:
    found = audit(
        "CEL203",
        """
        from celery import shared_task
        from flask import request

        @shared_task(bind=True)
        def note(self, what):
            note.delay(self)

        def view():
            note.delay(request)
            note.delay(request.remote_addr)

        def django_view(request):
            note.delay(request.user.pk)
            note.delay(request)

        def of_the_project(request):
            note.delay(request)
            return request["id"]
        """,
    )
    assert lines(found) == [7, 10, 15]


def test_an_argument_before_a_star_is_seen() -> None:
    source = """
from celery import shared_task

@shared_task
def refill(cache, *fields, **more): ...

class Cache:
    def later(self, *fields, **more):
        refill.delay(self, *fields)
        refill.delay(1, cache=self, **more)
        refill.apply_async((self, *fields), dict(more))
        refill.delay(*fields)
"""
    assert lines(audit("CEL203", source)) == [9, 10, 11]


def test_objects_that_is_no_manager() -> None:
    source = """
from celery import shared_task
from django.db import models

@shared_task
def load(item): ...

class Registry:
    objects = {}

class Lazy(models.Model):
    @property
    def objects(self): ...

class Row(models.Model): ...

def go(key):
    load.delay(Registry.objects.get(key))
    load.delay(Lazy.objects.get(key))
    load.delay(Row.objects.get(key))
"""
    assert lines(audit("CEL203", source)) == [20]
