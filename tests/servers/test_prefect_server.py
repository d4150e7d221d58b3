"""What is different about our Prefect server on SQLite: garbage, who has the lock, and streams."""

import subprocess
import sys
import textwrap

import pytest


def told_by(script, folder, word):
    """What a script prints that is given the path of a database and a word."""
    command = [sys.executable, "-c", script, str(folder / "one.db"), word]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return told.stdout.strip()


# A thread waits for the database's lock, which the main thread holds. A cursor of the waiting
# thread's connection, with a row left to read, is garbage in a cycle. The main thread makes objects
# until garbage would have been collected a hundred times, then gives the lock back.
SCENE = textwrap.dedent(
    """
    import gc, sqlite3, sys, threading, time

    path, apart = sys.argv[1], sys.argv[2] == "apart"

    def connected():
        limit = 120 if apart else 2
        made = sqlite3.connect(path, timeout=limit, isolation_level=None, check_same_thread=False)
        made.execute("PRAGMA journal_mode = WAL")
        return made

    holder, waiter = connected(), connected()
    holder.execute("CREATE TABLE one (number)")
    if apart:
        from offcanvas.servers import prefect_server

        prefect_server.EVERY = 0.01
        prefect_server.collect_apart()
    holder.execute("BEGIN IMMEDIATE")
    said = []

    def wait():
        try:
            waiter.execute("INSERT INTO one VALUES (1)")
            said.append("written")
        except sqlite3.OperationalError as error:
            said.append(str(error))

    cycle = [waiter.execute("SELECT 1 UNION ALL SELECT 2")]
    cycle[0].fetchone()
    cycle.append(cycle)
    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.5)  # until it waits
    del cycle
    kept = [[] for _ in range(100_000)]
    holder.execute("COMMIT")
    thread.join()
    print(said[0])
    """
)


@pytest.mark.parametrize(
    ("collected", "said"), [("apart", "written"), ("anywhere", "database is locked")]
)
def test_who_holds_the_lock_is_not_held_up_by_garbage(tmp_path, collected, said):
    assert told_by(SCENE, tmp_path, collected) == said


READER = textwrap.dedent(
    """
    import asyncio, os, sqlite3, sys

    os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{sys.argv[1]}"
    if sys.argv[2] == "turns":
        from offcanvas.servers import prefect_server

        prefect_server.take_turns()

    import sqlalchemy as sa
    from prefect.server.database import provide_database_interface

    async def main():
        db = provide_database_interface()
        other = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
        async with db.session_context(begin_transaction=True) as session:
            await session.execute(sa.text("SELECT 1"))
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                print(error)
            else:
                print("the lock is free")
                other.execute("ROLLBACK")

    asyncio.run(main())
    """
)


@pytest.mark.parametrize(
    ("begun", "said"), [("turns", "database is locked"), ("as ever", "the lock is free")]
)
def test_a_transaction_that_has_only_read_has_the_lock(tmp_path, begun, said):
    assert told_by(READER, tmp_path, begun) == said


STREAMS = textwrap.dedent(
    """
    import asyncio, sys

    if sys.argv[2] == "pass":
        from offcanvas.servers import prefect_server

        prefect_server.let_streams_pass()

    from prefect.server.api.server import RequestLimitMiddleware

    async def main():
        listens = asyncio.Event()

        async def app(scope, receive, send):
            if scope["type"] == "websocket":
                listens.set()
                await asyncio.Event().wait()

        limited = RequestLimitMiddleware(app, limit=1)
        stream = asyncio.create_task(limited({"type": "websocket"}, None, None))
        await listens.wait()
        asked = asyncio.create_task(limited({"type": "http"}, None, None))
        _, waits = await asyncio.wait({asked}, timeout=1)
        print("waits" if waits else "answered")
        for one in (stream, asked):
            one.cancel()

    asyncio.run(main())
    """
)


@pytest.mark.parametrize(("streams", "said"), [("pass", "answered"), ("count", "waits")])
def test_a_stream_of_events_takes_the_place_of_no_request(tmp_path, streams, said):
    assert told_by(STREAMS, tmp_path, streams) == said
