import pytest
from celery.app import defaults

from offcanvas.audit.celery_options import OLD_NAMES, SETTINGS
from tests.audit.helpers import project

APP = "from celery import Celery\napp = Celery('shop', broker='pyamqp://host')\n"


def test_the_table_is_celerys_own() -> None:
    known = {key for key, _ in defaults.flatten(defaults.NAMESPACES)}
    assert set(SETTINGS) == known
    for key, option in defaults.flatten(defaults.NAMESPACES):
        if isinstance(option.default, bool | int | str) and SETTINGS[key] is not None:
            assert SETTINGS[key] == option.default, key


def test_old_names_are_mapped_as_celery_maps_them() -> None:
    for old, new in OLD_NAMES.items():
        assert new in SETTINGS, old


def test_every_form_on_an_app() -> None:
    settings = project(
        APP + "LATE = True\napp.conf.task_acks_late = LATE\napp.conf['result_expires'] = 60 * 60\n"
        "app.conf.update(task_track_started=True, **{'worker_prefetch_multiplier': 1})\n"
    ).settings
    assert settings.is_on("task_acks_late")
    assert settings.literal("result_expires") == 3600
    assert settings.is_on("task_track_started")
    assert settings.literal("worker_prefetch_multiplier") == 1
    assert settings.broker == "amqp"
    assert settings.literal("task_ignore_result") is False


def test_a_module_and_a_class_named_by_config_from_object() -> None:
    settings = project(
        {
            "conf.py": "task_acks_late = True\nunrelated = 1\n",
            "app.py": APP + "app.config_from_object('conf')\n"
            "class Other:\n    result_expires = 5\napp.config_from_object(Other)\n",
        }
    ).settings
    assert settings.is_on("task_acks_late")
    assert settings.literal("result_expires") == 5


def test_django_settings_with_unknown_and_old_names() -> None:
    settings = project(
        {
            "app.py": APP + "app.config_from_object('django.conf:settings', namespace='CELERY')\n",
            "settings.py": "CELERY_TASK_ACKS_LATE = True\nCELERY_ACKS_LATE = True\n"
            "CELERY_IGNORE_RESULTS = True\n",
        }
    ).settings
    assert [s.key for s in settings.written if s.path == "settings.py"] == [
        "task_acks_late",
        "task_acks_late",
        None,
    ]


def test_settings_of_a_class() -> None:
    settings = project(
        {
            "app.py": APP + "app.config_from_object('django.conf:settings', namespace='CELERY')\n",
            "settings.py": "class Base:\n    CELERY_TASK_TIME_LIMIT = 60\n",
        }
    ).settings
    assert settings.literal("task_time_limit") == 60


def test_beat_entries_of_every_form() -> None:
    beat = project(
        {
            "tasks.py": "from celery import shared_task\n@shared_task\ndef f(): ...\n",
            "app.py": APP + "from celery.schedules import crontab\nfrom tasks import f\n"
            "app.conf.beat_schedule = {'a': {'task': 'tasks.f', 'schedule': 60.0},\n"
            "  'b': {'task': f.name, 'schedule': crontab(hour=3), 'options': {'expires': 5}},\n"
            "  'c': {'task': 'gone.f', 'schedule': 1}}\n"
            "@app.on_after_configure.connect\ndef setup(sender, **kw):\n"
            "    sender.add_periodic_task(10.0, f.s(), name='d')\n",
        }
    ).beat
    assert [(e.key, e.task, e.resolved is not None) for e in beat] == [
        ("a", "tasks.f", True),
        ("b", "tasks.f", True),
        ("c", "gone.f", False),
        ("d", "tasks.f", True),
    ]
    assert list(beat[1].options) == ["expires"]


def test_a_settings_class_behind_a_variable_with_its_bases() -> None:
    settings = project(
        """
        from celery import Celery

        class Base:
            task_acks_late = True
            broker_url = "redis://a"

        class Production(Base):
            broker_url = "amqp://b"

        class Testing(Production):
            broker_url = "memory://"

        def configure(app: Celery, testing):
            config = Production
            if testing:
                config = Testing()
            app.config_from_object(config)
        """
    ).settings
    assert settings.is_on("task_acks_late")
    assert len(settings.all("task_acks_late")) == 1
    assert [s.line for s in settings.all("broker_url")] == [9, 12]


HELD = """
class Holder:
    def __init__(self):
        self.app = Celery('x', broker='amqp://x')
    def late(self):
        LATE
"""
ITEM = "apps = {'a': Celery('x', broker='amqp://x')}\napps['a']"


@pytest.mark.parametrize(
    "app",
    [
        "class Loud(Celery): ...\na = Loud('x', broker='amqp://x')\na.conf.task_acks_late = True",
        "app = Celery('x', broker='amqp://x', changes={'task_acks_late': True})",
        f"{ITEM}.conf.task_acks_late = True",
        f"{ITEM}.conf.update(task_acks_late=True)",
        HELD.replace("LATE", "self.app.conf.task_acks_late = True"),
        HELD.replace("LATE", "self.app.conf.update({'task_acks_late': True})"),
        """
def make():
    app = Celery('x', broker='amqp://x')
    app.conf['task_acks_late'] = True
    return app
""",
        """
from tenants import App
app = App('x')
app.config_from_object('x')
app.conf.broker_url = 'amqp://x'
app.conf.setdefault('task_acks_late', True)
""",
    ],
)
def test_settings_of_apps_wherever_they_are_kept(app: str) -> None:
    settings = project("from celery import Celery\n" + app + "\n").settings
    assert settings.is_on("task_acks_late")
    assert settings.literal("broker_url") == "amqp://x"
    assert len(settings.written) == 2


def test_a_namespace_with_an_underscore_and_one_of_the_constructor() -> None:
    for made in (
        "app = Celery('x')\napp.config_from_object('django.conf:settings', namespace='WORK_')",
        "SPACE = 'WORK'\napp = Celery('x', config_source='django.conf:settings', namespace=SPACE)",
    ):
        files = {
            "wood/__init__.py": "",
            "wood/celery.py": f"from celery import Celery\n{made}\n",
            "wood/settings.py": "WORK_TASK_ACKS_LATE = True\nWORK_IGNORE_RESULTS = 1\n",
        }
        keys = [(s.key, s.written) for s in project(files).settings.written]
        assert keys == [("task_acks_late", "WORK_TASK_ACKS_LATE"), (None, "WORK_IGNORE_RESULTS")]
