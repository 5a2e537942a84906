"""Details and addresses: edits, what they keep beside, and how they are taken back."""

import json

import pytest
from django.test import Client
from django.urls import reverse

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import ChannelIdentity, Driver
from tests.factories import NANDI, make_driver, make_user

pytestmark = pytest.mark.django_db


# Undo under one driver


def test_an_undo_under_one_driver_leaves_the_others_of_the_same_act(client: Client) -> None:
    client.force_login(make_user(Role.OPERATIONS))
    owner = make_user(Role.OPERATIONS)
    first, second = make_driver(), make_driver()
    ids = [first.pk, second.pk]
    act, _ = drivers.change_status_of_many(ids, "invited", reason="Depot day", by=NANDI)
    entry = drivers.assign(ids, owner, by=NANDI)

    client.post(reverse("driver_status_undo", args=[first.pk, act]))
    client.post(reverse("driver_details_undo", args=[first.pk, entry]))

    rows = Driver.objects.filter(pk__in=ids).order_by("pk")
    assert list(rows.values_list("onboarding_status", "owner")) == [
        ("not_contacted", None),
        ("invited", owner.pk),
    ]


def test_an_edit_of_another_driver_is_not_undone_under_this_one() -> None:
    one, other = make_driver(), make_driver()
    entry = drivers.edit(other, {"area": "Soweto"}, by=NANDI)
    assert entry is not None

    with pytest.raises(Refused, match="nothing to undo"):
        drivers.undo_edit(entry, by=NANDI, only=one.pk)

    other.refresh_from_db()
    assert other.area == "Soweto"


def test_unticking_a_step_takes_back_this_drivers_part_of_an_act() -> None:
    one, other = make_driver(), make_driver()
    drivers.complete_step(one, "app_installed", by=NANDI)
    drivers.change_status(one, "invited", reason="Started over", by=NANDI)
    act, _ = drivers.change_status_of_many([one.pk, other.pk], "active", reason="Both drive", by=NANDI)

    drivers.undo_step(one, "app_installed", by=NANDI, act=act)

    other.refresh_from_db()
    assert (one.onboarding_status, other.onboarding_status) == ("invited", "active")


# Addresses


def identities(value: str) -> list[tuple[str, bool]]:
    """Who has held an address, the first one first, and whether they hold it now."""
    rows = ChannelIdentity.objects.filter(value=value).order_by("id")
    return [(row.driver.name, row.until is None) for row in rows.select_related("driver")]


def sharing(number: str) -> tuple[Driver, Driver]:
    """Two drivers with one number, as an import leaves them when a person says that they are two."""
    rows = [{"name": "Sipho Dlamini", "phone": number}, {"name": "Themba Dlamini", "phone": number}]
    pks = drivers.create_many(rows, source="import", by=NANDI)
    return Driver.objects.get(pk=pks[0]), Driver.objects.get(pk=pks[1])


@pytest.mark.parametrize("many", [False, True])
def test_a_shared_number_is_the_other_drivers_when_its_holder_leaves_it(many: bool) -> None:
    number = "+27821234567"
    sipho, _ = sharing(number)
    assert identities(number) == [("Sipho Dlamini", True)]

    if many:
        drivers.update_many({sipho.pk: {"phone": "+27829876543"}}, source="import", by=NANDI)
    else:
        drivers.edit(sipho, {"phone": "082 987 6543"}, by=NANDI)

    assert identities(number) == [("Sipho Dlamini", False), ("Themba Dlamini", True)]


def test_a_number_that_two_others_share_waits_for_a_person() -> None:
    number = "+27821234567"
    sipho, _ = sharing(number)
    drivers.create_many([{"name": "Third", "phone": number}], source="import", by=NANDI)

    drivers.edit(sipho, {"phone": "082 987 6543"}, by=NANDI)

    assert identities(number) == [("Sipho Dlamini", False)]


def test_two_numbers_that_change_places_stay_with_their_records() -> None:
    one, two = make_driver("One", phone="+27821111111"), make_driver("Two", phone="+27822222222")

    drivers.update_many(
        {one.pk: {"phone": "+27822222222"}, two.pk: {"phone": "+27821111111"}}, source="import", by=NANDI
    )

    assert identities("+27821111111") == [("One", False), ("Two", True)]
    assert identities("+27822222222") == [("Two", False), ("One", True)]


