"""Real servers for a run: private, on a free port, in a folder of their own, gone afterwards.

>>> from offcanvas.servers import redis
>>> with redis() as broker:            # doctest: +SKIP
...     app = Celery(broker=broker.url, backend=broker.url)

Each function returns a started `Server`; used as a context manager it waits until the server
answers, and stops it at the end. `start_together` starts several at a time.
"""

from offcanvas.servers.base import Server, ServerError, start_together
from offcanvas.servers.postgres import postgres
from offcanvas.servers.prefect import prefect
from offcanvas.servers.rabbitmq import rabbitmq
from offcanvas.servers.redis import redis
from offcanvas.servers.temporal import temporal

__all__ = [
    "Server",
    "ServerError",
    "postgres",
    "prefect",
    "rabbitmq",
    "redis",
    "start_together",
    "temporal",
]
