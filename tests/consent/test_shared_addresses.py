"""A no binds everybody who has the address, whatever the record looks like (spec §4)."""

import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import Organisation
from drivercrm.consent import queries
from drivercrm.consent import workflow as consent
from drivercrm.consent.models import ConsentEvent, SuppressedAddress
from drivercrm.core import clock
from drivercrm.core.ids import uuid7
from drivercrm.desk import audit
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import OnboardingStatus as S
from drivercrm.drivers.models import ChannelIdentity, Driver
from drivercrm.jobs import workflow as jobs
from drivercrm.journal.models import Delivery, Entry
from tests.factories import NANDI, make_driver

pytestmark = pytest.mark.django_db

NUMBER = "+27821112222"


def two(first: dict[str, str], second: dict[str, str]) -> tuple[Driver, Driver]:
    """Two drivers of one list, as a list may make them: the address is the first one's identity."""
    rows = [{"name": "Sipho", **first}, {"name": "Lerato", **second}]
    ids = drivers.create_many(rows, source="import", by=NANDI)
    one, other = (Driver.objects.get(pk=pk) for pk in ids)
    return one, other


def agree(driver: Driver, *channels: str) -> None:
    consent.grant(
        driver, channels=list(channels), purposes=["service"], source="staff", evidence="e", by=NANDI
    )


def state(driver: Driver, channel: str) -> str:
    return queries.state_of(queries.states([driver.pk])[driver.pk], channel, "service")


SHARED = [
    ({"phone": NUMBER}, {"phone": NUMBER}, "phone"),
    ({"phone": NUMBER}, {"phone": NUMBER}, "whatsapp"),
    ({"phone": NUMBER}, {"whatsapp_number": NUMBER}, "whatsapp"),
    ({"whatsapp_number": NUMBER}, {"phone": NUMBER}, "whatsapp"),
    ({"whatsapp_number": NUMBER}, {"whatsapp_number": NUMBER}, "whatsapp"),
    ({"email": "sipho@x.co.za"}, {"email": "Sipho@x.co.za"}, "email"),
    ({"email": "Sipho@x.co.za"}, {"email": "sipho@x.co.za"}, "email"),
    ({"telegram_username": "sipho"}, {"telegram_username": "sipho"}, "telegram"),
    ({"telegram_username": "sipho"}, {"telegram_username": "Sipho"}, "telegram"),
]


@pytest.mark.parametrize("who", [0, 1], ids=["who holds the identity", "who only has it on the record"])
@pytest.mark.parametrize(("first", "second", "channel"), SHARED)
def test_a_no_reaches_the_other_one_by_every_column(
    first: dict[str, str], second: dict[str, str], channel: str, who: int
) -> None:
    pair = two(first, second)
    for driver in pair:
        agree(driver, channel)

    consent.withdraw(pair[who], source="staff", by=NANDI)

    other = Driver.objects.get(pk=pair[1 - who].pk)
    assert state(other, channel) == "withdrawn"
    assert (other.onboarding_status, other.communication_opt_in) == (S.OPTED_OUT, False)


@pytest.mark.parametrize(("first", "second", "channel"), SHARED)
def test_an_address_stays_bound_when_an_import_is_taken_back_while_another_holder_has_said_no(
    first: dict[str, str], second: dict[str, str], channel: str
) -> None:
    one, other = two(first, second)
    act = uuid7()
    consent.withdraw(one, source="import", by=NANDI, act=act)
    consent.withdraw(other, source="staff", by=NANDI)
    moments = SuppressedAddress.objects.values_list("since", flat=True)

    consent.take_back_import(act, [one.pk], moments=list(moments))

    address = next(address for address in queries.addresses_of(one) if address[0] == channel)
    assert queries.suppressed([address]) == {address: True}


def test_who_holds_an_address_as_an_identity_alone_is_found() -> None:
    one, other, third = make_driver(phone=NUMBER), make_driver(), make_driver(email="a@x.co.za")
    ChannelIdentity.objects.filter(driver=other).update(value="+27829998888", kind="whatsapp_id")
    ChannelIdentity.objects.filter(driver=third, kind="email").update(value="b@x.co.za")
    Driver.objects.filter(pk=one.pk).update(phone="+27829998888", email="B@x.co.za")
    one.refresh_from_db()

    assert consent.sharers_of(one) == sorted([other.pk, third.pk])


def test_a_telegram_name_is_no_mail_and_a_mail_no_number() -> None:
    one = make_driver(telegram_username="sipho", email="sipho@x.co.za")
    make_driver(whatsapp_number="sipho", email="other@x.co.za")
    make_driver(telegram_username="sipho@x.co.za")

    assert consent.sharers_of(one) == []


