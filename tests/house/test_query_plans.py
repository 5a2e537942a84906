"""Lists and searches are answered by indexes on both databases, whatever they ask (spec §11).

The plans are those of the statements that the pages really send, on 20 000 invented drivers with all that hangs
on them: enough for both planners to mean what they say.
"""

import re
from collections.abc import Iterator

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.db import connection
from django.test import Client
from pytest_django import DjangoDbBlocker

from benchmarks.load import ADMIN, fill
from drivercrm.accounts.models import User
from drivercrm.core.paging import cursor_at
from drivercrm.drivers import filters
from drivercrm.drivers.models import Driver

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

BIG = (
    "drivers",
    "driver_search",
    "driver_status_changes",
    "channel_identities",
    "onboarding_steps",
    "follow_ups",
    "consent_events",
    "consents",
    "communications",
    "journal_entries",
)
Statement = tuple[str, tuple[object, ...]]


@pytest.fixture(scope="module")
def many_drivers(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        fill(20_000, say=lambda words: None)
        yield
        call_command("flush", interactive=False, verbosity=0)
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")


# SQLite has none until somebody asks for them, PostgreSQL keeps its own
STATISTICS = ["no statistics", "statistics"] if connection.vendor == "sqlite" else ["statistics"]


@pytest.fixture(scope="module", params=STATISTICS, autouse=True)
def statistics(
    request: pytest.FixtureRequest, many_drivers: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        if request.param == "statistics":
            cursor.execute("ANALYZE")
        yield
        if connection.vendor == "sqlite" and request.param == "statistics":
            cursor.execute("DELETE FROM sqlite_stat1")
            cursor.execute("ANALYZE sqlite_master")


@pytest.fixture
def signed_in() -> Client:
    client = Client()
    client.force_login(User.objects.get(email=ADMIN))
    return client


def asked_by(client: Client, address: str) -> list[Statement]:
    """Every SELECT that a page sends."""
    heard: list[Statement] = []

    def note(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        if sql.lstrip("( ").startswith(("SELECT", "WITH")):
            heard.append((sql, tuple(params or ())))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        answer = client.get(address)
    assert answer.status_code == 200, address
    return heard


def plan_of(statement: Statement) -> list[str]:
    how = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # 20 000 rows are so few that reading all of them is sometimes right, depending on what earlier tests
            # left in the indexes: only where no index can serve does it still read from end to end
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(how + statement[0], statement[1])
        return [row[-1] for row in cursor.fetchall()]


def faults_of(statement: Statement) -> list[str]:
    """Steps that read a big table from end to end, or sort one that was not narrowed to a few ids."""
    sql, _ = statement
    plan = plan_of(statement)
    names = "|".join(BIG)
    if connection.vendor == "sqlite":
        found = [step for step in plan if re.match(rf"SCAN ({names})\b(?! USING| VIRTUAL)", step)]
        is_narrowed = "json_each" in sql
        sorts = [step for step in plan if "TEMP B-TREE FOR ORDER BY" in step]
    else:
        found = [step for step in plan if re.search(rf"Seq Scan on ({names})\b", step)]
        is_narrowed = "unnest(" in sql
        sorts = [step for step in plan if re.search(r"(?<!Incremental )Sort  \(cost", step)]
    if 'FROM "drivers"' in sql and 'ORDER BY "drivers"' in sql and '"drivers"."id" =' not in sql:
        found += [] if is_narrowed else sorts
    return [f"{step.strip()} in {sql[:400]}" for step in found]


def faults(client: Client, address: str) -> list[str]:
    statements = asked_by(client, address)
    assert any('"drivers"' in sql or "FROM drivers" in sql for sql, _ in statements), address
    return [fault for statement in statements for fault in faults_of(statement)]


def deep(sort: str, **conditions: object) -> str:
    """The cursor of the row at two thirds of a list."""
    order = filters.parse(f"sort={sort}").order
    sign = "-" if order.descending else ""
    rows = Driver.objects.filter(**conditions).values("id", order.field)
    if order.nullable:
        rows = rows.exclude(**{order.field: None})
    place = rows.count() * 2 // 3
    row = rows.order_by(f"{sign}{order.field}", f"{sign}id")[place : place + 1].get()
    return cursor_at(row, order, backwards=False)


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("sort", filters.SORTS)
def test_every_order_of_the_list_walks_an_index_at_any_depth(signed_in: Client, sort: str, sign: str) -> None:
    assert faults(signed_in, f"/drivers/?sort={sign}{sort}") == []
    assert faults(signed_in, f"/drivers/?sort={sign}{sort}&cursor={deep(sign + sort)}") == []


@pytest.mark.parametrize("status", ["not_contacted", "invited", "opted_out"])
def test_a_status_filter_is_answered_by_an_index(signed_in: Client, status: str) -> None:
    cursor = deep("-created", onboarding_status=status)
    assert faults(signed_in, f"/drivers/?status={status}") == []
    assert faults(signed_in, f"/drivers/?status={status}&cursor={cursor}") == []
    assert faults(signed_in, f"/drivers/?status={status}&sort=-last_contact") == []
    assert faults(signed_in, f"/drivers/?status={status}&sort=name") == []


@pytest.mark.parametrize(
    "query",
    [
        "owner=me",
        "owner=none&sort=name",
        "status.not=opted_out",
        "status=invited&status=contacted&sort=next_follow_up",
        "next_follow_up=overdue&sort=next_follow_up",
        "next_follow_up.before=next_week&status.not=opted_out&sort=next_follow_up",
        "last_contact.before=-30d&sort=last_contact",
        "engagement_score.under=40&sort=engagement_score",
        "created.after=-7d",
        "area=Umlazi",
        "status=onboarding_started&started.before=-7d&sort=last_contact",
    ],
)
def test_other_filters_are_answered_by_an_index(signed_in: Client, query: str) -> None:
    assert faults(signed_in, f"/drivers/?{query}") == []


def searches() -> dict[str, str]:
    driver = Driver.objects.filter(email__isnull=False, timo_driver_id__isnull=False).earliest("pk")
    words = driver.name.lower().split()
    return {
        "two names": f"{words[0]}+{words[-1]}",
        "one name": words[-1],
        "three letters": words[-1][:3],
        "a part of a mail": driver.email.split(".")[1].split("@")[0],
        "what every mail has": "example",
        "a number as people write it": f"0{driver.phone[3:6]}+{driver.phone[6:9]}",
        "an id": driver.timo_driver_id,
        "the beginning of an id": driver.timo_driver_id[:6],
        "a whole mail": driver.email.upper(),
        "something long that nobody has": "qqqqxxqqqqxx",
        "a first letter": words[0][:1],
        "the beginning of a name": words[0][:2],
        "nothing that exists": "qqqqxx",
    }


@pytest.mark.parametrize("sort", ["", "&sort=name", "&status=invited"])
def test_every_search_is_answered_by_an_index(signed_in: Client, sort: str) -> None:
    found = {name: faults(signed_in, f"/drivers/?q={words}{sort}") for name, words in searches().items()}
    assert {name: bad for name, bad in found.items() if bad} == {}


def test_the_palette_searches_by_an_index(signed_in: Client) -> None:
    found = {name: faults(signed_in, f"/search/?q={words}") for name, words in searches().items()}
    assert {name: bad for name, bad in found.items() if bad} == {}


def test_the_page_of_one_driver_reads_nothing_from_end_to_end(signed_in: Client) -> None:
    driver = Driver.objects.filter(onboarding_status="active").earliest("pk")
    assert faults(signed_in, f"/drivers/{driver.pk}/") == []
    assert faults(signed_in, f"/drivers/{driver.pk}/?from=sort%3Dname") == []


@pytest.mark.parametrize("address", ["/", "/?whose=team", "/pipeline/"])
def test_today_and_the_board_never_read_a_table_again_for_every_row(signed_in: Client, address: str) -> None:
    caches["memory"].clear()
    looping = re.compile(r"SCAN \w+ LEFT-JOIN|Nested Loop .*rows=\d{6}")
    found = [
        f"{step} in {statement[0][:300]}"
        for statement in asked_by(signed_in, address)
        for step in plan_of(statement)
        if looping.search(step) and not re.search(r"SCAN users", step)
    ]
    assert found == []


def test_the_lists_of_the_api_walk_an_index(signed_in: Client) -> None:
    assert faults(signed_in, "/api/v1/drivers?limit=50") == []
    assert faults(signed_in, f"/api/v1/drivers?limit=50&cursor={deep('-created')}") == []
    assert faults(signed_in, "/api/v1/drivers?limit=50&status=invited&sort=name") == []
    assert faults(signed_in, "/api/v1/drivers?limit=50&search=dlamini") == []


def test_the_check_sees_a_table_that_is_read_from_end_to_end() -> None:
    assert faults_of(("SELECT name FROM drivers WHERE notes = 'x'", ())) != []
    assert faults_of(('SELECT "drivers"."name" FROM "drivers" ORDER BY "drivers"."notes"', ())) != []
