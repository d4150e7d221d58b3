"""A port as Temporal workflows: one class for a canvas, sync activities, explicit policies.

Sources: docs.temporal.io (develop/python), the Temporal Python SDK 1.20 and later. Every activity
has its own policy, because Temporal's default is to try for ever, and Celery's never to try again.
"""
