from tests.audit.helpers import audit, lines

TASKS = """
from celery import Celery
app = Celery("shop")

@app.task(time_limit=60)
def bounded(): ...

@app.task
def one(): ...

@app.task(time_limit=None)
def two(): ...
"""


def test_one_finding_names_the_first_and_counts_the_others() -> None:
    (found,) = audit("CEL104", TASKS)
    assert found.line == 9
    assert "1 other task" in found.message
    assert found.related == (("tasks.py", 12, "tasks.two has none either"),)


def test_a_limit_for_all_even_one_that_cannot_be_read() -> None:
    assert not audit("CEL104", TASKS + "app.conf.task_time_limit = read()\n")


def test_a_limit_of_the_base_class() -> None:
    assert not audit(
        "CEL104",
        """
        from celery import Task, shared_task

        class Bounded(Task):
            soft_time_limit = 30

        @shared_task(base=Bounded)
        def one(): ...
        """,
    )


def test_soft_limits_in_a_pool_without_them() -> None:
    conf = 'app.conf.update(task_soft_time_limit=30, worker_pool="gevent")\n'
    (found,) = audit("CEL104", TASKS + conf)
    assert "gevent" in found.message
    assert not audit("CEL104", TASKS + conf.replace("gevent", "prefork"))


def test_no_tasks_no_finding() -> None:
    assert lines(audit("CEL104", 'from celery import Celery\napp = Celery("a")\n')) == []


def test_a_base_class_of_another_package_may_set_one() -> None:
    source = """
from celery import Celery, Task
from company.tasks import BaseTask
app = Celery("shop")

class Ours(Task):
    time_limit = 60

class Theirs(BaseTask): ...

@app.task(base=Ours)
def a(): ...

@app.task(base=Theirs)
def b(): ...

@app.task(base=BaseTask)
def c(): ...

@app.task(base=Task)
def d(): ...
"""
    (found,) = audit("CEL104", source)
    assert found.message.startswith("tasks.d has")
