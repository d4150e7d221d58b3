"""A port as Prefect flows: a flow for a canvas, a task for a step, retries where Celery had them.

Sources: docs.prefect.io (v3), Prefect 3.9. Caching is off, because a step that is called is to be
executed; results of flows are persisted, because that is how a caller in another process gets one.
"""
