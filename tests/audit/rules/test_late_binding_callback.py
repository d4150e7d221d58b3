from pathlib import Path

from offcanvas.audit.finding import Severity
from offcanvas.audit.fix import cured
from tests.audit.helpers import audit, lines

TASKS = """
from celery import shared_task
from django.db import transaction

@shared_task
def index(pk, again=False): ...
"""


def test_lambdas_functions_and_comprehensions() -> None:
    found = audit(
        "CEL202",
        TASKS
        + """
def save(documents):
    for document in documents:
        transaction.on_commit(lambda: index.delay(document.pk, again=True))
    for number, document in enumerate(documents):
        pk = document.pk
        def send():
            index.delay(pk)
        transaction.on_commit(send)
    [transaction.on_commit(lambda: index.delay(pk)) for pk in documents]
""",
    )
    assert lines(found) == [10, 15, 16]
    assert [[e.text for e in f.edits] for f in found] == [
        ["partial(index.delay, document.pk, again=True)"],
        [],
        ["partial(index.delay, pk)"],
    ]


def test_values_that_are_bound_or_do_not_change() -> None:
    assert not audit(
        "CEL202",
        TASKS
        + """
def save(documents, owner):
    for document in documents:
        transaction.on_commit(lambda pk=document.pk: index.delay(pk))
        transaction.on_commit(lambda: index.delay(owner.pk))
    transaction.on_commit(lambda: index.delay(document.pk))
    for document in documents:
        if document.ok:
            transaction.on_commit(lambda: index.delay(document.pk))
            break
""",
    )


EACH = (
    TASKS
    + """
def save(documents):
    for document in documents:
        with transaction.atomic():
            transaction.on_commit(lambda: index.delay(document.pk))
"""
)


def test_a_transaction_of_each_round_calls_back_in_its_round() -> None:
    assert not audit("CEL202", EACH)
    assert not audit("CEL202", EACH + "\ndef all_of(documents):\n    save(documents)\n")


def test_a_transaction_of_each_round_within_another() -> None:
    (found,) = audit(
        "CEL202",
        {
            "tasks.py": EACH,
            "views.py": """
            from django.db import transaction
            from tasks import save

            @transaction.atomic
            def store(documents):
                save(documents)
            """,
        },
    )
    assert (found.severity, found.doubt) == (Severity.HIGH, "")
    (found,) = audit(
        "CEL202", {"tasks.py": EACH, "settings.py": 'DATABASES = {"a": {"ATOMIC_REQUESTS": True}}'}
    )
    assert found.severity is Severity.MEDIUM
    assert "around the loop" in found.doubt


def test_a_condition_that_picks_one_item() -> None:
    found = audit(
        "CEL202",
        TASKS
        + """
def save(forms):
    for form in forms:
        if form.prefix == "members":
            if found := form.members():
                transaction.on_commit(lambda: index.delay(found))
    for form in forms:
        if form.prefix != "members":
            found = form.members()
            transaction.on_commit(lambda: index.delay(found))
""",
    )
    assert lines(found) == [16]


def test_arguments_that_do_something_are_not_moved() -> None:
    (found,) = audit(
        "CEL202",
        TASKS
        + """
def save(documents):
    for document in documents:
        transaction.on_commit(lambda: index.delay(document.reload()))
""",
    )
    assert not found.edits


def test_a_name_that_is_bound_under_a_condition_leaves_doubt() -> None:
    (found,) = audit(
        "CEL202",
        TASKS
        + """
def save(forms):
    for form in forms:
        if form.prefix == "members" and (members := form.new()):
            transaction.on_commit(lambda: index.delay(members))
""",
    )
    assert "condition" in found.doubt


def test_the_cure_cures(tmp_path: Path) -> None:
    source = (
        TASKS
        + """
def save(documents):
    for document in documents:
        transaction.on_commit(lambda: index.delay(document.pk), robust=True)
"""
    )
    (tmp_path / "tasks.py").write_text(source)
    (_, after) = cured(audit("CEL202", source), tmp_path).files["tasks.py"]
    assert b"on_commit(partial(index.delay, document.pk), robust=True)" in after
    assert not audit("CEL202", after.decode())
