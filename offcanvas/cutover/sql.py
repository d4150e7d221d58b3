"""Claims in a database: a table of claims, and one of tasks of wide canvases that have begun."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.exc import NoSuchModuleError as NoSuchDialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.functions import FunctionElement

from offcanvas.cutover.claims import Claim
from offcanvas.cutover.errors import ClaimsUnavailable
from offcanvas.errors import UsageError, line_of
from offcanvas.printable import masked

_META = MetaData()
CLAIMS = Table(
    "offcanvas_claims",
    _META,
    Column("id", String(255), primary_key=True),
    Column("root", String(255), nullable=False),
    Column("engine", String(32), nullable=False),
    Column("key", String(255), nullable=False),
    Column("version", String(16), nullable=False),
    Column("call", Text, nullable=False),
    Column("made", Float(53), nullable=False),
    Column("sent", Float(53)),
    Column("token", String(64)),
    Column("begun", Float(53)),
    Column("ended", Float(53)),
    Column("state", String(16)),
    Column("took", Float(53)),
    Column("redo", Boolean, nullable=False),
    Index("offcanvas_claims_sent", "sent", "made"),
    Index("offcanvas_claims_ended", "ended", "made"),
)
BEGUN = Table(
    "offcanvas_begun",
    _META,
    Column("task", String(255), primary_key=True),
    Column("claim", String(255), nullable=False, index=True),
    Column("token", String(64), nullable=False),
    Column("number", BigInteger, nullable=False, default=0),
)
_C = CLAIMS.c
_SHORT = [one for one in CLAIMS.columns if one.name not in {"call", "token"}]
_WHOLE = [*_SHORT, _C.call]


class _Now(FunctionElement[float]):
    """Seconds since the epoch by the clock of the database: those of producers differ."""

    type = Float(53)
    inherit_cache = True


@compiles(_Now, "postgresql")
def _now_postgresql(_element: Any, _compiler: Any, **_: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


@compiles(_Now, "sqlite")
def _now_sqlite(_element: Any, _compiler: Any, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(_Now, "mysql")
@compiles(_Now, "mariadb")
def _now_mysql(_element: Any, _compiler: Any, **_: Any) -> str:
    return "unix_timestamp(now(6))"


_INSERT: dict[str, Callable[[Table], Any]] = {
    "postgresql": lambda table: postgresql.insert(table).on_conflict_do_nothing(),
    "sqlite": lambda table: sqlite.insert(table).on_conflict_do_nothing(),
    "mysql": lambda table: mysql.insert(table).prefix_with("IGNORE"),
    "mariadb": lambda table: mysql.insert(table).prefix_with("IGNORE"),
}


class SqlClaims:
    """Claims in a database that SQLAlchemy or Django has a connection to; see ``claims.Claims``.

    ``dialect`` is the database's name as SQLAlchemy has it; ``begin`` gives a connection in a
    transaction of its own, and ``joined`` makes one of what callers give as ``within``.
    """

    def __init__(
        self,
        dialect: str,
        transaction: Callable[[], Any],
        joined: Callable[[Any], Any],
        where: str,
        dispose: Callable[[], None] = lambda: None,
        errors: tuple[type[Exception], ...] = (SQLAlchemyError,),
    ) -> None:
        if dialect not in _INSERT:
            raise UsageError(
                f"claims in {where}: a database of the kind {dialect} is none that claims can be "
                f"kept in; there are {', '.join(_INSERT)}"
            )
        # How many rows an INSERT has made is thrown away unless it is asked for.
        make = _INSERT[dialect]
        self._insert: Callable[[Table], Any] = lambda table: make(table).execution_options(
            preserve_rowcount=True
        )
        self._transaction = transaction
        self._joined = joined
        self._where = where
        self._dispose = dispose
        self._errors = errors

    @contextmanager
    def _connection(self, within: Any = None) -> Iterator[Any]:
        asked = False
        try:
            if within is not None:
                yield self._joined(within)
                return
            with self._transaction() as connection:
                asked = True
                yield connection
        except self._errors as error:
            raise ClaimsUnavailable(self._where, _reason(error), sure=not asked) from error

    def claim(self, new: Claim, within: Any = None) -> Claim | None:
        """See ``Claims.claim``."""
        row = {
            "id": new.id,
            "root": new.root,
            "engine": new.engine,
            "key": new.key[:255],
            "version": new.version,
            "call": new.call,
            "made": _Now(),
            "redo": False,
        }
        with self._connection(within) as connection:
            inserted = connection.execute(self._insert(CLAIMS).values(**row))
            if inserted.rowcount == 1:
                return None
            found = connection.execute(select(*_WHOLE).where(_C.id == new.id)).first()
        if found is None:  # removed, or rolled back, between the two statements
            return self.claim(new, within)
        return _claim(found)

    def get(self, claim_id: str) -> Claim | None:
        """See ``Claims.get``."""
        with self._connection() as connection:
            found = connection.execute(select(*_WHOLE).where(_C.id == claim_id)).first()
        return None if found is None else _claim(found)

    def note_sent(self, ids: Iterable[str]) -> None:
        """See ``Claims.note_sent``."""
        these = list(ids)
        if these:
            with self._connection() as connection:
                connection.execute(
                    update(CLAIMS).where(_C.id.in_(these), _C.sent.is_(None)).values(sent=_Now())
                )

    def begin(self, claim_id: str, task_id: str, token: str) -> bool:
        """See ``Claims.begin``."""
        with self._connection() as connection:
            if task_id != claim_id:
                return self._begin_one_of_several(connection, claim_id, task_id, token)
            taken = connection.execute(
                update(CLAIMS)
                .where(_C.id == claim_id, or_(_C.token.is_(None), _C.token == token))
                .values(
                    token=token,
                    begun=func.coalesce(_C.begun, _Now()),
                    sent=func.coalesce(_C.sent, _Now()),
                )
            )
            if taken.rowcount == 1:
                return True
            there = connection.execute(select(_C.id).where(_C.id == claim_id)).first()
        return there is None  # forgotten long ago: a message is worth more than the memory of it

    def _begin_one_of_several(
        self, connection: Any, claim_id: str, task_id: str, token: str
    ) -> bool:
        row = {"task": task_id, "claim": claim_id, "token": token, "number": 0}
        connection.execute(
            update(CLAIMS).where(_C.id == claim_id, _C.begun.is_(None)).values(begun=_Now())
        )
        if connection.execute(self._insert(BEGUN).values(**row)).rowcount == 1:
            return True
        found = connection.execute(select(BEGUN.c.token).where(BEGUN.c.task == task_id)).first()
        return found is not None and found[0] == token

    def begun_tasks(self, claim_id: str) -> int:
        """See ``Claims.begun_tasks``."""
        counted = select(func.count()).select_from(BEGUN).where(BEGUN.c.claim == claim_id)
        with self._connection() as connection:
            return int(connection.execute(counted).first()[0])

    def unsent(self, older: float, limit: int) -> Sequence[Claim]:
        """See ``Claims.unsent``."""
        return self._several(
            _WHOLE, _C.sent.is_(None), _C.ended.is_(None), _C.made < _Now() - older, limit=limit
        )

    def open(self, limit: int, root: str | None = None) -> Sequence[Claim]:
        """See ``Claims.open``."""
        these = [_C.ended.is_(None), _C.sent.is_not(None)]
        return self._several(_WHOLE, *these, *([_C.root == root] if root else ()), limit=limit)

    def end(self, claim_id: str, state: str, took: float | None) -> None:
        """See ``Claims.end``."""
        with self._connection() as connection:
            connection.execute(
                update(CLAIMS)
                .where(_C.id == claim_id, _C.ended.is_(None))
                .values(
                    ended=_Now(),
                    state=state,
                    took=took,
                    call=literal(""),
                    sent=func.coalesce(_C.sent, _Now()),
                )
            )

    def redo(self, claim_id: str, *, moved: bool) -> None:
        """See ``Claims.redo``."""
        values: dict[str, Any] = {"redo": True}
        if moved:
            values = {"redo": False, "engine": "celery", "sent": None, "token": None}
        with self._connection() as connection:
            connection.execute(
                update(CLAIMS).where(_C.id == claim_id, _C.ended.is_(None)).values(**values)
            )

    def withdraw(self, claim_id: str) -> None:
        """See ``Claims.withdraw``."""
        with self._connection() as connection:
            connection.execute(delete(CLAIMS).where(_C.id == claim_id, _C.sent.is_(None)))

    def since(self, seconds: float) -> Sequence[Claim]:
        """See ``Claims.since``."""
        return self._several(_SHORT, or_(_C.ended.is_(None), _C.made >= _Now() - seconds))

    def forget(self, older: float) -> int:
        """See ``Claims.forget``."""
        old = select(_C.id).where(_C.ended.is_not(None), _C.made < _Now() - older)
        with self._connection() as connection:
            connection.execute(delete(BEGUN).where(BEGUN.c.claim.in_(old)))
            gone = connection.execute(
                delete(CLAIMS).where(_C.ended.is_not(None), _C.made < _Now() - older)
            )
            return int(gone.rowcount)

    def now(self) -> float:
        """See ``Claims.now``."""
        with self._connection() as connection:
            return float(connection.execute(select(_Now())).first()[0])

    def create(self) -> None:
        """See ``Claims.create``."""
        with self._connection() as connection:
            for table in _META.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))
                for index in sorted(table.indexes, key=lambda one: str(one.name)):
                    connection.execute(CreateIndex(index, if_not_exists=True))

    def close(self) -> None:
        """See ``Claims.close``."""
        self._dispose()

    def _several(
        self, columns: Sequence[Any], *these: Any, limit: int | None = None
    ) -> list[Claim]:
        query = select(*columns).where(*these).order_by(_C.made).limit(limit)
        with self._connection() as connection:
            return [_claim(row) for row in connection.execute(query).all()]


def sqlalchemy_claims(address: str) -> SqlClaims:
    """Claims at an address of SQLAlchemy's.

    Raises:
        UsageError: it is none, or its driver is not installed.
    """
    shown = masked(address)
    try:
        url = make_url(address)
        own_pool = {} if url.get_backend_name() != "sqlite" else {"poolclass": NullPool}
        engine: Engine = create_engine(url, pool_pre_ping=True, **own_pool)
    except (ArgumentError, NoSuchDialect) as error:
        raise UsageError(f"claims = {shown!r} is not an address of a database: {error}") from None
    except ModuleNotFoundError as error:
        raise UsageError(f"claims = {shown!r} needs {error.name}: pip install it") from None
    return SqlClaims(engine.dialect.name, engine.begin, _of_caller, shown, engine.dispose)


def _of_caller(within: Any) -> Connection:
    """The connection of a session, or a connection itself."""
    if isinstance(within, Connection):
        return within
    found: Connection = within.connection()
    return found


def _claim(row: Any) -> Claim:
    named = dict(row._mapping)  # noqa: SLF001  # a public name of SQLAlchemy's rows
    named["redo"] = bool(named["redo"])
    return Claim(**named)


def _reason(error: Exception) -> str:
    inner = getattr(error, "orig", None) or error
    return line_of(inner)


def ddl(dialect_name: str) -> str:
    """The statements of ``create``, for those who keep migrations of their own."""
    dialects: dict[str, Any] = {"postgresql": postgresql, "sqlite": sqlite, "mysql": mysql}
    dialect = dialects[dialect_name].dialect()
    made: list[Any] = []
    for table in _META.sorted_tables:
        made.append(CreateTable(table))
        made += [CreateIndex(one) for one in sorted(table.indexes, key=lambda one: str(one.name))]
    return "\n".join(f"{str(one.compile(dialect=dialect)).strip()};" for one in made)
