"""The app after a change: what prints a roll takes a further argument, which has a default."""

from __future__ import annotations

from celery_impl.tasks import generate_roll
from comparisons.lab.rerouted.app import app
from comparisons.lab.states.changed import change_task

change_task("default")

__all__ = ["app", "generate_roll"]
