import pytest

from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

TASKS = """
from celery import shared_task
from django.db import models, transaction
from django.db.models import F

ADD = "INSERT INTO rows VALUES (1)"
ADD_ONCE = "INSERT INTO rows VALUES (1) ON CONFLICT DO NOTHING"

class Row(models.Model):
    x = models.IntegerField()

class Keyed(models.Model):
    x = models.IntegerField(unique=True)

class Together(models.Model):
    x = models.IntegerField()
    class Meta:
        unique_together = [("x",)]
"""


def test_writes_before_something_that_is_retried() -> None:
    found = audit(
        "CEL306",
        TASKS
        + """
@shared_task(autoretry_for=(OSError,))
def one(x, cursor):
    Row.objects.create(x=x)
    Row.objects.filter(x=x).update(x=F("x") + 1)
    cursor.execute(ADD)
    call(x)

@shared_task(bind=True)
def two(self, x):
    try:
        Row.objects.create(x=x)
        call(x)
    except OSError as error:
        raise self.retry(exc=error)
""",
    )
    assert [(f.line, f.severity) for f in found] == [
        (22, Severity.HIGH),
        (23, Severity.HIGH),
        (24, Severity.MEDIUM),
        (30, Severity.HIGH),
    ]


def test_what_is_there_only_once() -> None:
    assert not audit(
        "CEL306",
        TASKS
        + """
@shared_task(autoretry_for=(OSError,))
def keyed(x, cursor):
    Keyed.objects.create(x=x)
    Together.objects.create(x=x)
    Row.objects.create(pk=x)
    Row.objects.get_or_create(x=x)
    Row.objects.bulk_create([Row(x=x)], ignore_conflicts=True)
    Row.objects.filter(x=x).update(x=2)
    cursor.execute(ADD_ONCE)
    call(x)

@shared_task(autoretry_for=(OSError,))
def asked(x):
    if not Row.objects.filter(x=x).exists():
        Row.objects.create(x=x)
        call(x)

@shared_task(autoretry_for=(OSError,))
def together(x):
    with transaction.atomic():
        Row.objects.create(x=x)
        call(x)

@shared_task(autoretry_for=(OSError,))
def last(x):
    call(x)
    Row.objects.create(x=x)

@shared_task(bind=True)
def before(self, x):
    if call(x):
        raise self.retry()
    try:
        call(x)
    except OSError:
        Row.objects.create(x=x)
    Row.objects.create(x=x)
    call(x)

@shared_task(bind=True)
def either(self, x):
    if call(x):
        Row.objects.create(x=x)
    else:
        raise self.retry()
""",
    )


def test_late_acknowledgement_leaves_doubt() -> None:
    found = audit(
        "CEL306",
        TASKS
        + """
@shared_task(acks_late=True)
def one(x):
    Row.objects.create(x=x)

@shared_task
def early(x):
    Row.objects.create(x=x)
""",
    )
    assert lines(found) == [22]
    assert found[0].severity is Severity.MEDIUM
    assert "acknowledgement" in found[0].doubt


LOOK = """
from celery import shared_task
from django.db import models, transaction

class Visit(models.Model):
    page = models.TextField({unique})

@shared_task(acks_late={late}, reject_on_worker_lost=True)
def note(page):
    {body}
"""
GET = "try: Visit.objects.get(page=page)\n"
FIRST = (
    "seen = Visit.objects.filter(page=page).first()\n    if seen is None:\n"
    "        Visit.objects.create(page=page)"
)


@pytest.mark.parametrize(
    ("body", "late", "unique", "found"),
    [
        (FIRST, True, "", True),
        (FIRST.replace("first()", "exists()"), True, "", True),
        (
            GET + "    except KeyError: Visit.objects.create(page=page)",
            True,
            "",
            True,
        ),
        (FIRST, False, "", False),
        (FIRST, True, "unique=True", False),
        (FIRST.replace("filter(", "select_for_update().filter("), True, "", False),
        ("with page.lock():\n        pass\n    " + FIRST, True, "", False),
        ("Visit.objects.get_or_create(page=page)", True, "", False),
    ],
)
def test_look_then_insert(body: str, late: bool, unique: str, found: bool) -> None:
    told = audit("CEL306", LOOK.format(body=body, late=late, unique=unique))
    assert [f.severity for f in told] == ([Severity.MEDIUM] if found else [])
    assert all(f.doubt for f in told)
