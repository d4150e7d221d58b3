"""Whether a Celery app has anything left to do, anywhere: what has to be so before it is off.

One look (``look.look``) asks the broker, the workers, the result backend and the schedule. It says
what waits where, and what cannot be told, which counts as if something waited. Two clean looks in a
row, with nothing begun between them, are what ``watch.wait_until_drained`` calls drained.
"""
