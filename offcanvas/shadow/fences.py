"""Fences behind which bodies of tasks are executed, so that nothing of it stays.

``recorded``  nothing is executed; the default.
``pure``      the body is executed as it is: it only reads.
``rollback``  in transactions of SQLAlchemy and Django that are rolled back; sockets are refused,
              but for those of the databases, and so are processes and threads.
``sandbox``   against other addresses, that stand in the environment; other sockets are refused,
              and so are processes and threads.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from offcanvas.errors import UsageError


class Fence(StrEnum):
    """What happens to the body of a task."""

    RECORDED = "recorded"
    PURE = "pure"
    ROLLBACK = "rollback"
    SANDBOX = "sandbox"


class FencedOff(OSError):  # noqa: N818  # it says what has happened
    """The body has reached for something behind its fence."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run of a body came to: a value or an error, and the statements it has executed."""

    value: Any = None
    error: tuple[str, str] | None = None
    statements: tuple[str, ...] = ()


#: One body at a time: what is fenced off is so for the whole process.
_turn = threading.RLock()
_allowed: frozenset[str] | None = None
_running = 0
_hooked = False
_LOOKED_AT = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_PROCESSES = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"})


def run(fence: Fence, body: Callable[[], Any], sandbox: Mapping[str, str]) -> Ran:
    """Run a body behind its fence; what it raises is what it came to."""
    statements: list[str] = []
    with _turn, _behind(fence, sandbox, statements):
        try:
            value = body()
        except Exception as error:
            return Ran(error=(type(error).__name__, str(error)), statements=tuple(statements))
        return Ran(value, statements=tuple(statements))


@contextmanager
def _behind(fence: Fence, sandbox: Mapping[str, str], statements: list[str]) -> Iterator[None]:
    with ExitStack() as stack:
        if fence is Fence.ROLLBACK:
            stack.enter_context(_rolled_back())
            stack.enter_context(_noted(statements))
            stack.enter_context(_refused(_databases()))
        elif fence is Fence.SANDBOX:
            stack.enter_context(_noted(statements))
            stack.enter_context(_refused(frozenset(filter(None, map(_place, sandbox.values())))))
        yield


# -- sockets, processes and threads


@contextmanager
def _refused(allowed: frozenset[str]) -> Iterator[None]:
    """Nothing is connected to but ``allowed``, as "host:port" or a path."""
    global _allowed, _hooked, _running  # noqa: PLW0603  # an audit hook is the process's, and stays
    if not _hooked:
        sys.addaudithook(_look)
        _hooked = True
    _allowed, _running = allowed, threading.get_ident()
    start = threading.Thread.start

    def start_outside(thread: threading.Thread) -> None:
        if _is_fenced():  # what it starts would not be
            raise FencedOff("a thread was to be started behind the fence")
        start(thread)

    # Python 3.11 tells an audit hook nothing of threads.
    threading.Thread.start = start_outside  # type: ignore[assignment,method-assign]  # for as long
    try:
        yield
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]  # as it was
        _allowed = None


def _is_fenced() -> bool:
    """Only the thread that runs a body is: the engine's own go on talking to their server."""
    return _allowed is not None and threading.get_ident() == _running


def _look(event: str, args: tuple[Any, ...]) -> None:
    if not _is_fenced():
        return
    if event in _PROCESSES:
        raise FencedOff(f"a process was to be started behind the fence: {event} {args[0]!r:.80}")
    if event in _LOOKED_AT:
        where = _where(args[0], args[1])
        if where is not None and where not in (_allowed or ()):
            raise FencedOff(f"a connection to {where} is refused behind the fence")


def _where(sock: Any, address: Any) -> str | None:
    if address is None:  # sendmsg on what is connected already
        return None
    if getattr(sock, "family", None) == socket.AF_UNIX or isinstance(address, str | bytes):
        return address.decode() if isinstance(address, bytes) else str(address)
    return f"{address[0]}:{address[1]}"


def _place(url: str) -> str | None:
    try:
        split = urlsplit(url)
        port = split.port or {"http": 80, "https": 443, "redis": 6379}.get(split.scheme)
    except ValueError:
        return None
    if not split.hostname or port is None:
        return split.path or None
    try:
        found = socket.getaddrinfo(split.hostname, port, type=socket.SOCK_STREAM)
    except OSError:
        return f"{split.hostname}:{port}"
    return f"{found[0][4][0]}:{port}"


def _databases() -> frozenset[str]:
    """Where the databases are that this process has: their transactions are what is fenced."""
    found: set[str | None] = set()
    for engine in _engines():
        url = engine.url
        if url.host and url.port:
            found.add(_place(f"db://{url.host}:{url.port}"))
    for settings in _django_settings():
        if settings.get("HOST") and settings.get("PORT"):
            found.add(_place(f"db://{settings['HOST']}:{settings['PORT']}"))
    return frozenset(filter(None, found))


# -- transactions


def _engines() -> list[Any]:
    """Engines of SQLAlchemy that are alive in this process."""
    if "sqlalchemy.engine" not in sys.modules:
        return []
    import gc

    from sqlalchemy.engine import Engine

    return [one for one in gc.get_objects() if type(one) is Engine]


def _django_settings() -> list[Mapping[str, Any]]:
    if not _has_django():
        return []
    from importlib import import_module

    databases: Any = import_module("django.db").connections
    return list(databases.settings.values())


def _has_django() -> bool:
    return "django.db" in sys.modules and bool(os.environ.get("DJANGO_SETTINGS_MODULE"))