def test_an_undone_edit_gives_a_shared_number_back_to_its_holder() -> None:
    number = "+27821234567"
    sipho, themba = sharing(number)
    entry = drivers.edit(sipho, {"phone": "082 987 6543"}, by=NANDI)
    assert entry is not None

    drivers.undo_edit(entry, by=NANDI)

    sipho.refresh_from_db()
    themba.refresh_from_db()
    assert (sipho.phone, themba.phone) == (number, number)
    assert identities(number) == [
        ("Sipho Dlamini", False),
        ("Themba Dlamini", False),
        ("Sipho Dlamini", True),
    ]


def test_an_undone_list_gives_a_shared_number_back_as_if_it_had_never_come() -> None:
    number = "+27821234567"
    sipho, _ = sharing(number)
    before = list(ChannelIdentity.objects.values())

    written = drivers.update_many({sipho.pk: {"phone": "+27829876543"}}, source="import", by=NANDI)
    drivers.put_back_many(written, by=NANDI)

    assert list(ChannelIdentity.objects.values()) == before


def test_a_shared_number_is_the_other_drivers_when_its_holder_is_deleted() -> None:
    number = "+27821234567"
    sipho, _ = sharing(number)

    drivers.delete_untouched([sipho.pk], by=NANDI)

    assert identities(number) == [("Themba Dlamini", True)]


@pytest.mark.parametrize("field", ["phone", "whatsapp_number", "email"])
def test_an_address_on_another_record_is_never_taken_over_even_while_nobody_holds_it(field: str) -> None:
    value = "Sipho@example.org" if field == "email" else "+27821234567"
    other = make_driver("Sipho Dlamini", **{field: value})
    ChannelIdentity.objects.all().delete()
    driver = make_driver()

    with pytest.raises(Refused, match="belongs to Sipho Dlamini") as created:
        drivers.create({"name": "New", field: value}, source="person", by=NANDI)
    with pytest.raises(Refused) as edited:
        drivers.edit(driver, {field: value}, by=NANDI)

    assert [(one.value.code, one.value.field) for one in (created, edited)] == [("value_taken", field)] * 2
    assert drivers.edit(other, {field: value}, by=NANDI) is None


def test_an_address_keeps_when_it_was_held_and_when_that_became_known() -> None:
    before = clock.now()
    make_driver(phone="+27821111111")
    drivers.create_many([{"name": "Listed", "phone": "+27822222222"}], source="import", by=NANDI)

    rows = ChannelIdentity.objects.values_list("since", "recorded_at")

    assert all(before <= since <= clock.now() and before <= at <= clock.now() for since, at in rows)
    assert len(rows) == 2


# What follows changes


def test_a_change_of_consent_is_seen_by_programs_that_follow_changes() -> None:
    driver = make_driver()
    before = Driver.objects.get(pk=driver.pk).updated_at

    drivers.set_opt_in({driver.pk: False})
    unchanged = Driver.objects.get(pk=driver.pk).updated_at
    drivers.set_opt_in({driver.pk: True})
    changed = Driver.objects.get(pk=driver.pk).updated_at

    assert unchanged == before
    assert changed > before


# Owners


@pytest.mark.parametrize("role", [Role.VIEWER, Role.FINANCE])
def test_who_may_do_nothing_for_a_driver_is_neither_offered_nor_accepted_as_owner(
    client: Client, role: str
) -> None:
    client.force_login(make_user(Role.OPERATIONS))
    driver, reader = make_driver(), make_user(role, name="Only Reads")
    make_user(Role.SUPPORT, name="Sara Support")

    with pytest.raises(Refused) as assigned:
        drivers.assign([driver.pk], reader, by=NANDI)
    with pytest.raises(Refused) as created:
        drivers.create({"name": "X", "phone": "0821234567"}, source="person", by=NANDI, owner=reader)
    sent = client.post(reverse("driver_owner", args=[driver.pk]), {"owner": reader.pk})
    text = client.get(reverse("drivers_owner"), {"driver": driver.pk}).content.decode()

    driver.refresh_from_db()
    assert (assigned.value.code, created.value.code) == ("not_an_owner", "not_an_owner")
    assert (driver.owner, sent.status_code) == (None, 409)
    assert ("Sara Support" in text, "Only Reads" in text) == (True, False)


# What a person has set


def test_an_undone_edit_leaves_the_field_to_lists_again_unless_a_person_had_set_it_before() -> None:
    [pk] = drivers.create_many([{"name": "Sipho", "phone": "+27821234567"}], source="import", by=NANDI)
    driver = Driver.objects.get(pk=pk)
    drivers.edit(driver, {"area": "Umlazi"}, by=NANDI)
    entry = drivers.edit(driver, {"area": "Soweto", "language": "isiZulu"}, by=NANDI)
    assert entry is not None
    assert driver.edited_fields == ["area", "language"]

    drivers.undo_edit(entry, by=NANDI)

    driver.refresh_from_db()
    assert (driver.area, driver.language, driver.edited_fields) == ("Umlazi", "", ["area"])


