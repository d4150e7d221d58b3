from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit

APP = """
import os
from celery import Celery
app = Celery("shop")
"""


def test_an_address_in_django_settings() -> None:
    files = {
        "shop/celery.py": """
            from celery import Celery
            app = Celery("shop")
            app.config_from_object("django.conf:settings", namespace="CELERY")
        """,
        "shop/settings.py": 'DEBUG = False\nCELERY_BROKER_URL = "amqps://rabbit//"\n',
    }
    (found,) = audit("CEL102", files)
    assert (found.path, found.line, found.severity) == ("shop/settings.py", 2, Severity.HIGH)


def test_confirms_in_every_form() -> None:
    for confirm in (
        'app.conf.broker_transport_options = {"confirm_publish": True}',
        'app.conf.update(broker_transport_options={"confirm_publish": True})',
        'app.conf.broker_transport_options["confirm_publish"] = True',
    ):
        assert not audit("CEL102", APP + f'app.conf.broker_url = "amqp://x"\n{confirm}\n'), confirm


def test_another_broker_or_none_that_can_be_read() -> None:
    assert not audit("CEL102", APP + 'app.conf.broker_url = "redis://x"\n')
    assert not audit("CEL102", APP + 'app.conf.broker_url = os.environ["BROKER"]\n')
    assert not audit("CEL102", 'broker_url = "amqp://not-of-celery"\n')


def test_a_default_address_leaves_doubt() -> None:
    (found,) = audit("CEL102", APP + 'app.conf.broker_url = os.environ.get("B", "amqp://x")\n')
    assert found.severity is Severity.MEDIUM
    assert "default" in found.doubt


def test_options_that_cannot_be_read_leave_doubt() -> None:
    (found,) = audit(
        "CEL102",
        APP + 'app.conf.update(broker_url="amqp://x", broker_transport_options=load())\n',
    )
    assert "cannot be read" in found.doubt


def test_an_address_with_a_host_from_elsewhere() -> None:
    (found,) = audit("CEL102", APP + 'app.conf.broker_url = f"amqp://{host()}//"\n')
    assert found.severity is Severity.HIGH
    assert not audit("CEL102", APP + 'app.conf.broker_url = f"{url()}//"\n')
