"""A canvas of the user's own on Celery and on other engines, measured side by side.

`measure` runs it, engines taking turns, and measures each run from outside and from the ledger of
what its tasks did; `result` holds the runs and what they come to; `text` and `page` show it.
"""
