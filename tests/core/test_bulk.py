"""What the rooms rely on when they write many rows at once."""

import gc
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import DataError, IntegrityError, connection, transaction

from drivercrm.core import bulk
from drivercrm.core.bulk import MANY_OBJECTS, MANY_PAGES, bulk_work, insert_rows

COLUMNS = ("app_label", "model")


@pytest.fixture
def usual() -> Iterator[tuple[int, int, int]]:
    """The thresholds of the garbage collector as a test finds them."""
    found = gc.get_threshold()
    gc.set_threshold(1234, 11, 12)
    yield 1234, 11, 12
    gc.set_threshold(*found)


def only_on(vendor: str) -> None:
    if connection.vendor != vendor:
        pytest.skip(f"only on {vendor}")


def pages() -> int:
    with connection.cursor() as cursor:
        return int(cursor.execute("PRAGMA wal_autocheckpoint").fetchone()[0])


@pytest.mark.django_db
def test_a_row_that_is_there_already_is_djangos_error() -> None:
    insert_rows(ContentType, COLUMNS, [("one", "a")])

    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows(ContentType, COLUMNS, [("one", "b"), ("one", "a")])

    assert list(ContentType.objects.filter(app_label="one").values_list("model", flat=True)) == ["a"]


@pytest.mark.django_db
def test_a_row_that_a_column_cannot_hold_is_djangos_error() -> None:
    only_on("postgresql")

    with pytest.raises(DataError), transaction.atomic():
        insert_rows(ContentType, COLUMNS, [("one", "x" * 101)])


@pytest.mark.django_db
def test_an_error_of_the_rows_themselves_stays_what_it_is() -> None:
    def rows() -> Iterator[tuple[str, str]]:
        yield "one", "a"
        raise LookupError

    with pytest.raises(LookupError), transaction.atomic():
        insert_rows(ContentType, COLUMNS, rows())

    assert not ContentType.objects.filter(app_label="one").exists()


@pytest.mark.django_db
@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_the_last_of_two_bulks_puts_the_thresholds_back(
    usual: tuple[int, int, int], first_leaves_first: bool
) -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(bulk_work())
    second.enter_context(bulk_work())
    one, other = (first, second) if first_leaves_first else (second, first)

    one.close()
    assert gc.get_threshold() == (MANY_OBJECTS, 11, 12)
    other.close()
    assert gc.get_threshold() == usual


@pytest.mark.django_db
def test_thresholds_are_put_back_when_a_bulk_cannot_begin(
    usual: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> Iterator[None]:
        raise RuntimeError("no database")

    monkeypatch.setattr(bulk, "_moving_its_log_rarely", fails)

    with pytest.raises(RuntimeError, match="no database"), bulk_work():
        pass

    assert gc.get_threshold() == usual


@pytest.mark.django_db
def test_the_log_is_moved_as_before_after_a_bulk() -> None:
    only_on("sqlite")
    before = pages()

    with bulk_work():
        assert pages() == MANY_PAGES

    assert pages() == before


@pytest.mark.django_db(transaction=True)
def test_a_broken_transaction_does_not_hide_why_it_broke(usual: tuple[int, int, int]) -> None:
    before = pages() if connection.vendor == "sqlite" else 0

    with pytest.raises(LookupError, match="the reason"), transaction.atomic(), bulk_work():
        with pytest.raises(IntegrityError), transaction.atomic(savepoint=False):
            insert_rows(ContentType, COLUMNS, [("one", "a"), ("one", "a")])
        assert connection.needs_rollback
        raise LookupError("the reason")

    assert gc.get_threshold() == usual
    if connection.vendor == "sqlite":
        assert pages() == before
