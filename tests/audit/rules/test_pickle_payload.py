from tests.audit.helpers import audit, lines

APP = """
import os
from celery import Celery
app = Celery("shop", broker="redis://x")
"""


def test_settings_tasks_and_calls() -> None:
    found = audit(
        "CEL505",
        APP
        + """
app.conf.update(result_serializer="pickle")
app.conf.accept_content = ["json", "application/x-python-serialize"]

@app.task(serializer="pickle")
def load(x): ...

load.apply_async((1,), serializer="pickle")
""",
    )
    assert lines(found) == [6, 7, 10, 12]


def test_names_of_celery_3_and_constants() -> None:
    found = audit(
        "CEL505",
        {
            "shop/settings.py": "FORMAT = 'pickle'\nCELERY_TASK_SERIALIZER = FORMAT\n",
            "shop/app.py": APP + "app.config_from_object('django.conf:settings')\n",
        },
    )
    assert [(f.path, f.line) for f in found] == [("shop/settings.py", 2)]


def test_json_and_other_pickles_are_fine() -> None:
    assert not audit(
        "CEL505",
        APP
        + """
import pickle
SESSION_SERIALIZER = "pickle"
app.conf.accept_content = ["json", "msgpack"]

@app.task(serializer="json")
def load(path):
    return pickle.load(open(path, "rb"))
""",
    )


def test_one_of_several() -> None:
    (found,) = audit(
        "CEL505", APP + "app.conf.task_serializer = 'pickle' if os.environ.get('P') else 'json'\n"
    )
    assert found.doubt
