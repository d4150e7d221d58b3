"""The text of a comparison: what repeats is said once, and it fits on a screen."""

from collections import Counter

from offcanvas.checking.report import Report, Verdict, Word, as_text
from offcanvas.checking.seen import Difference, Seen, What


def report(*differences: Difference, engines: int = 1) -> Report:
    real = Seen(answers=frozenset({"gave 1"}), ran=Counter(), called=Counter())
    verdicts = tuple(Verdict(f"engine{i}", Word.DIFFERS, differences) for i in range(engines))
    return Report(real, verdicts, ("one deviation",))


def ran(task: str, *numbers: int) -> list[Difference]:
    return [
        Difference(What.TASKS, f"{task}({n}, 'x') ran once; on Celery {n + 2} times")
        for n in numbers
    ]


def test_a_difference_that_repeats_is_said_once_with_its_count() -> None:
    text = as_text(report(*ran("shop.double", *range(40)), *ran("shop.total", 1)))
    assert text.count("shop.double(") == 1
    assert "shop.double(0, 'x') ran once; on Celery 2 times (40 such differences)" in text
    assert text.count("shop.total(1, 'x')") == 1
    assert "shop.total(1, 'x') ran once; on Celery 3 times\n" in text
    verbose = as_text(report(*ran("shop.double", *range(40))), verbose=True)
    assert verbose.count("shop.double(") == 40
    assert "such differences" not in verbose


def test_no_report_is_longer_than_a_screen_unless_it_is_verbose() -> None:
    many = [d for letter in "abcdefghijklmnopqrstuvwxyz" for d in ran(f"shop.{letter}", 1)]
    for engines in (1, 2, 3):
        text = as_text(report(*many, engines=engines))
        assert len(text.splitlines()) <= 24
        assert text.count("more; --verbose shows all") == engines
        assert len(as_text(report(*many, engines=engines), verbose=True).splitlines()) > 26


def test_a_short_report_says_everything() -> None:
    text = as_text(report(*ran("shop.a", 1), *ran("shop.b", 1)))
    assert "shop.a(1, 'x')" in text
    assert "shop.b(1, 'x')" in text
    assert "more;" not in text