@pytest.mark.django_db(transaction=True)
def test_over_the_api_a_no_on_a_shared_telegram_name_withdraws_the_other_one() -> None:
    _, secret = accounts.create_token("CRM", role=Role.OPERATIONS, by=NANDI)
    client = Client(HTTP_AUTHORIZATION=f"Bearer {secret}")

    def post(address: str, **values: Any) -> Any:
        sent = client.post(f"/api/v1/drivers{address}", json.dumps(values), content_type="application/json")
        assert sent.status_code == 201, sent.content
        return sent.json()

    ids = [
        post("", name=name, telegram_username="@sipho", email=f"{name}@x.co.za")["id"] for name in ("a", "b")
    ]
    for pk in ids:
        post(f"/{pk}/consents/grants", channels=["telegram"], purposes=["service"], evidence="call 12 Nov")
    jobs.worker(clockwork=False).drain()

    post(f"/{ids[0]}/consents/withdrawals")
    jobs.worker(clockwork=False).drain()

    said = client.get(f"/api/v1/drivers/{ids[1]}/consents").json()
    states = {(one["channel"], one["purpose"]): one["state"] for one in said["items"]}
    assert states["telegram", "service"] == "withdrawn"
    assert states["email", "service"] == "never_asked"
    assert (said["communication_opt_in"], said["onboarding_status"]) == (False, "opted_out")


def test_who_shares_an_address_is_found_by_indexes_alone() -> None:
    driver = make_driver(
        phone=NUMBER, whatsapp_number="+27823334444", email="s@x.co.za", telegram_username="Sipho"
    )
    others = [
        {
            "name": f"D {n}",
            "phone": f"+2783{n:07d}",
            "whatsapp_number": f"+2784{n:07d}",
            "email": f"D{n}@x.co.za",
            "telegram_username": f"Name{n}",
        }
        for n in range(3000)
    ]
    drivers.create_many(others, source="import", by=NANDI)
    heard: list[tuple[str, Any]] = []

    def note(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        heard.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert consent.sharers_of(driver) == []
    assert len(heard) == 7
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        plans = []
        for sql, params in heard:
            how = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
            cursor.execute(f"{how} {sql}", params)
            plans.append("\n".join(row[-1] for row in cursor.fetchall()))
    for name, plan in zip(
        ("driver_phone", "driver_whatsapp", "driver_mail", "driver_telegram"), plans, strict=False
    ):
        assert re.search(rf"(INDEX|Index.*|on) {name}\b", plan), plan
    assert [plan for plan in plans if re.search(r"SCAN (drivers|channel_)|Seq Scan on drivers", plan)] == []


# What the journal tells

SAID = "Somebody with this address said no"


def withdrawals() -> list[tuple[Any, dict[str, Any]]]:
    """Who the journal says has withdrawn, and what it keeps of it, in its order."""
    found = Entry.objects.filter(name="consent.withdrawn").order_by("pk")
    return [(entry.driver_id, entry.data) for entry in found]


def test_the_journal_tells_of_everybody_whom_a_no_has_reached_and_why() -> None:
    one, other = two({"phone": NUMBER}, {"phone": NUMBER, "email": "lerato@x.co.za"})
    agree(other, "phone", "email")

    consent.withdraw(one, channels=["phone"], source="staff", by=NANDI)

    pairs = {"channels": ["phone"], "purposes": ["service", "marketing"]}
    assert withdrawals() == [
        (other.pk, {"driver_ids": [str(other.pk)], **pairs, "reason": SAID}),
        (one.pk, {"driver_ids": [str(one.pk)], **pairs, "reason": ""}),
    ]
    events = ConsentEvent.objects.filter(driver=other, kind="withdrawn")
    assert set(events.values_list("source", "evidence", "actor")) == {("address", SAID, str(NANDI))}
    line = audit.lines(
        [Entry.objects.get(name="consent.withdrawn", driver_id=other.pk)], Organisation.current()
    )[0]
    assert (line.what, [record.name for record in line.records]) == ("Recorded a withdrawal", ["Lerato"])
    assert sorted(line.changes) == ["Channels: phone", "Purposes: service, marketing", f"Reason: {SAID}"]


def test_who_has_said_no_already_is_not_told_of_again() -> None:
    one, other = two({"phone": NUMBER}, {"phone": NUMBER})
    consent.withdraw(one, source="staff", by=NANDI)
    events = ConsentEvent.objects.count()
    assert [pk for pk, _ in withdrawals()] == [other.pk, one.pk]

    consent.withdraw(one, source="staff", by=NANDI)

    assert [pk for pk, _ in withdrawals()] == [other.pk, one.pk, one.pk]
    assert ConsentEvent.objects.count() == events + 8  # what the driver said twice, nothing for the other one


@pytest.mark.django_db(transaction=True)
def test_an_address_that_was_bound_before_is_told_of_once_with_its_reason() -> None:
    gone = make_driver(phone=NUMBER)
    consent.withdraw(gone, channels=["phone"], source="staff", by=NANDI)
    drivers.delete_untouched([gone.pk], by=NANDI)
    Entry.objects.filter(name="consent.withdrawn").delete()

    new = make_driver(phone=NUMBER)
    jobs.worker(clockwork=False).drain()
    consent.carry_over_suppression([new], by=NANDI, at=clock.now(), act=uuid7())
    jobs.worker(clockwork=False).drain()

    pairs = {"channels": ["phone"], "purposes": ["service", "marketing"]}
    assert withdrawals() == [(new.pk, {"driver_ids": [str(new.pk)], **pairs, "reason": SAID})]
    assert ConsentEvent.objects.filter(driver=new).count() == 2
    assert Delivery.objects.filter(done_at__isnull=True).count() == 0
