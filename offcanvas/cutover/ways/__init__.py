"""The ways an order can go: Celery, the kit on an engine, a port on Temporal, a port on Prefect."""
