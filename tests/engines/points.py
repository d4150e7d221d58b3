"""A serializer of an app's own, which takes the place of JSON's and carries more than it."""

import json

from kombu.serialization import register, unregister
from kombu.utils.json import dumps as kombu_dumps
from kombu.utils.json import loads as kombu_loads


class Point:
    """A value that only this serializer carries."""

    def __init__(self, x):
        self.x = x


def _dumps(value):
    return json.dumps(value, default=lambda one: {"__point__": one.x})


def _loads(text):
    return json.loads(
        text, object_hook=lambda one: Point(one["__point__"]) if "__point__" in one else one
    )


def write_points(app):
    """Have the app's values written by it."""
    register("points", _dumps, _loads, "application/json", "utf-8")
    app.conf.update(task_serializer="points", result_serializer="points")


def write_json(app):
    """Undo it: Celery's own reader of JSON is gone with it, and comes back."""
    unregister("points")
    register("json", kombu_dumps, kombu_loads, "application/json", "utf-8")
    app.conf.update(task_serializer="json", result_serializer="json")
