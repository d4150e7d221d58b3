from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

APP = """
from celery import Celery, Task
app = Celery("shop")
"""


def test_attributes_of_the_tasks_object() -> None:
    source = (
        APP
        + """
class Scan(Task):
    def __init__(self):
        self.started = 0

    def run(self, context):
        self.context = context
        self.started += 1

@app.task(bind=True)
def scan(self, context):
    self.context = context
"""
    )
    found = audit("CEL309", source)
    assert [(f.line, f.severity) for f in found] == [
        (10, Severity.LOW),
        (11, Severity.MEDIUM),
        (15, Severity.LOW),
    ]
    threads = audit("CEL309", source + 'app.conf.worker_pool = "threads"\n')
    assert {f.severity for f in threads} == {Severity.MEDIUM}


def test_one_connection_for_each_process_is_meant() -> None:
    assert not audit(
        "CEL309",
        APP
        + """
_client = None

class Database(Task):
    _db = None

    @property
    def db(self):
        if self._db is None:
            self._db = connect()
        return self._db

class Plain:
    def run(self, x):
        self.x = x

@app.task(base=Database, bind=True)
def load(self, x):
    global _client
    if _client is None:
        _client = connect()
    if self._db is None:
        self._db = connect()
    self.request.note = x
    other = Plain()
    other.x = x
""",
    )


def test_default_values_that_change() -> None:
    found = audit(
        "CEL309",
        APP
        + """
@app.task
def changed(x, seen=[], *, more={}):
    seen.append(x)
    more[x] = 1

@app.task
def fine(x, seen=[], more={}):
    more = dict(more)
    more[x] = 1
    return [*seen, x]

def plain(x, seen=[]):
    seen.append(x)
""",
    )
    assert lines(found) == [6, 6]
    assert found[0].related == (("tasks.py", 7, "changed here"),)


def test_names_of_the_module() -> None:
    found = audit(
        "CEL309",
        APP
        + """
SEEN = set()
LIMITS = {"a": 1}
count = 0

@app.task
def work(x):
    global count
    count += 1
    SEEN.add(x)
    LIMITS.get(x)

@app.task
def local(x):
    SEEN = set()
    SEEN.add(x)
""",
    )
    assert [(f.line, f.severity) for f in found] == [(12, Severity.MEDIUM), (13, Severity.LOW)]


def test_attributes_that_are_reset() -> None:
    source = (
        APP
        + """
class Scan(Task):
    def run(self, context):
        self.context = context
        self.client = None
        self.client = connect()
        try:
            self.lock = take()
        finally:
            self.lock = None
        self.kept = context

    def after_return(self, *args):
        self.context = None

class Plain(Task):
    def run(self, context):
        self.client = connect()
        self.client = None
"""
    )
    assert lines(audit("CEL309", source)) == [14, 21]
    threads = audit("CEL309", source + 'app.conf.worker_pool = "threads"\n')
    assert lines(threads) == [7, 8, 11, 14, 17, 21]
