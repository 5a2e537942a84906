"""Consent: the ledger, its projection, and the door to opted out (spec §4)."""

from datetime import timedelta

import pytest

from drivercrm.consent import queries
from drivercrm.consent import workflow as consent
from drivercrm.consent.models import Consent, ConsentEvent, SuppressedAddress
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.core.ids import uuid7
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import OnboardingStatus as S
from drivercrm.drivers.models import Driver, FollowUp
from drivercrm.jobs import workflow as jobs
from drivercrm.journal.models import Entry
from tests.factories import NANDI, make_driver

pytestmark = pytest.mark.django_db


def agree(driver: Driver, *channels: str, purposes: tuple[str, ...] = ("service",)) -> None:
    consent.grant(
        driver,
        channels=list(channels),
        purposes=list(purposes),
        source="staff",
        evidence="call 12 Nov",
        by=NANDI,
    )


def test_a_grant_for_service_opts_in_and_keeps_its_proof() -> None:
    driver = make_driver()

    agree(driver, "whatsapp")

    event = ConsentEvent.objects.get(driver=driver)
    assert (event.kind, event.channel, event.purpose) == ("granted", "whatsapp", "service")
    assert (event.source, event.evidence, event.actor) == ("staff", "call 12 Nov", str(NANDI))
    assert driver.communication_opt_in is True
    assert queries.states([driver.pk])[driver.pk] == {("whatsapp", "service"): "granted"}


def test_marketing_alone_is_no_opt_in() -> None:
    driver = make_driver()
    agree(driver, "whatsapp", purposes=("marketing",))
    assert driver.communication_opt_in is False


def test_a_grant_without_evidence_is_refused() -> None:
    driver = make_driver()
    with pytest.raises(Refused) as refusal:
        consent.grant(
            driver, channels=["whatsapp"], purposes=["service"], source="staff", evidence=" ", by=NANDI
        )
    assert refusal.value.field == "evidence"
    assert ConsentEvent.objects.count() == 0


@pytest.mark.parametrize(
    ("channels", "purposes", "code"),
    [
        (["fax"], ["service"], "unknown_channel"),
        (["email"], ["fun"], "unknown_purpose"),
        ([], ["service"], "nothing_chosen"),
    ],
)
def test_an_unknown_channel_or_purpose_is_refused(
    channels: list[str], purposes: list[str], code: str
) -> None:
    with pytest.raises(Refused) as refusal:
        consent.withdraw(make_driver(), channels=channels, purposes=purposes, source="staff", by=NANDI)
    assert refusal.value.code == code


def test_a_moment_in_the_future_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        consent.withdraw(make_driver(), source="staff", by=NANDI, at=clock.now() + timedelta(hours=1))
    assert refusal.value.code == "in_future"


def test_stop_withdraws_everything_closes_follow_ups_and_opts_out() -> None:
    driver = make_driver(email="sipho@example.org")
    agree(driver, "whatsapp", "email")
    drivers.set_follow_ups(
        [driver.pk], due_at=clock.now(), is_all_day=True, reason="Call", owner=None, by=NANDI
    )

    consent.withdraw(driver, source="staff", by=NANDI)

    states = queries.states([driver.pk])[driver.pk]
    assert len(states) == 8
    assert set(states.values()) == {"withdrawn"}
    assert (driver.onboarding_status, driver.communication_opt_in) == (S.OPTED_OUT, False)
    assert driver.next_follow_up_date is None
    assert FollowUp.objects.get(driver=driver).outcome == "closed"
    assert Entry.objects.filter(name="driver.opted_out", driver_id=driver.pk).count() == 1


def test_one_channel_withdrawn_leaves_the_others() -> None:
    driver = make_driver(email="sipho@example.org")
    agree(driver, "whatsapp", "email")

    consent.withdraw(driver, channels=["email"], source="staff", by=NANDI)

    assert (driver.onboarding_status, driver.communication_opt_in) == (S.NOT_CONTACTED, True)


def test_the_last_granted_channel_withdrawn_opts_out() -> None:
    driver = make_driver()
    agree(driver, "whatsapp")

    consent.withdraw(driver, channels=["whatsapp"], source="staff", by=NANDI)

    assert driver.onboarding_status == S.OPTED_OUT


def test_withdrawing_a_channel_that_was_never_granted_is_no_opt_out() -> None:
    driver = make_driver()
    consent.withdraw(driver, channels=["email"], source="staff", by=NANDI)
    assert driver.onboarding_status == S.NOT_CONTACTED


def test_a_question_after_an_answer_changes_no_answer() -> None:
    driver = make_driver()
    agree(driver, "whatsapp")
    ConsentEvent.objects.create(
        driver=driver, channel="whatsapp", purpose="service", kind="asked", at=clock.now(), source="welcome",
        actor="automation:x", act=uuid7(),
    )  # fmt: skip

    consent.project([driver.pk])

    assert queries.states([driver.pk])[driver.pk] == {("whatsapp", "service"): "granted"}


