import pytest

from tests.audit.helpers import audit, lines

TASKS = """
import redis
from celery import shared_task
from django.core.cache import cache

client = redis.Redis()
"""


def test_locks_that_are_none() -> None:
    found = audit(
        "CEL308",
        TASKS
        + """
@shared_task
def work(x):
    running = cache.get(f"running-{x}")
    if running:
        return
    cache.set(f"running-{x}", 1, 60)
    cache.add("a", 1, timeout=None)
    own = redis.Redis()
    own.set("lock", 1, nx=True)
    own.setnx("other", 1)
    lock = own.lock("third")
    lock.acquire()
    call(x)
    lock.release()
""",
    )
    assert lines(found) == [13, 14, 16, 17, 18, 21]


def test_locks_that_hold_and_caches() -> None:
    assert not audit(
        "CEL308",
        TASKS
        + """
@shared_task
def work(x, other):
    value = cache.get(f"value-{x}")
    if value is None:
        value = call(x)
        cache.set(f"value-{x}", value, 60)
    if cache.add("a", 1, 60):
        call(x)
    cache.set("done", True)
    own = redis.Redis()
    own.set("lock", 1, nx=True, ex=60)
    own.setnx("b", 1)
    own.expire("b", 60)
    lock = own.lock("third", timeout=60)
    try:
        call(x)
    finally:
        lock.release()
    other.lock("x")

def view(x):
    if not cache.get("lock"):
        cache.set("lock", 1)
""",
    )


LOCKS = """
from celery import shared_task
from django.core.cache import cache

class Berths:
    def busy(self, key):
        return cache.get(f"berth-{key}")
    def take(self, key):
        cache.set(f"berth-{key}", True, 60)
    def note(self, key, text):
        cache.set(f"berth-{key}", text, 60)

def is_held(name):
    return seen("lock-" + name)

def seen(key):
    return cache.get(key)

def hold(name):
    cache.set("lock-" + name, 1)
"""


@pytest.mark.parametrize(
    ("look", "take", "found"),
    [
        ("berths.busy(ship)", "berths.take(ship)", True),
        ("is_held(ship)", "hold(ship)", True),
        ("not is_held(name=ship)", "hold(ship)", True),
        ("berths.busy(ship)", "berths.take(other)", False),
        ("berths.busy(ship)", "berths.note(ship, other)", False),
        ("ship", "hold(ship)", False),
    ],
)
def test_a_lock_in_helpers(look: str, take: str, found: bool) -> None:
    source = (
        LOCKS
        + f"""
@shared_task
def unload(ship, other):
    berths = Berths()
    if {look}:
        return
    {take}
"""
    )
    assert lines(audit("CEL308", source)) == ([27] if found else [])
