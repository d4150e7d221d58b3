from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

TASKS = """
import smtplib
import requests
import httpx
from urllib.request import urlopen
from celery import shared_task
"""


def test_calls_that_wait_for_ever() -> None:
    found = audit(
        "CEL310",
        TASKS
        + """
@shared_task
def load(url, options):
    requests.get(url)
    urlopen(url, None)
    smtplib.SMTP("mail", 25)
    requests.post(url, timeout=None)
    httpx.get(url, timeout=None)
    with requests.Session() as session:
        session.put(url)
    requests.get(url, **options)
""",
    )
    assert lines(found) == [10, 11, 12, 13, 14, 16, 17]
    assert [f.severity for f in found][-2:] == [Severity.MEDIUM, Severity.LOW]


def test_limits_and_other_names() -> None:
    assert not audit(
        "CEL310",
        TASKS
        + """
@shared_task
def load(url, requests_like, cache):
    requests.get(url, timeout=3)
    urlopen(url, None, 5)
    httpx.get(url)
    requests_like.get(url)
    cache.get(url)
    session = requests.Session()
    session.get(url, timeout=4)
    smtplib.SMTP("mail", 25, None, 10)

def view(url):
    requests.get(url)
""",
    )


def test_one_helper_away() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/api.py": "import requests\n\ndef fetch(url):\n    return requests.get(url)\n",
        "shop/tasks.py": """
            from celery import shared_task
            from shop.api import fetch

            @shared_task
            def load(url):
                return fetch(url)
        """,
    }
    (found,) = audit("CEL310", files)
    assert (found.path, found.line) == ("shop/tasks.py", 7)
    assert found.related == (("shop/api.py", 4, "waits here"),)


def test_doubts() -> None:
    found = audit(
        "CEL310",
        TASKS
        + """
@shared_task(time_limit=60)
def limited(url):
    requests.get(url)

@shared_task
def adapted(url, adapter):
    session = requests.Session()
    session.mount("https://", adapter)
    session.get(url)
""",
    )
    assert ["time_limit" in f.doubt or "adapter" in f.doubt for f in found] == [True, True]


def test_a_default_for_all_sockets() -> None:
    assert not audit(
        "CEL310",
        TASKS
        + """
import socket
socket.setdefaulttimeout(10)

@shared_task
def load(url):
    urlopen(url)
""",
    )