def test_an_older_grant_that_is_learned_late_does_not_undo_a_withdrawal() -> None:
    driver = make_driver()
    consent.withdraw(driver, source="staff", by=NANDI)

    consent.grant(
        driver,
        channels=["whatsapp"],
        purposes=["service"],
        source="staff",
        evidence="paper of May",
        by=NANDI,
        at=clock.now() - timedelta(days=200),
    )

    assert queries.states([driver.pk])[driver.pk]["whatsapp", "service"] == "withdrawn"
    assert (driver.onboarding_status, driver.communication_opt_in) == (S.OPTED_OUT, False)
    assert SuppressedAddress.objects.count() == 2  # on WhatsApp and by phone


def test_a_withdrawal_binds_the_address_by_a_hash_alone() -> None:
    driver = make_driver(phone="+27821112222", email="Lerato@Example.org")

    consent.withdraw(driver, source="staff", by=NANDI)

    bound = [("phone", "+27821112222"), ("whatsapp", "+27821112222"), ("email", "lerato@example.org")]
    assert queries.suppressed([*bound, ("telegram", "lerato")]) == dict.fromkeys(bound, True)
    for row in SuppressedAddress.objects.all():
        assert "27821112222" not in row.address_hash
        assert len(row.address_hash) == 64


def test_an_import_grants_nobody_whose_address_is_bound_and_carries_the_withdrawal_over() -> None:
    gone = make_driver(phone="+27821112222")
    consent.withdraw(gone, source="staff", by=NANDI)
    drivers.delete_untouched([gone.pk], by=NANDI)
    back, new = make_driver(phone="+27821112222"), make_driver()
    act = uuid7()
    consent.carry_over_suppression([back, new], by=NANDI, at=clock.now(), act=act)

    covered = consent.grant_by_import(
        [back, new],
        channels=["whatsapp"],
        purposes=["service"],
        source="agreement",
        evidence="2025-11",
        by=NANDI,
        at=clock.now(),
        act=act,
    )

    back.refresh_from_db()
    new.refresh_from_db()
    assert covered == [new.pk]
    assert (back.onboarding_status, back.communication_opt_in) == (S.OPTED_OUT, False)
    assert (new.onboarding_status, new.communication_opt_in) == (S.NOT_CONTACTED, True)


def test_an_import_never_turns_withdrawn_consent_on() -> None:
    driver = make_driver()
    agree(driver, "whatsapp")
    consent.withdraw(driver, channels=["whatsapp"], source="staff", by=NANDI)

    covered = consent.grant_by_import(
        [driver], channels=["whatsapp"], purposes=["service"], source="agreement", evidence="e", by=NANDI,
        at=clock.now(), act=uuid7(),
    )  # fmt: skip

    driver.refresh_from_db()
    assert covered == []
    assert (driver.onboarding_status, driver.communication_opt_in) == (S.OPTED_OUT, False)


def test_rebuild_mends_a_projection_that_was_tampered_with() -> None:
    driver = make_driver()
    agree(driver, "whatsapp")
    Consent.objects.filter(driver=driver).update(state="withdrawn")
    Driver.objects.filter(pk=driver.pk).update(communication_opt_in=False)

    assert consent.rebuild() == {"consent": 2}

    driver.refresh_from_db()
    assert driver.communication_opt_in is True
    assert consent.rebuild() == {"consent": 0}


@pytest.mark.django_db(transaction=True)
def test_a_bound_address_binds_whoever_is_given_it_by_hand() -> None:
    gone = make_driver(phone="+27821112222")
    consent.withdraw(gone, source="staff", by=NANDI)
    drivers.delete_untouched([gone.pk], by=NANDI)

    again = make_driver(phone="+27821112222")
    other = make_driver()
    jobs.worker(clockwork=False).drain()

    again.refresh_from_db()
    other.refresh_from_db()
    assert (again.onboarding_status, other.onboarding_status) == (S.OPTED_OUT, S.NOT_CONTACTED)
    events = ConsentEvent.objects.filter(driver=again).count()
    assert consent.carry_over_suppression([again], by=NANDI, at=clock.now(), act=uuid7()) == []
    assert ConsentEvent.objects.filter(driver=again).count() == events


@pytest.mark.django_db(transaction=True)
def test_a_bound_address_binds_a_driver_who_is_given_it_later() -> None:
    gone = make_driver(phone="+27821112222")
    consent.withdraw(gone, source="staff", by=NANDI)
    drivers.delete_untouched([gone.pk], by=NANDI)
    driver = make_driver()
    agree(driver, "whatsapp")

    drivers.edit(driver, {"phone": "082 111 2222"}, by=NANDI)
    jobs.worker(clockwork=False).drain()

    driver.refresh_from_db()
    assert (driver.onboarding_status, driver.communication_opt_in) == (S.OPTED_OUT, False)