@contextmanager
def _rolled_back() -> Iterator[None]:
    with ExitStack() as stack:
        if "sqlalchemy.engine" in sys.modules:
            stack.enter_context(_sqlalchemy_rolled_back())
        if _has_django():
            stack.enter_context(_django_rolled_back())
        yield


_POINT = "offcanvas_shadow"


@contextmanager
def _sqlalchemy_rolled_back() -> Iterator[None]:
    """What is committed is a savepoint; in the end each connection is rolled back.

    SQLAlchemy commits and rolls back through its dialect, whoever asks for it: a session, a
    connection, an engine, and the pool when a connection comes back to it.
    """
    from sqlalchemy.engine.default import DefaultDialect

    used: dict[int, Any] = {}
    patched: Any = DefaultDialect
    begun, committed = patched.do_begin, patched.do_commit
    rolled_back = patched.do_rollback

    def raw(connection: Any) -> Any:
        # What a pool hands out stands for a connection, and forgets it when it is given back.
        return getattr(connection, "dbapi_connection", None) or connection

    def point(connection: Any) -> None:
        used[id(connection)] = connection
        cursor = connection.cursor()
        cursor.execute(f"SAVEPOINT {_POINT}")
        cursor.close()

    def do_begin(_dialect: Any, connection: Any) -> None:
        # By its id and not by its place: connections of a pool come again and again.
        if id(raw(connection)) not in used:
            begun(_dialect, connection)
            point(raw(connection))

    def do_commit(_dialect: Any, connection: Any) -> None:
        point(raw(connection))

    def do_rollback(_dialect: Any, connection: Any) -> None:
        if id(raw(connection)) in used:
            cursor = raw(connection).cursor()
            cursor.execute(f"ROLLBACK TO SAVEPOINT {_POINT}")
            cursor.close()
        else:
            rolled_back(_dialect, connection)

    patched.do_begin, patched.do_commit, patched.do_rollback = do_begin, do_commit, do_rollback
    try:
        yield
    finally:
        patched.do_begin, patched.do_commit, patched.do_rollback = begun, committed, rolled_back
        for connection in used.values():
            with suppress(Exception):  # one that the pool has closed has rolled back by that
                connection.rollback()


@contextmanager
def _django_rolled_back() -> Iterator[None]:
    from importlib import import_module

    transaction: Any = import_module("django.db.transaction")
    connections: Any = import_module("django.db").connections
    with ExitStack() as stack:
        for alias in connections:
            stack.enter_context(_one_rolled_back(transaction, alias))
        yield


@contextmanager
def _one_rolled_back(transaction: Any, alias: str) -> Iterator[None]:
    outer: Any = transaction.atomic(using=alias)
    outer._from_testcase = True  # noqa: SLF001  # durable blocks may stand inside, as in its tests
    with outer:
        try:
            yield
        finally:
            # What waits for the commit (on_commit) goes with it.
            transaction.set_rollback(True, using=alias)


# -- statements


@contextmanager
def _noted(statements: list[str]) -> Iterator[None]:
    with ExitStack() as stack:
        if "sqlalchemy.engine" in sys.modules:
            stack.enter_context(_sqlalchemy_noted(statements))
        if _has_django():
            from importlib import import_module

            connections: Any = import_module("django.db").connections
            for alias in connections:
                stack.enter_context(connections[alias].execute_wrapper(_wrapper(statements)))
        yield


@contextmanager
def _sqlalchemy_noted(statements: list[str]) -> Iterator[None]:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append(f"{' '.join(statement.split())} {parameters!r}")

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def _wrapper(statements: list[str]) -> Callable[..., Any]:
    def noted(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(f"{' '.join(str(sql).split())} {params!r}")
        return execute(sql, params, many, context)

    return noted


# -- which task has which fence


@dataclass(frozen=True, slots=True)
class Fences:
    """The fence of each task, by its name or the last part of it.

    ``sandbox`` are variables of the environment, with the addresses that take the place of the real
    ones; they were set before the app was imported.
    """

    of: Mapping[str, Fence]
    sandbox: Mapping[str, str]

    def fence(self, task: str) -> Fence:
        """The fence of a task."""
        short = task.rpartition(".")[2]
        return self.of.get(task) or self.of.get(short) or Fence.RECORDED


def read_fences(table: Mapping[str, Any], where: str) -> Fences:
    """``[tool.offcanvas.shadow]`` of a pyproject.toml, or the same as a file of its own.

    Raises:
        UsageError: it says what nothing can be.
    """
    unknown = set(table) - {"fences", "sandbox"}
    if unknown:
        raise UsageError(f"{where}: {min(unknown)} is not known; there are fences and sandbox")
    of = {}
    for task, name in _texts(table.get("fences", {}), f"{where}: fences").items():
        try:
            of[task] = Fence(name)
        except ValueError:
            raise UsageError(
                f"{where}: fences: {task} = {name!r}: write {', '.join(map(repr, map(str, Fence)))}"
            ) from None
    sandbox = _texts(table.get("sandbox", {}), f"{where}: sandbox")
    if Fence.SANDBOX in of.values() and not sandbox:
        raise UsageError(
            f"{where}: a task is in the sandbox, and [sandbox] names no address: write the "
            "variable that the app reads, and where it leads"
        )
    return Fences(of, sandbox)


def _texts(given: Any, where: str) -> dict[str, str]:
    if not isinstance(given, Mapping) or not all(isinstance(one, str) for one in given.values()):
        raise UsageError(f"{where}: has to be a table of texts")
    return dict(given)
