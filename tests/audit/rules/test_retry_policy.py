from tests.audit.helpers import audit, lines


def test_endless_and_for_everything() -> None:
    found = audit(
        "CEL305",
        """
        from celery import shared_task

        @shared_task(bind=True, max_retries=None)
        def endless(self):
            raise self.retry()

        @shared_task(autoretry_for=(Exception,), retry_kwargs={"max_retries": None, "countdown": 5})
        def endless_too(): ...

        @shared_task(autoretry_for=(Exception,), max_retries=3)
        def together(): ...
        """,
    )
    assert lines(found) == [5, 9, 12]


def test_bounded_and_spaced() -> None:
    assert not audit(
        "CEL305",
        """
        from celery import shared_task

        @shared_task(max_retries=None)
        def never_retried(): ...

        @shared_task(autoretry_for=(Exception,), retry_backoff=True, max_retries=3)
        def spaced(): ...

        @shared_task(autoretry_for=(Exception,), retry_kwargs={"countdown": 5})
        def given(): ...

        @shared_task(autoretry_for=(TimeoutError,))
        def named(): ...
        """,
    )


def test_code_after_retry_never_runs() -> None:
    found = audit(
        "CEL305",
        """
        from celery import shared_task

        @shared_task(bind=True)
        def load(self, x):
            if x == 1:
                self.retry(countdown=5)
                print("again")
            if x == 2:
                self.retry(countdown=5)
                return
            if x == 3:
                self.retry(throw=False)
                print("told")
            try:
                print(x)
            except ValueError as error:
                self.retry(exc=error)
            print("done")

        def client(session):
            session.retry()
            print("no task")
        """,
    )
    assert lines(found) == [7]


def test_the_exception_as_the_tasks_arguments() -> None:
    found = audit(
        "CEL305",
        """
        from celery import shared_task

        @shared_task(bind=True)
        def load(self, x):
            try:
                print(x)
            except ValueError as error:
                raise self.retry(error)
            except KeyError as error:
                raise self.retry((x,), exc=error)
        """,
    )
    assert lines(found) == [9]
    assert [e.text for e in found[0].edits] == ["exc=error"]
