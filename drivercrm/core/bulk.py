"""Many rows at once without a model instance for each: an import writes six tables for every driver.

The caller gives clean values, and answers for what a model's defaults and `save` would have done.
"""

import gc
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache, cached_property
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection
from django.db.models import (
    BooleanField,
    DateTimeField,
    Field,
    ForeignKey,
    IntegerField,
    JSONField,
    Model,
    UUIDField,
)
from django.db.models.expressions import RawSQL
from pydantic_core import to_json

BATCH = 1000
MANY_OBJECTS = 200_000
MANY_PAGES = 30_000  # of 4 kB
MAX_PARAMETERS = 30_000  # SQLite's own limit for one statement is 32 766

if TYPE_CHECKING:
    from django.db.models import QuerySet

Adapter = Callable[[Any], Any]


def insert_rows(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Inserts rows whose values stand in the order of `columns`, the model's own names (`driver_id` for a key)."""
    fields = [_field(model, name) for name in columns]
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    table = connection.ops.quote_name(model._meta.db_table)
    ready = _adapted(fields, rows)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # what is wrong with a row is said inside the copy or at its end, both past Django's own cursor
            with (
                connection.wrap_database_errors,
                cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
            ):
                for row in ready:
                    copy.write_row(row)
            return
        # One statement for many rows: SQLite makes a savepoint for each statement, and at each savepoint the
        # full-text index of drivers writes out what it has gathered. A statement per row takes ten times as long.
        marks = f"({', '.join('?' * len(fields))})"
        with connection.wrap_database_errors:
            while batch := list(islice(ready, max(1, MAX_PARAMETERS // len(fields)))):
                values = ", ".join([marks] * len(batch))
                # past Django's own cursor, which would look for every %s of so long a statement
                sqlite3.Cursor.execute(
                    cursor.cursor,
                    f"INSERT INTO {table} ({names}) VALUES {values}",  # noqa: S608
                    [cell for row in batch for cell in row],
                )


@contextmanager
def bulk_work() -> Iterator[None]:
    """Inside, memory is searched for garbage more rarely, and SQLite moves its log into its file more rarely.

    A bulk of rows makes little garbage and is searched for long; and it changes the same pages again and again.
    """
    with _COLLECTING.rarely(), _moving_its_log_rarely():
        yield


class _Collecting:
    """How often memory is searched is the whole process's: the first bulk lowers it, the last one puts it back."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._bulks = 0
        self._found = gc.get_threshold()

    @contextmanager
    def rarely(self) -> Iterator[None]:
        with self._lock:
            if not self._bulks:
                self._found = gc.get_threshold()
                gc.set_threshold(max(self._found[0], MANY_OBJECTS), *self._found[1:])
            self._bulks += 1
        try:
            yield
        finally:
            with self._lock:
                self._bulks -= 1
                if not self._bulks:
                    gc.set_threshold(*self._found)


_COLLECTING = _Collecting()


@contextmanager
def _moving_its_log_rarely() -> Iterator[None]:
    """SQLite moves its log into its file after `MANY_PAGES`; a connection's own setting."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        before: int = cursor.execute("PRAGMA wal_autocheckpoint").fetchone()[0]
        cursor.execute(f"PRAGMA wal_autocheckpoint = {MANY_PAGES:d}")
    held = connection.connection
    try:
        yield
    finally:
        # past Django's own cursor: in a broken transaction that refuses every word, and hides why it broke
        if held is not None and connection.connection is held:
            held.execute(f"PRAGMA wal_autocheckpoint = {before:d}")


def learn(model: type[Model]) -> None:
    """Has PostgreSQL count what a table holds that was filled a moment ago: it would sort it whole for each chunk.

    Nothing on SQLite, which plans these tables well without (and badly with statistics of some indexes only).
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")


def find_rows(
    rows: "QuerySet[Any]", column: str, values: Iterable[str], columns: Sequence[str]
) -> list[tuple[Any, ...]]:
    """The columns of those rows of a query whose `column` is one of many texts; each is looked up in an index.

    In the first minute of a bulk PostgreSQL has no statistics of the tables that it fills, and would read them whole:
    a subquery that it may not take apart is asked for one text at a time.
    """
    if connection.vendor == "sqlite":
        return read_rows(rows.filter(**{f"{column}__in": listed(values)}), columns)
    wanted = RawSQL("wanted.value", [])
    one, parameters = rows.filter(**{column: wanted}).values_list(*columns).query.sql_with_params()
    sql = (
        f"SELECT found.* FROM unnest(%s::text[]) AS wanted (value)"  # noqa: S608
        f" CROSS JOIN LATERAL ({one} OFFSET 0) AS found"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(values), *parameters])
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


class ByIds:
    """Columns of the rows that belong to many ids, by a query that the ORM puts together once in a process.

    For what every page of a list asks: putting it together takes longer than answering it.
    """

    def __init__(self, rows: "Callable[[RawSQL], QuerySet[Any]]", columns: Sequence[str]) -> None:
        """`rows` makes the query from the list of ids, its only value; the first column is the id."""
        self._rows = rows
        self._columns = columns

    @cached_property
    def _sql(self) -> str:
        rows = self._rows(listed([UUID(int=0)]))
        sql, parameters = rows.values_list(*self._columns).query.sql_with_params()
        if len(parameters) != 1:
            raise ValueError("the list of ids is the only value of such a query")
        return sql

    def read(self, ids: Iterable[UUID]) -> list[tuple[Any, ...]]:
        """The rows in no order, each beginning with its id. Other columns than texts come as the database has them."""
        wanted = list(ids)
        with connection.cursor() as cursor:
            cursor.execute(self._sql, listed(wanted).params)
            found: list[tuple[Any, ...]] = cursor.fetchall()
        if connection.vendor == "sqlite":
            by_text = {pk.hex: pk for pk in wanted}
            return [(by_text[row[0]], *row[1:]) for row in found]
        return found


def read_rows(rows: "QuerySet[Any]", columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """The columns of a query's rows. JSON stays text: the caller reads what it needs of it."""
    sql, parameters = rows.values_list(*columns).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    if connection.vendor == "sqlite":
        fields = [_target(_field(rows.model, name)) for name in columns]
        ids = [index for index, field in enumerate(fields) if isinstance(field, UUIDField)]
        flags = [index for index, field in enumerate(fields) if isinstance(field, BooleanField)]
        return [_as_python(row, ids, flags) for row in found]
    return found


def _as_python(row: Sequence[Any], ids: Sequence[int], flags: Sequence[int]) -> tuple[Any, ...]:
    cells = list(row)
    for index in ids:
        if cells[index] is not None:
            cells[index] = UUID(cells[index])
    for index in flags:
        cells[index] = bool(cells[index])
    return tuple(cells)


def update_rows(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Sets `columns` row by row; the primary key stands last in each row."""
    pk = model._meta.pk
    fields = [_field(model, name) for name in columns]
    sets = ", ".join(f"{connection.ops.quote_name(str(field.column))} = %s" for field in fields)
    table, key = (connection.ops.quote_name(name) for name in (model._meta.db_table, str(pk.column)))
    ready = _adapted([*fields, pk], rows)
    with connection.cursor() as cursor:
        while batch := list(islice(ready, BATCH)):
            if connection.vendor == "postgresql":
                cursor.execute(*_one_update(table, key, [*fields, pk], batch))
            else:
                cursor.executemany(f"UPDATE {table} SET {sets} WHERE {key} = %s", batch)  # noqa: S608


def _one_update(
    table: str, key: str, fields: "Sequence[Field[Any, Any]]", batch: Sequence[tuple[Any, ...]]
) -> tuple[str, list[Any]]:
    """One statement for a whole batch: each column of it goes in as one array."""
    kinds = [str(field.db_type(connection)) for field in fields]
    names = [f"c{index}" for index in range(len(fields))]
    sets = ", ".join(
        f"{connection.ops.quote_name(str(field.column))} = new.{name}::{kind}"
        for field, name, kind in list(zip(fields, names, kinds, strict=True))[:-1]
    )
    arrays = ", ".join(f"%s::{_array_kind(field)}[]" for field in fields)
    sql = (
        f"UPDATE {table} SET {sets} FROM unnest({arrays}) AS new({', '.join(names)})"  # noqa: S608
        f" WHERE {table}.{key} = new.{names[-1]}"
    )
    return sql, [list(column) for column in zip(*batch, strict=True)]


def _array_kind(field: "Field[Any, Any]") -> str:
    target = _target(field)
    if isinstance(target, UUIDField):
        return "uuid"
    if isinstance(target, DateTimeField):
        return "timestamptz"
    if isinstance(target, BooleanField):
        return "boolean"
    return "bigint" if isinstance(target, IntegerField) else "text"


def listed(values: Iterable[Any]) -> RawSQL:
    """Texts or ids for `__in`, as one parameter: Django takes longer over a thousand than the database does."""
    if connection.vendor == "postgresql":
        cells = list(values)
        kind = "uuid" if cells and isinstance(cells[0], UUID) else "text"
        return RawSQL(f"SELECT unnest(%s::{kind}[])", [cells])  # noqa: S611
    texts = [value.hex if isinstance(value, UUID) else value for value in values]
    return RawSQL("SELECT value FROM json_each(%s)", [json.dumps(texts)])


def _field(model: type[Model], name: str) -> "Field[Any, Any]":
    return model._meta.pk if name == "pk" else model._meta.get_field(name)  # type: ignore[return-value]


def _target(field: "Field[Any, Any]") -> "Field[Any, Any]":
    """What a key of another row is of itself."""
    return field.target_field if isinstance(field, ForeignKey) else field


def _adapted(
    fields: "Sequence[Field[Any, Any]]", rows: Iterable[Sequence[Any]]
) -> "Iterator[tuple[Any, ...]]":
    adapters = [_adapter(field) for field in fields]
    special = [(index, adapt) for index, adapt in enumerate(adapters) if adapt]

    def adapted() -> "Iterator[tuple[Any, ...]]":
        for row in rows:
            cells = list(row)
            for index, adapt in special:
                if cells[index] is not None:
                    cells[index] = adapt(cells[index])
            yield tuple(cells)

    return iter(adapted())


def _adapter(field: "Field[Any, Any]") -> Adapter | None:
    """How this database takes values of the field; None where it takes them as they are."""
    target = _target(field)
    if isinstance(target, JSONField):
        return _json
    on_sqlite = connection.vendor == "sqlite"
    if isinstance(target, UUIDField):
        return _hex if on_sqlite else None
    if isinstance(target, DateTimeField):
        return _moment if on_sqlite else None
    return None


def _json(value: Any) -> str:
    if not value and isinstance(value, list | dict):
        return "[]" if isinstance(value, list) else "{}"
    return to_json(value).decode()  # five times as fast as the standard library


def _hex(value: UUID) -> str:
    return f"{value.int:032x}"


@cache
def _last_moments() -> dict[datetime, str]:
    return {}


def _moment(value: datetime) -> str:
    """As Django keeps moments on SQLite; a batch holds few different ones."""
    kept = _last_moments()
    if value not in kept:
        if len(kept) > BATCH:
            kept.clear()
        kept[value] = connection.ops.adapt_datetimefield_value(value)  # type: ignore[assignment]
    return kept[value]
