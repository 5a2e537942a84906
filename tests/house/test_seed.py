"""The seed is law: its tables, columns and values, held by the database itself."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivercrm.communications.models import Communication
from drivercrm.core.clock import now
from drivercrm.drivers.models import Driver
from drivercrm.engagement.models import EngagementMetric
from drivercrm.support.models import SupportTicket
from tests.factories import make_driver

pytestmark = pytest.mark.django_db

COLUMNS = {
    "drivers": """id timo_driver_id pathpulse_account_id name phone email whatsapp_number telegram_username
        onboarding_status first_contact_date onboarding_start_date onboarding_complete_date last_active_date
        preferred_channel communication_opt_in last_contact_date next_follow_up_date total_communications
        response_rate engagement_score created_at updated_at notes""",
    "communications": """id driver_id channel direction message_type subject message_body attachments status
        response_received response_time sent_at delivered_at read_at replied_at created_by""",
    "support_tickets": """id driver_id issue_type priority status subject description resolution created_at
        resolved_at assigned_to response_time""",
    "engagement_metrics": """id driver_id date app_usage_hours data_quality_score participation_score base_reward
        bonus_reward total_reward payment_status created_at""",
}
VALUES = {
    (
        "drivers",
        "onboarding_status",
    ): """not_contacted contacted invited onboarding_started onboarding_completed
        active inactive opted_out""",
    ("drivers", "preferred_channel"): "whatsapp telegram email",
    ("communications", "channel"): "whatsapp telegram email phone",
    ("communications", "direction"): "inbound outbound",
    ("communications", "message_type"): "welcome onboarding reminder support update",
    ("communications", "status"): "sent delivered read replied failed",
    ("support_tickets", "issue_type"): "technical account payment other",
    ("support_tickets", "priority"): "low medium high urgent",
    ("support_tickets", "status"): "open in_progress resolved closed",
    ("engagement_metrics", "payment_status"): "pending paid failed",
}
MODELS = {
    "drivers": Driver,
    "communications": Communication,
    "support_tickets": SupportTicket,
    "engagement_metrics": EngagementMetric,
}


def make_row(table: str) -> object:
    driver = make_driver()
    match table:
        case "drivers":
            return driver
        case "communications":
            return Communication.objects.create(
                driver=driver,
                channel="phone",
                direction="outbound",
                message_type="welcome",
                status="sent",
                sent_at=now(),
                created_by="user:x",
            )
        case "support_tickets":
            return SupportTicket.objects.create(driver=driver, issue_type="other", subject="x")
        case _:
            return EngagementMetric.objects.create(driver=driver, date=now().date())


@pytest.mark.parametrize("table", COLUMNS)
def test_a_seed_table_has_every_column_of_the_seed(table: str) -> None:
    with connection.cursor() as cursor:
        found = {column.name for column in connection.introspection.get_table_description(cursor, table)}
    assert found >= set(COLUMNS[table].split())


@pytest.mark.parametrize(("table", "column"), VALUES)
def test_raw_sql_stores_every_value_of_the_seed_and_no_other(table: str, column: str) -> None:
    make_row(table)
    with connection.cursor() as cursor:
        for value in VALUES[table, column].split():
            cursor.execute(f"UPDATE {table} SET {column} = %s", [value])
            assert cursor.rowcount == 1
        for wrong in ("", "Active", "sentt", "unknown"):
            with pytest.raises(DatabaseError), transaction.atomic():
                cursor.execute(f"UPDATE {table} SET {column} = %s", [wrong])


@pytest.mark.parametrize("table", COLUMNS)
def test_keys_are_uuids_that_sort_by_creation(table: str) -> None:
    keys = [make_row(table).pk for _ in range(5)]  # type: ignore[attr-defined]
    assert [key.version for key in keys] == [7] * 5
    assert sorted(keys) == keys
    assert list(MODELS[table].objects.order_by("pk").values_list("pk", flat=True)) == keys


cents = st.integers(0, 99_999_999).map(lambda value: Decimal(value) / 100)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(base=cents, bonus=cents, off=st.sampled_from([Decimal("0.01"), Decimal("-0.01"), Decimal("1.00")]))
def test_the_total_is_base_plus_bonus_to_the_cent(base: Decimal, bonus: Decimal, off: Decimal) -> None:
    driver = Driver.objects.first() or make_driver()
    row = EngagementMetric.objects.create(
        driver=driver, date=f"2026-01-{1 + EngagementMetric.objects.count() % 28:02d}",
        base_reward=base, bonus_reward=bonus, total_reward=base + bonus,
    )  # fmt: skip
    row.refresh_from_db()
    assert row.total_reward == base + bonus
    with pytest.raises(IntegrityError), transaction.atomic():
        EngagementMetric.objects.filter(pk=row.pk).update(total_reward=base + bonus + off)
    row.delete()


def test_seven_cents_and_fifty_two_are_fifty_nine() -> None:
    row = EngagementMetric.objects.create(
        driver=make_driver(),
        date="2026-11-01",
        base_reward=Decimal("0.07"),
        bonus_reward=Decimal("0.52"),
        total_reward=Decimal("0.59"),
    )
    assert EngagementMetric.objects.filter(pk=row.pk, total_reward=Decimal("0.59")).exists()


def test_a_driver_has_one_metric_row_a_day() -> None:
    driver = make_driver()
    EngagementMetric.objects.create(driver=driver, date="2026-11-01")
    with pytest.raises(IntegrityError), transaction.atomic():
        EngagementMetric.objects.create(driver=driver, date="2026-11-01")


def test_nothing_hangs_on_a_driver_that_is_not_there() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        SupportTicket.objects.create(driver_id=uuid4(), issue_type="other", subject="x")
        connection.check_constraints()