def test_what_has_moved_on_since_stays_a_persons() -> None:
    driver = make_driver()
    Driver.objects.filter(pk=driver.pk).update(edited_fields=[])
    entry = drivers.edit(driver, {"area": "Soweto", "language": "isiZulu"}, by=NANDI)
    assert entry is not None
    drivers.edit(driver, {"area": "Umlazi"}, by=NANDI)

    drivers.undo_edit(entry, by=NANDI)

    driver.refresh_from_db()
    assert (driver.area, driver.language, driver.edited_fields) == ("Umlazi", "", ["area"])


# A way to reach the driver


WAYS = {
    "phone": "+27821234567",
    "whatsapp_number": "+27831234567",
    "email": "sipho@example.org",
    "telegram_username": "sipho",
}
NO_WAY = "Add a phone number, a mail or another way to reach this driver."


@pytest.mark.parametrize("field", WAYS)
def test_the_last_way_to_reach_a_driver_cannot_be_taken_away(field: str) -> None:
    driver = drivers.create({"name": "Sipho", field: WAYS[field]}, source="person", by=NANDI)

    with pytest.raises(Refused) as refusal:
        drivers.edit(driver, {field: "", "area": "Umlazi"}, by=NANDI)

    assert (refusal.value.code, refusal.value.sentence, refusal.value.field) == ("unreachable", NO_WAY, field)
    row = Driver.objects.filter(pk=driver.pk).values(field, "area").get()
    assert row == {field: WAYS[field], "area": ""}


def test_a_way_may_go_when_another_one_stays_or_comes() -> None:
    driver = make_driver(phone="+27821234567", email="sipho@example.org")

    drivers.edit(driver, {"phone": ""}, by=NANDI)
    drivers.edit(driver, {"email": "", "telegram_username": "@sipho"}, by=NANDI)

    row = Driver.objects.values_list("phone", "email", "telegram_username").get(pk=driver.pk)
    assert row == (None, None, "sipho")


def test_who_cannot_be_reached_already_may_be_edited_and_the_edit_undone() -> None:
    driver = make_driver()
    Driver.objects.filter(pk=driver.pk).update(phone=None)
    ChannelIdentity.objects.filter(driver=driver).delete()

    drivers.edit(driver, {"area": "Umlazi", "phone": ""}, by=NANDI)
    entry = drivers.edit(driver, {"email": "sipho@example.org"}, by=NANDI)
    assert entry is not None
    drivers.undo_edit(entry, by=NANDI)

    assert Driver.objects.values_list("area", "phone", "email").get(pk=driver.pk) == ("Umlazi", None, None)


def test_an_undo_takes_no_last_way_away_either() -> None:
    driver = make_driver(phone="+27821234567")
    entry = drivers.edit(driver, {"telegram_username": "sipho"}, by=NANDI)
    drivers.edit(driver, {"phone": ""}, by=NANDI)
    assert entry is not None

    with pytest.raises(Refused, match="another way to reach") as refusal:
        drivers.undo_edit(entry, by=NANDI)

    driver.refresh_from_db()
    assert (refusal.value.code, driver.telegram_username) == ("unreachable", "sipho")


def test_over_the_api_and_on_the_page_the_last_way_stays(client: Client) -> None:
    _, secret = accounts.create_token("CRM", role=Role.OPERATIONS, by=NANDI)
    driver = make_driver(phone="+27821234567")
    client.force_login(make_user(Role.OPERATIONS))

    sent = Client(HTTP_AUTHORIZATION=f"Bearer {secret}").patch(
        f"/api/v1/drivers/{driver.pk}", json.dumps({"phone": None}), content_type="application/json"
    )
    shown = {"name": driver.name, "preferred_channel": "whatsapp", "phone": "", "seen_phone": "+27821234567"}
    page = client.post(reverse("driver_details", args=[driver.pk]), shown)

    said = sent.json()
    assert (sent.status_code, said["code"], said["detail"], said["field"]) == (
        422,
        "unreachable",
        NO_WAY,
        "phone",
    )
    assert (page.status_code, NO_WAY in page.content.decode()) == (422, True)
    assert Driver.objects.get(pk=driver.pk).phone == "+27821234567"
