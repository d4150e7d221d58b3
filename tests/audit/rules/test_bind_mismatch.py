from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines


def test_self_without_bind_and_bind_without_self() -> None:
    found = audit(
        "CEL311",
        """
        from celery import Celery, shared_task
        app = Celery("shop")

        @shared_task
        def one(self, x): ...

        @app.task(name="two", queue="q")
        def two(self, x): ...

        @app.task()
        def three(self): ...

        @app.task(bind=True)
        def four(): ...
        """,
    )
    assert lines(found) == [6, 9, 12, 15]
    assert [e.text for f in found for e in f.edits] == [
        "shared_task(bind=True)",
        "bind=True, ",
        "app.task(bind=True)",
    ]
    assert (found[1].edits[0].line, found[1].edits[0].column) == (8, 10)


def test_other_first_names_and_open_options() -> None:
    assert not audit(
        "CEL311",
        """
        from celery import Task, shared_task
        OPTIONS = {"bind": True}

        @shared_task(bind=True)
        def one(task, x): ...

        @shared_task(bind=True)
        def two(*args): ...

        @shared_task(**OPTIONS)
        def three(self, x): ...

        @shared_task
        def four(task): ...

        class Base(Task):
            def run(self, x): ...
        """,
    )


def test_arguments_that_do_not_fit() -> None:
    found = audit(
        "CEL311",
        """
        from celery import Celery
        app = Celery("shop")

        @app.task(bind=True, name="shop.load")
        def load(self, url, retries=3): ...

        load.delay()
        load.delay("a", 1, 2)
        load.apply_async(("a",), {"tries": 3})
        app.send_task("shop.load", ["a", 1, 2])
        load.delay("a", retries=1)
        load.delay(*urls)
        load.s()
        load.delay("a", countdown=3)
        """,
    )
    assert lines(found) == [8, 9, 10, 11]
    assert "misses the argument 'url'" in found[0].message


def test_what_may_change_arguments_is_said_with_doubt() -> None:
    found = audit(
        "CEL311",
        """
        from celery import Task, shared_task
        from shop import with_session

        class Base(Task):
            def apply_async(self, args=None, kwargs=None, **options):
                return super().apply_async((1, *args), kwargs, **options)

        @shared_task(base=Base)
        def one(x, y): ...

        @shared_task
        @with_session
        def two(session, x): ...

        one.delay(1)
        two.delay(1)
        """,
    )
    assert [(f.line, f.severity) for f in found] == [(16, Severity.MEDIUM), (17, Severity.MEDIUM)]
    assert all(f.doubt for f in found)
