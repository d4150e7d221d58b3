"""``python -m prefect``, made fit for work on SQLite.

    python -m offcanvas.servers.prefect_server server start --port 4200

Three things are different from Prefect's own server, which has the first two weaknesses in 3.8 and
in 3.9 alike: between 3.8.8 and 3.9.1 nothing has changed in how it opens SQLite and begins
transactions. A server on PostgreSQL needs none of them.

``collect_apart``: garbage in cycles is collected by a thread of its own. Otherwise the server
stands still for a minute every now and then, idle, and then answers "database is locked" to all who
wrote. What happens: Python collects garbage in whichever thread has just made an object, here the
one with the event loop. In the garbage is a cursor of a connection that another thread is using
just now, waiting for the lock on the database. To reset the cursor's statement SQLite waits for
that connection, and so the event loop waits; the coroutine that holds the lock is never resumed to
commit; and all wait until the other thread's busy timeout is over, which Prefect sets to 60
seconds. In a thread of its own the collection may wait, and the event loop goes on. (Seen on a 3.8
server; the scene is played in ``tests/servers/test_prefect_server.py`` without Prefect.)

``take_turns``: a transaction that may write has the database's lock from its beginning, so that
writers wait for each other. Otherwise one that reads before it writes fails at once when another
has written meanwhile ("database is locked" after milliseconds), the client is answered 503, and
waits 2, 4, 8 seconds to ask again. Of the requests of twelve clients that created flow runs and set
their states, stock servers of 3.8.8 and 3.9.1 answered more than half with 503, and this one none.
Prefect takes the lock at once where it was noticed (PrefectHQ/prefect#22967), which is in a few
places more in 3.9 than in 3.8.

``let_streams_pass``: a server on SQLite answers a hundred requests at a time, and a stream of
events is a request that lasts as long as its listener. Prefect 3.9 opens one for each flow run of a
deployment: with about a hundred under way nobody is answered any more, its health check included,
for as long as they wait. Here streams do not count.
"""

from __future__ import annotations

import gc
import itertools
import threading
import time
from typing import Any

#: Seconds between two collections of the youngest generation.
EVERY = 0.5
#: The older generations have their turn at so many collections of the youngest.
OLDER, OLDEST = 10, 120


def collect_apart() -> None:
    """From now on no other thread of this process collects garbage."""
    gc.disable()
    threading.Thread(target=_collect, name="garbage", daemon=True).start()


def _collect() -> None:
    for turn in itertools.count(1):
        time.sleep(EVERY)
        gc.collect(2 if turn % OLDEST == 0 else 1 if turn % OLDER == 0 else 0)


def take_turns() -> None:
    """From now on a transaction that may write has the database's lock from its beginning."""
    from prefect.server.database.configurations import AioSqliteConfiguration

    begin = AioSqliteConfiguration.begin_transaction

    def at_once(self: Any, session: Any, **_given: bool) -> Any:
        return begin(self, session, with_for_update=True)

    AioSqliteConfiguration.begin_transaction = at_once  # type: ignore[method-assign, assignment]  # Prefect has no setting for it


def let_streams_pass() -> None:
    """From now on a stream of events takes the place of no request."""
    from prefect.server.api.server import RequestLimitMiddleware

    limited = RequestLimitMiddleware.__call__

    async def unless_a_stream(self: Any, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
        else:
            await limited(self, scope, receive, send)

    RequestLimitMiddleware.__call__ = unless_a_stream  # type: ignore[method-assign]  # as above


def main() -> None:
    """Prefect's command line, in this process."""
    collect_apart()
    take_turns()
    let_streams_pass()
    from prefect.cli import app

    app()


if __name__ == "__main__":
    main()
