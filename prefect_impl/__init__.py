"""The voter rolls as Prefect flows: the ports of `celery_impl`, under the same file names.

Where to look: a variant's file for its shape; `tasks` for what it is made of; `options` for
retries, caching and results; `worker` for how flow runs and steps are executed, and what was
measured before that was chosen; `sweep` for what becomes of a run whose worker was killed.
"""
