"""Celery's side: the user's app in this process.

What the app would send is taken before it is sent (``seam``), planned (``planning``) and given the
results that Celery's callers hold (``freezing``); its tasks are run by Celery's own tracer
(``task_runtime``), and what a running task sends is collected (``sink``). Nothing here knows an
engine.
"""
