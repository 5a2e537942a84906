"""The look-ups of judging are answered by indexes, however many drivers there are (spec §11)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from drivercrm.imports.queries import neighbours
from drivercrm.imports.verdicts import Keys

pytestmark = pytest.mark.django_db


def test_no_look_up_reads_a_whole_table() -> None:
    statements: list[tuple[str, Any]] = []

    def listen(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, params))
        return execute(sql, params, many, context)

    keys = Keys({"T-1"}, {"+27820000001"}, {"a@example.org"}, {"P-1"}, {"thabo"})
    with connection.execute_wrapper(listen):
        neighbours(keys)

    plans = []
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # an empty table would be read as it is
            cursor.execute("SET LOCAL enable_seqscan = off")
        for sql, params in statements:
            cursor.execute(f"{explain} {sql}", params)
            plans.append("\n".join(str(row[-1]) for row in cursor.fetchall()))
    assert len(plans) == 9
    scanned = [plan for plan in plans if "SCAN drivers" in plan or "SCAN channel_identities" in plan]
    assert scanned == []
    assert [plan for plan in plans if "Seq Scan" in plan] == []
