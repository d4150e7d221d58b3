"""Celery itself, with a private Redis and a worker: the baseline of every comparison."""
