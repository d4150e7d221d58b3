"""An app without a result backend."""

from celery import Celery

app = Celery("forgetful", set_as_current=False)
