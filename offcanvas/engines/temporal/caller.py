"""Starting canvases on Temporal from code that is not asynchronous, and waiting for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from temporalio.client import Client

from offcanvas.engines.batches import Batch
from offcanvas.engines.temporal.client import finish, start_canvas
from offcanvas.engines.temporal.connection import connect
from offcanvas.errors import UsageError

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.nodes import Node

Result = TypeVar("Result")


class Caller:
    """Starts canvases from code that is not asynchronous, and waits for them."""

    def __init__(self, client: Client, task_queue: str, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self.task_queue = task_queue
        self._loop = loop

    def walk(
        self,
        app: Celery,
        plan: Node,
        *,
        strict: bool = False,
        timeout: float | None = None,
        batch: Batch = None,
    ) -> bool:
        """Walk a prepared plan and everything it starts; False when ``timeout`` came first."""
        return self.wait(self._walk(app, plan, strict, timeout, batch))

    async def _walk(
        self, app: Celery, plan: Node, strict: bool, timeout: float | None, batch: Batch = None
    ) -> bool:
        handle = await start_canvas(
            self.client, app, plan, task_queue=self.task_queue, strict=strict, batch=batch
        )
        try:
            async with asyncio.timeout(timeout):
                await finish(self.client, handle)
        except TimeoutError:
            await handle.terminate("its caller waits no longer")
            return False
        except asyncio.CancelledError:
            await handle.terminate("its caller was interrupted")
            raise
        return True

    def wait_while(self, coroutine: Coroutine[Any, Any, None], repeat: Callable[[], None]) -> None:
        """Wait for it, and do ``repeat`` a few times a second meanwhile."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        while not future.done():
            repeat()
            with suppress(TimeoutError):
                future.result(0.2)
        future.result()

    def wait(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """What a coroutine comes to in the loop of the client."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()  # of use only if this thread was interrupted


@contextmanager
def caller(
    address: str | None,
    task_queue: str,
    own: Client | Callable[[], Awaitable[Client]] | None = None,
) -> Iterator[Caller]:
    """A client of the server at ``address`` (see ``connect``) with a thread of its own.

    ``own`` is used instead of one: a client, or a coroutine function that connects one, called in
    that thread.

    Raises:
        EngineUnavailable: no server answers.
    """
    with _loop_in_a_thread() as loop:
        if isinstance(own, Client):
            client = own
        else:
            connected = connect(address) if own is None else _connected(own)
            client = asyncio.run_coroutine_threadsafe(connected, loop).result()
        yield Caller(client, task_queue, loop)


async def _connected(own: Callable[[], Awaitable[Client]]) -> Client:
    client = await own()
    if not isinstance(client, Client):
        raise UsageError(f"client= has to give a temporalio Client, not {type(client).__name__}")
    return client


@contextmanager
def _loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="offcanvas-temporal", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
