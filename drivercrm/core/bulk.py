"""Many rows at once without a model instance for each: an import writes six tables for every driver.

The caller gives clean values, and answers for what a model's defaults and `save` would have done.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Field, ForeignKey, JSONField, Model, UUIDField

BATCH = 1000

Adapter = Callable[[Any], Any]


def insert_rows(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Inserts rows whose values stand in the order of `columns`, the model's own names (`driver_id` for a key)."""
    fields = [_field(model, name) for name in columns]
    names = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    table = connection.ops.quote_name(model._meta.db_table)
    ready = _adapted(fields, rows)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in ready:
                    copy.write_row(row)
            return
        marks = ", ".join(["%s"] * len(fields))
        while batch := list(islice(ready, BATCH)):
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", batch)  # noqa: S608


def update_rows(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Sets `columns` row by row; the primary key stands last in each row."""
    pk = model._meta.pk
    fields = [_field(model, name) for name in columns]
    sets = ", ".join(f"{connection.ops.quote_name(field.column)} = %s" for field in fields)
    table, key = (connection.ops.quote_name(name) for name in (model._meta.db_table, pk.column))
    ready = _adapted([*fields, pk], rows)
    with connection.cursor() as cursor:
        while batch := list(islice(ready, BATCH)):
            cursor.executemany(f"UPDATE {table} SET {sets} WHERE {key} = %s", batch)  # noqa: S608


def _field(model: type[Model], name: str) -> "Field[Any, Any]":
    return model._meta.get_field(name)  # type: ignore[return-value]


def _adapted(
    fields: "Sequence[Field[Any, Any]]", rows: Iterable[Sequence[Any]]
) -> "Iterable[tuple[Any, ...]]":
    adapters = [_adapter(field) for field in fields]
    special = [(index, adapt) for index, adapt in enumerate(adapters) if adapt]

    def adapted() -> "Iterable[tuple[Any, ...]]":
        for row in rows:
            cells = list(row)
            for index, adapt in special:
                if cells[index] is not None:
                    cells[index] = adapt(cells[index])
            yield tuple(cells)

    return iter(adapted())  # type: ignore[call-overload]


def _adapter(field: "Field[Any, Any]") -> Adapter | None:
    """How this database takes values of the field; None where it takes them as they are."""
    target = field.target_field if isinstance(field, ForeignKey) else field
    if isinstance(target, JSONField):
        return _json
    on_sqlite = connection.vendor == "sqlite"
    if isinstance(target, UUIDField):
        return _hex if on_sqlite else None
    if isinstance(target, DateTimeField):
        return _moment if on_sqlite else None
    return None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _hex(value: Any) -> str:
    text: str = value.hex
    return text


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
