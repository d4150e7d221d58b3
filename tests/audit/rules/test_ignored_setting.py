from pathlib import Path

from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

CELERY = """
from celery import Celery
app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
"""


def test_a_misspelled_name_and_what_is_meant() -> None:
    (found,) = audit(
        "CEL105", {"shop/celery.py": CELERY, "shop/settings.py": "CELERY_TASK_ACK_LATE = True\n"}
    )
    assert found.severity is Severity.HIGH
    assert "CELERY_TASK_ACKS_LATE is known" in found.message


def test_old_names_and_those_of_other_packages_are_fine() -> None:
    settings = """
        CELERY_ACKS_LATE = True
        CELERYD_PREFETCH_MULTIPLIER = 4
        CELERY_TASK_TIME_LIMIT = 10
        CELERY_EMAIL_CHUNK_SIZE = 3
        CELERY_REDBEAT_REDIS_URL = "redis://x"
    """
    assert not audit("CEL105", {"shop/celery.py": CELERY, "shop/settings.py": settings})


def test_a_name_that_the_project_reads_itself() -> None:
    files = {
        "shop/celery.py": CELERY,
        "shop/settings.py": 'CELERY_FEEDS_QUEUE = env("CELERY_FEEDS_QUEUE")\nCELERY_OTHER = 1\n',
        "shop/feeds.py": "queue = settings.CELERY_FEEDS_QUEUE\n",
        "shop/more.py": 'more = getattr(settings, "CELERY_OTHER", None)\n',
    }
    assert not audit("CEL105", files)
    (found,) = audit("CEL105", {k: v for k, v in files.items() if k != "shop/feeds.py"})
    assert found.line == 1
    assert found.severity is Severity.MEDIUM


def test_deduplication_without_a_backend_that_remembers() -> None:
    app = 'from celery import Celery\napp = Celery("a", backend="{}")\n'
    conf = "app.conf.worker_deduplicate_successful_tasks = True\n"
    (found,) = audit("CEL105", app.format("rpc://") + conf)
    assert "rpc://" in found.message
    assert not audit("CEL105", app.format("redis://x") + conf)


def test_misspelled_options_of_tasks() -> None:
    found = audit(
        "CEL105",
        """
        from celery import Task, shared_task

        class Counted(Task):
            ignore_results = 3

        @shared_task(ignore_results=True)
        def one(): ...

        @shared_task(ignore_result=True, region="eu")
        def two(): ...

        @shared_task(base=Counted, ignore_results=True)
        def three(): ...
        """,
    )
    assert lines(found) == [8]
    assert "ignore_result is known" in found[0].message


def test_other_attributes_of_a_settings_class() -> None:
    found = audit(
        "CEL105",
        """
        from celery import Celery

        class Base:
            registry_url = "https://example.org"
            task_acks_lates = True

        class Production(Base):
            pass

        def configure(app: Celery) -> None:
            config = Base
            if app.main:
                config = Production
            app.config_from_object(config)
        """,
    )
    assert lines(found) == [6]


def test_names_that_only_back_ends_read() -> None:
    from celery import backends

    from offcanvas.audit.celery_options import READ_BY_BACKENDS, SETTINGS

    names = "".join(f"CELERY_{n.upper()} = 1\n" for n in sorted(READ_BY_BACKENDS))
    files = {
        "shop/celery.py": """
        from celery import Celery
        app = Celery("shop")
        app.config_from_object("shop.settings", namespace="CELERY_")
        """,
        "shop/settings.py": names,
    }
    assert audit("CEL105", files) == []
    folder = Path(backends.__file__).parent
    text = "".join(path.read_text() for path in folder.glob("*.py"))
    assert [n for n in READ_BY_BACKENDS if n not in text] == []
    assert not READ_BY_BACKENDS & SETTINGS.keys()


def test_constants_of_a_file_that_is_not_given_to_celery() -> None:
    files = {
        "shop/celery.py": """
        from celery import Celery
        app = Celery("shop")
        app.config_from_object("django.conf:settings", namespace="CELERY")
        """,
        "shop/settings/base.py": "CELERY_IGNORE_RESULTS = True\n",
        "shop/names.py": "CELERY_LOG_FORMAT = 'x'\n",
    }
    assert [f.path for f in audit("CEL105", files)] == ["shop/settings/base.py"]
    files["shop/celery.py"] = files["shop/celery.py"].replace("django.conf:settings", "shop.conf")
    files["shop/celery.py"] = files["shop/celery.py"].replace(', namespace="CELERY"', "")
    files["shop/conf.py"] = "task_acks_late = True\n"
    assert audit("CEL105", files) == []
