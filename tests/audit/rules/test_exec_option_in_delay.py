from tests.audit.helpers import audit, lines


def test_options_become_arguments() -> None:
    found = audit(
        "CEL206",
        """
        from celery import shared_task

        @shared_task
        def mail(to, copy=None): ...

        mail.delay("a", countdown=5)
        mail.delay(to="a", queue="slow", expires=60)
        """,
    )
    assert lines(found) == [7, 8]
    assert "expires, queue" in found[1].message
    assert [e.text for f in found for e in f.edits] == [
        'mail.apply_async(("a",), countdown=5)',
        'mail.apply_async((), {"to": "a"}, queue="slow", expires=60)',
    ]


def test_a_parameter_of_that_name_is_the_tasks_own() -> None:
    assert not audit(
        "CEL206",
        """
        from celery import shared_task

        @shared_task
        def enqueue(item, queue): ...

        enqueue.delay(1, queue="slow")
        """,
    )


def test_kwargs_leave_doubt() -> None:
    found = audit(
        "CEL206",
        """
        from celery import shared_task

        @shared_task
        def anything(**options): ...

        anything.delay(priority=3)
        """,
    )
    assert "**kwargs" in found[0].doubt
    assert not found[0].edits


def test_another_delay_is_not_celerys() -> None:
    assert not audit("CEL206", "import rq\nrq.job.delay(1, countdown=5)\n")


def test_task_of_another_module_through_a_re_export() -> None:
    files = {
        "shop/__init__.py": "from shop.jobs.mail import mail as send_mail\n",
        "shop/jobs/__init__.py": "",
        "shop/jobs/mail.py": """
            from celery import shared_task as job

            @job
            def mail(to): ...
        """,
        "shop/views.py": "import shop as s\n\ns.send_mail.delay(1, eta=2)\n",
    }
    assert [(f.path, f.line) for f in audit("CEL206", files)] == [("shop/views.py", 3)]
