"""``python -m prefect``, with garbage in cycles collected by a thread of its own.

    python -m offcanvas.servers.prefect_server server start --port 4200

On SQLite the server of Prefect 3.8.8 stands still for a minute every now and then, idle, and then
answers "database is locked" to all who wrote. What happens: Python collects garbage in whichever
thread has just made an object, here the one with the event loop. In the garbage is a cursor of a
connection that another thread is using just now, waiting for the lock on the database. To finalize
the cursor SQLite waits for that connection, and so the event loop waits; the coroutine that holds
the lock is never resumed to commit; and all wait until the other thread's busy timeout is over,
which Prefect sets to 60 seconds.

In a thread of its own the collection may wait, and the event loop goes on. The same garbage is
collected as ever. PostgreSQL has no such locks and needs none of this.
"""

from __future__ import annotations

import gc
import itertools
import threading
import time

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


def main() -> None:
    """Prefect's command line, in this process."""
    collect_apart()
    from prefect.cli import app

    app()


if __name__ == "__main__":
    main()
