"""Claims in Django's own database, over Django's own connections and in its transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sqlalchemy.dialects import mysql, postgresql, sqlite

from offcanvas.cutover.sql import SqlClaims
from offcanvas.errors import UsageError

_DIALECTS: dict[str, Any] = {"postgresql": postgresql, "sqlite": sqlite, "mysql": mysql}


@dataclass(frozen=True, slots=True)
class _Result:
    """What a statement came to, as far as ``SqlClaims`` asks."""

    rowcount: int
    rows: list[Any]

    def first(self) -> Any:
        return self.rows[0] if self.rows else None

    def all(self) -> list[Any]:
        return self.rows


class _Row(tuple[Any, ...]):
    """A row with names, as SQLAlchemy's has them."""

    _mapping: dict[str, Any]

    @classmethod
    def of(cls, names: list[str], values: Any) -> _Row:
        row = cls(values)
        row._mapping = dict(zip(names, values, strict=True))
        return row


class _DjangoConnection:
    """SQLAlchemy's statements on a connection of Django's."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        dialect = _DIALECTS[connection.vendor].dialect
        self._dialect = dialect(paramstyle="pyformat")

    def execute(self, statement: Any) -> _Result:
        compiled = statement.compile(
            dialect=self._dialect, compile_kwargs={"render_postcompile": True}
        )
        given = compiled.construct_params()  # None for CREATE
        with self._connection.cursor() as cursor:
            # With parameters a lone % has to be doubled, which SQLAlchemy has done for this style.
            cursor.execute(str(compiled), given)
            rows = []
            if cursor.description:
                names = [one[0] for one in cursor.description]
                rows = [_Row.of(names, values) for values in cursor.fetchall()]
            return _Result(cursor.rowcount, rows)


def django_claims(address: str) -> SqlClaims:
    """Claims at ``django`` or ``django:alias``.

    Raises:
        UsageError: there is no such database, or Django is not installed or set up.
    """
    try:
        database: Any = import_module("django.db")
    except ModuleNotFoundError:
        raise UsageError(f"claims = {address!r}: Django is not installed") from None
    alias = alias_of(address)
    try:
        vendor = database.connections[alias].vendor
    except Exception as error:  # whatever Django says of its settings is the answer
        raise UsageError(f"claims = {address!r}: {' '.join(str(error).split())}") from None

    @contextmanager
    def own() -> Iterator[Any]:
        with database.transaction.atomic(using=alias):
            yield _DjangoConnection(database.connections[alias])

    return SqlClaims(
        vendor,
        own,
        lambda within: _DjangoConnection(database.connections[within]),
        f"Django's database {alias!r}",
        errors=(database.Error,),
    )


def alias_of(address: str) -> str:
    """The name of the database in DATABASES."""
    return address.partition(":")[2] or "default"


def open_transaction(address: str) -> str | None:
    """The alias of the database, if this thread is inside of ``atomic`` there."""
    connections: Any = import_module("django.db").connections
    alias = alias_of(address)
    return alias if connections[alias].in_atomic_block else None
