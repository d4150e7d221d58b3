"""What the reference and the kit each have, because neither imports the other."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.name for path in (ROOT / "shared" / "metrics").glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_the_two_packages_are_the_same(name):
    theirs = (ROOT / "shared" / "metrics" / name).read_text()
    ours = (ROOT / "offcanvas" / "metrics" / name).read_text()
    assert ours == theirs.replace("shared.metrics", "offcanvas.metrics")


def test_nothing_is_forgotten():
    assert {"vocabulary.py", "counting.py", "watching.py", "sight.py", "__init__.py"} <= set(NAMES)


def body(path: Path) -> str:
    return path.read_text().partition("class CountedRequest")[2]


def test_celery_workers_count_the_same():
    theirs = body(ROOT / "celery_impl" / "counted.py")
    assert theirs == body(ROOT / "offcanvas" / "engines" / "celery" / "counted.py")
    assert "def on_failure" in theirs


def test_messages_say_the_same():
    theirs = (ROOT / "celery_impl" / "stamp.py").read_text()
    assert theirs == (ROOT / "offcanvas" / "engines" / "celery" / "stamp.py").read_text()


def test_temporal_workers_give_the_metrics_of_the_sdk_the_same_port():
    begin = "def _free_port"
    theirs = (ROOT / "temporal_impl" / "telemetry.py").read_text().partition(begin)
    ours = (ROOT / "offcanvas" / "engines" / "temporal" / "telemetry.py").read_text()
    assert theirs[1] == begin
    assert theirs[2] == ours.partition(begin)[2]