def states_of(driver: Driver) -> dict[tuple[str, str], str]:
    return queries.states([driver.pk])[driver.pk]


def test_a_no_on_whatsapp_alone_binds_that_number_on_whatsapp_alone() -> None:
    gone = make_driver(phone="+27821112222", email="gone@example.org")
    agree(gone, "whatsapp", "email")
    consent.withdraw(gone, channels=["whatsapp"], source="staff", by=NANDI)
    drivers.delete_untouched([gone.pk], by=NANDI)

    new = make_driver(whatsapp_number="+27821112222", phone="+27823334444", email="gone@example.org")
    changed = consent.carry_over_suppression([new], by=NANDI, at=clock.now(), act=uuid7())

    assert changed == [new.pk]
    assert {channel for channel, _ in states_of(new)} == {"whatsapp"}
    new.refresh_from_db()
    assert new.onboarding_status == S.NOT_CONTACTED


def test_a_stop_by_phone_is_found_under_a_whatsapp_number_too() -> None:
    gone = make_driver(phone="+27821112222")
    consent.withdraw(gone, source="staff", by=NANDI)
    drivers.delete_untouched([gone.pk], by=NANDI)

    new = make_driver(whatsapp_number="+27821112222", phone="+27823334444")

    assert consent.bound_drivers([new]) == {new.pk}


def test_a_yes_by_phone_frees_no_whatsapp_address() -> None:
    driver = make_driver(phone="+27821112222")
    consent.withdraw(driver, source="staff", by=NANDI)

    agree(driver, "phone")

    assert queries.suppressed([("phone", "+27821112222"), ("whatsapp", "+27821112222")]) == {
        ("whatsapp", "+27821112222"): False
    }


def test_a_stop_binds_whoever_shares_the_address_on_its_channels_alone() -> None:
    one = make_driver(phone="+27821112222", email="one@example.org")
    other = make_driver(email="other@example.org")
    Driver.objects.filter(pk=other.pk).update(phone="+27821112222")  # as a list may, when a person says so
    agree(one, "whatsapp")
    other.refresh_from_db()
    agree(other, "whatsapp", "email")

    consent.withdraw(one, source="staff", by=NANDI)

    other.refresh_from_db()
    assert states_of(other)["whatsapp", "service"] == "withdrawn"
    assert states_of(other)["email", "service"] == "granted"
    assert (other.onboarding_status, other.communication_opt_in) == (S.NOT_CONTACTED, True)


@pytest.mark.django_db(transaction=True)
def test_a_no_on_one_channel_stays_on_that_channel_when_the_record_is_edited() -> None:
    driver = make_driver(email="sipho@example.org")
    agree(driver, "whatsapp", "email")
    consent.withdraw(driver, channels=["email"], source="staff", by=NANDI)

    drivers.edit(driver, {"phone": "082 999 8888"}, by=NANDI)
    drivers.edit(driver, {"area": "Bluff"}, by=NANDI)
    jobs.worker(clockwork=False).drain()

    driver.refresh_from_db()
    assert (driver.onboarding_status, driver.communication_opt_in) == (S.NOT_CONTACTED, True)
    assert states_of(driver)["whatsapp", "service"] == "granted"


def test_an_address_that_somebody_else_has_now_is_not_bound_by_its_former_holder() -> None:
    former = make_driver(phone="+27821112222")
    drivers.edit(former, {"phone": "082 999 8888"}, by=NANDI)
    holder = make_driver(phone="+27821112222")
    agree(holder, "whatsapp")

    consent.withdraw(former, source="staff", by=NANDI)

    holder.refresh_from_db()
    assert consent.bound_drivers([holder]) == set()
    assert (holder.onboarding_status, holder.communication_opt_in) == (S.NOT_CONTACTED, True)


def test_a_no_of_yesterday_that_is_learned_after_todays_yes_changes_nothing() -> None:
    driver = make_driver()
    agree(driver, "whatsapp")

    consent.withdraw(driver, source="staff", by=NANDI, at=clock.now() - timedelta(days=1))

    assert states_of(driver)["whatsapp", "service"] == "granted"
    assert (driver.onboarding_status, driver.communication_opt_in) == (S.NOT_CONTACTED, True)


def test_a_no_outranks_the_grant_of_a_list_however_late_it_is_learned() -> None:
    driver = make_driver()
    consent.grant_by_import(
        [driver], channels=["whatsapp"], purposes=["service"], source="import", evidence="e", by=NANDI,
        at=clock.now(), act=uuid7(),
    )  # fmt: skip
    driver.refresh_from_db()
    assert driver.communication_opt_in is True

    consent.withdraw(driver, source="staff", by=NANDI, at=clock.now() - timedelta(days=1))

    assert set(states_of(driver).values()) == {"withdrawn"}
    assert (driver.onboarding_status, driver.communication_opt_in) == (S.OPTED_OUT, False)
    assert consent.rebuild() == {"consent": 0}
