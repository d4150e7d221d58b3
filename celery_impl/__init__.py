"""The voter rolls as Celery canvases: one file per variant."""
