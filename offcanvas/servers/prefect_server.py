"""``python -m prefect``, made fit for work on SQLite.

    python -m offcanvas.servers.prefect_server server start --port 4200

Two things are different from Prefect's own (3.8.8); PostgreSQL needs neither.

``collect_apart``: garbage in cycles is collected by a thread of its own. Otherwise the server
stands still for a minute every now and then, idle, and then answers "database is locked" to all who
wrote. What happens: Python collects garbage in whichever thread has just made an object, here the
one with the event loop. In the garbage is a cursor of a connection that another thread is using
just now, waiting for the lock on the database. To reset the cursor's statement SQLite waits for
that connection, and so the event loop waits; the coroutine that holds the lock is never resumed to
commit; and all wait until the other thread's busy timeout is over, which Prefect sets to 60
seconds. In a thread of its own the collection may wait, and the event loop goes on.

``take_turns``: a transaction that may write has the database's lock from its beginning, so that
writers wait for each other. Otherwise one that reads before it writes fails at once when another
has written meanwhile ("database is locked" after milliseconds), the client is answered 503, and
waits 2, 4, 8 seconds to ask again. Prefect has begun to do so where it was noticed
(PrefectHQ/prefect#22967).
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


def main() -> None:
    """Prefect's command line, in this process."""
    collect_apart()
    take_turns()
    from prefect.cli import app

    app()


if __name__ == "__main__":
    main()
