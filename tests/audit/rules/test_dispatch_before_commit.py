from pathlib import Path
from textwrap import dedent

import pytest

from offcanvas.audit.finding import Severity
from offcanvas.audit.fix import cured
from tests.audit.helpers import audit, lines

TASKS = """
from celery import chain, shared_task
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

@shared_task
def ship(order_id): ...
"""


def test_block_decorator_and_canvas() -> None:
    found = audit(
        "CEL201",
        TASKS
        + """
def buy(order):
    with transaction.atomic(using="orders"):
        order.save()
        ship.delay(order.pk)
        chain(ship.si(1), ship.si(2)).delay()

@transaction.atomic
def sell(order):
    ship.apply_async((order.pk,), countdown=5)
""",
    )
    assert lines(found) == [13, 14, 18]
    assert [f.severity for f in found] == [Severity.HIGH, Severity.HIGH, Severity.MEDIUM]
    assert [e.text for f in found[:1] for e in f.edits] == [
        'transaction.on_commit(partial(ship.delay, order.pk), using="orders")'
    ]
    assert found[0].imports == (("functools", "partial"),)


def test_what_waits_for_the_commit() -> None:
    assert not audit(
        "CEL201",
        TASKS
        + """
from functools import partial

def buy(order):
    with transaction.atomic():
        order.save()
        transaction.on_commit(lambda: ship.delay(order.pk))
        transaction.on_commit(partial(ship.delay, order.pk))
        ship.delay_on_commit(order.pk)
        def later():
            ship.delay(order.pk)
        transaction.on_commit(later)
        prepared = ship.s(order.pk)
    prepared.delay()
    ship.delay(order.pk)
""",
    )


def test_a_base_class_that_defers_by_itself() -> None:
    assert not audit(
        "CEL201",
        """
        from celery import Task, shared_task
        from django.db import transaction

        class AfterCommit(Task):
            def apply_async(self, *args, **kwargs):
                transaction.on_commit(lambda: super().apply_async(*args, **kwargs))

        @shared_task(base=AfterCommit)
        def ship(order_id): ...

        @transaction.atomic
        def buy(order):
            ship.delay(order.pk)
        """,
    )


def test_one_helper_away() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/tasks.py": TASKS
        + """
def tell(order):
    ship.delay(order.pk)

def tell_later(order):
    transaction.on_commit(lambda: ship.delay(order.pk))
""",
        "shop/views.py": """
            from django.db.transaction import atomic
            from shop.tasks import tell, tell_later

            def buy(order):
                with atomic():
                    tell(order)
                    tell_later(order)
        """,
    }
    (found,) = [f for f in audit("CEL201", files) if f.path == "shop/views.py"]
    assert found.line == 7
    assert found.related == (("shop/tasks.py", 11, "sends here"),)


def test_receiver_of_a_models_signal() -> None:
    source = """
@receiver(post_save, sender="shop.Order")
def saved(sender, instance, **kwargs):
    ship.delay(instance.pk)
"""
    (found,) = audit("CEL201", TASKS + source)
    assert found.severity is Severity.MEDIUM
    assert "receiver of post_save" in found.message


def test_receiver_that_is_connected() -> None:
    source = """
def saved(sender, instance, **kwargs):
    ship.delay(instance.pk)

def other(sender, **kwargs):
    ship.delay(1)

post_save.connect(saved, sender="shop.Order")
"""
    assert lines(audit("CEL201", TASKS + source)) == [11]


def test_the_cure_cures(tmp_path: Path) -> None:
    source = (
        TASKS
        + """
def buy(order):
    with transaction.atomic():
        ship.apply_async(
            (order.pk,),  # the key
            queue="slow",
        )
"""
    )
    (tmp_path / "tasks.py").write_text(source)
    (before, after) = cured(audit("CEL201", source), tmp_path).files["tasks.py"]
    assert before.decode() == source
    assert b"transaction.on_commit(partial(ship.apply_async," in after
    assert b"# the key" in after
    assert b"from functools import partial" in after
    assert not audit("CEL201", after.decode())


def test_atomic_requests_and_views() -> None:
    settings = 'DATABASES = {"default": {"ENGINE": "x", "ATOMIC_REQUESTS": True}}\n'
    views = (
        TASKS
        + """
def buy(request):
    ship.delay(1)

@transaction.non_atomic_requests
def sell(request):
    ship.delay(1)

def helper(order):
    ship.delay(1)
"""
    )
    assert lines(audit("CEL201", {"views.py": views, "settings.py": settings})) == [11]
    settings = 'DATABASES = read()\nDATABASES["default"]["ATOMIC_REQUESTS"] = True\n'
    assert lines(audit("CEL201", {"views.py": views, "settings.py": settings})) == [11]
    assert not audit("CEL201", {"views.py": views, "settings.py": "DATABASES = {}\n"})


def test_sqlalchemy() -> None:
    found = audit(
        "CEL201",
        """
        from celery import shared_task
        from sqlalchemy.orm import Session

        @shared_task
        def ship(order_id): ...

        def buy(engine, order, session: Session):
            with Session(engine) as own, own.begin():
                ship.delay(order.id)
            session.add(order)
            ship.delay(order.id)
            session.commit()
            ship.delay(order.id)

        def sell(session, order):
            session.add(order)
            session.commit()
            ship.delay(order.id)
            session.commit()
        """,
    )
    assert lines(found) == [10, 12]
    assert "session.commit" in found[1].message


