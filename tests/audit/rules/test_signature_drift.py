import pytest

from offcanvas.audit.finding import Finding
from tests.audit.helpers import audit

HEAD = "from celery import shared_task\n"
SEND = "def send():\n    work.delay(1)\n    work.delay(b=2, a=1)\n"


def drift(before: str, after: str, more: str = "") -> list[Finding]:
    return audit(
        "CEL503",
        {
            "shop/tasks.py @ before": f"{HEAD}@shared_task\ndef work({before}): ...\n{more}",
            "shop/tasks.py": f"{HEAD}@shared_task\ndef work({after}): ...\n",
        },
    )


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("a", "a, b", "new parameter 'b'"),
        ("a, b", "a", "no parameter 'b'"),
        ("a, b=1", "a, b", "no default for 'b'"),
        ("a, b", "b, a", "'a' at another place"),
        ("a, b=1", "a, c=2, b=1", "'b' at another place"),
        ("a, *, b=1", "a", "no parameter 'b'"),
        ("a, b", "a, *, b", "'b' at another place"),
        ("a", "", "no parameter 'a'"),
    ],
)
def test_what_old_messages_do_not_fit(before: str, after: str, says: str) -> None:
    found = drift(before, after)
    assert any(says in f.message for f in found)
    assert not found[0].doubt


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a", "a, b=None"),
        ("a", "a, *, b=None"),
        ("a", "a, *args, **kwargs"),
        ("a", "*args, **kwargs"),
        ("a, b", "a, b=1"),
        ("a, b", "a, b"),
        ("*args, **kwargs", "*args, x=1, **kwargs"),
    ],
)
def test_what_they_fit(before: str, after: str) -> None:
    assert not drift(before, after)


def test_a_renamed_parameter_matters_to_who_names_it() -> None:
    (by_place,) = drift("a, b", "a, c", "def send():\n    work.delay(1, 2)\n")
    assert by_place.doubt
    (by_name,) = drift("a, b", "a, c", SEND)
    assert not by_name.doubt
    assert "renamed 'b' to 'c'" in by_name.message


def test_a_task_that_moved_and_one_that_is_gone() -> None:
    tasks = f"{HEAD}@shared_task\ndef one(): ...\n@shared_task\ndef two(): ...\n"
    found = audit(
        "CEL503",
        {
            "shop/tasks.py @ before": tasks,
            "shop/tasks.py": "",
            "shop/other.py": f"{HEAD}@shared_task\ndef one(): ...\n",
        },
    )
    assert [f.path for f in found] == ["shop/other.py", "shop/tasks.py"]
    assert "is now called" in found[0].message
    assert "is gone" in found[1].message


def test_a_name_that_stays() -> None:
    old = f"{HEAD}@shared_task(name='work')\ndef one(x): ...\n"
    assert not audit("CEL503", {"a.py @ before": old, "b.py": old.replace("def one", "def two")})


def test_a_bound_task_has_no_self() -> None:
    old = f"{HEAD}@shared_task\ndef work(x): ...\n"
    new = f"{HEAD}@shared_task(bind=True)\ndef work(self, x): ...\n"
    assert not audit("CEL503", {"a.py @ before": old, "a.py": new})


def test_silent_without_an_earlier_project() -> None:
    assert not audit("CEL503", f"{HEAD}@shared_task\ndef work(x): ...\n")