def test_another_atomic_is_not_djangos() -> None:
    assert not audit(
        "CEL201",
        """
        from celery import shared_task
        from files import atomic

        @shared_task
        def ship(order_id): ...

        def buy(order):
            with atomic():
                ship.delay(1)
        """,
    )


def test_signals_that_always_fire_before_the_commit() -> None:
    found = audit(
        "CEL201",
        """
        from celery import shared_task
        from django.db.models.signals import m2m_changed, post_save, pre_delete
        from django.dispatch import receiver

        @shared_task
        def remove(key): ...

        @receiver(pre_delete)
        def deleted(sender, instance, **kwargs):
            remove.delay(instance.key)

        @receiver([post_save, m2m_changed])
        def changed(sender, instance, **kwargs):
            remove.delay(instance.key)

        def saved(sender, instance, **kwargs):
            remove.delay(instance.key)

        post_save.connect(saved)
        """,
    )
    assert [(f.line, bool(f.doubt)) for f in found] == [(11, False), (15, True), (18, True)]


def test_the_cure_keeps_line_breaks_and_parentheses(tmp_path: Path) -> None:
    source = (
        TASKS
        + """
@transaction.atomic
def buy(order):
    ship.delay(
        order.pk,  # the key
    )
    (ship.delay)(1)
"""
    )
    (tmp_path / "tasks.py").write_text(source)
    changes = cured(audit("CEL201", source), tmp_path)
    after = changes.files["tasks.py"][1].decode()
    assert (
        "transaction.on_commit(partial(ship.delay,\n        order.pk,  # the key\n    ))" in after
    )
    assert "    transaction.on_commit(partial(ship.delay, 1))\n" in after
    assert not audit("CEL201", after)


OWN = """
import contextlib
import functools
from functools import partial
from celery import shared_task
from django.conf import settings
from django.db import models, transaction
from django.db.transaction import Atomic

class Order(models.Model): ...

@shared_task
def ship(pk): ...

"""


@pytest.mark.parametrize(
    "own",
    [
        """
        @contextlib.contextmanager
        def own(label):
            with transaction.atomic():
                yield label
        """,
        """
        @contextlib.contextmanager
        def inner():
            with transaction.atomic(using="main"), open("x"):
                print(1)
                yield
        @contextlib.contextmanager
        def own(label):
            try:
                with inner():
                    yield
            finally:
                print(label)
        """,
        "class own(Atomic):\n    def __init__(self, label): super().__init__(None, True, False)",
        """
        class own(contextlib.ContextDecorator):
            def __init__(self, label):
                self.atomic = transaction.atomic()
            def __enter__(self):
                self.atomic.__enter__()
            def __exit__(self, *error):
                return self.atomic.__exit__(*error)
        """,
        "own = partial(transaction.atomic, durable=True)",
        "own = transaction.atomic",
    ],
)
def test_a_context_manager_of_the_projects_own(own: str) -> None:
    use = (
        "def buy(order):\n    with own('x'):\n        order.save()\n        ship.delay(order.pk)\n"
    )
    source = OWN + dedent(own) + "\n" + use
    (found,) = audit("CEL201", source)
    assert found.line == len(source.splitlines())
    assert found.severity is Severity.HIGH


@pytest.mark.parametrize(
    "own",
    [
        """
        def own(func):
            @functools.wraps(func)
            def inner(*args, **kwargs):
                with transaction.atomic():
                    return func(*args, **kwargs)
            return inner
        """,
        """
        def own(func):
            return transaction.atomic(func)
        """,
        """
        def own(func):
            @transaction.atomic
            def inner(*args):
                return func(*args)
            return inner
        """,
    ],
)
def test_a_decorator_of_the_projects_own(own: str) -> None:
    source = (
        OWN + dedent(own) + "\n@own\ndef buy(order):\n    order.save()\n    ship.delay(order.pk)\n"
    )
    assert lines(audit("CEL201", source)) == [len(source.splitlines())]


def test_managers_that_open_none() -> None:
    source = (
        OWN
        + """
@contextlib.contextmanager
def timed():
    with transaction.atomic():
        print("begin")
    yield

@contextlib.contextmanager
def plain():
    yield

def logged(func):
    def inner(*args):
        with transaction.atomic():
            print("note")
        return func(*args)
    return inner

@logged
def buy(order):
    with timed(), plain():
        order.save()
        ship.delay(order.pk)
"""
    )
    assert audit("CEL201", source) == []


@pytest.mark.parametrize(
    ("block", "severity"),
    [
        ("with transaction.atomic(using=settings.REPLICA):\n        Order.objects.count()", None),
        (
            "with transaction.atomic(using='read_replica'):\n        order.save()",
            Severity.MEDIUM,
        ),
        (
            "with transaction.atomic():\n        ids = list(Order.objects.filter(a=1))",
            Severity.MEDIUM,
        ),
        ("with transaction.atomic():\n        Order.objects.filter(a=1).delete()", Severity.HIGH),
        ("with transaction.atomic():\n        note(order)", Severity.HIGH),
        ("with transaction.atomic():\n        pass", Severity.HIGH),
    ],
)
def test_blocks_that_only_read(block: str, severity: Severity | None) -> None:
    found = audit("CEL201", OWN + f"def f(order):\n    {block}\n        ship.delay(1)\n")
    assert [f.severity for f in found] == ([severity] if severity is not None else [])
