"""An import taken back: what nothing has touched goes, and every table but the journal is as before (spec §10)."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from drivercrm.communications import workflow as communications
from drivercrm.communications.enums import CallOutcome, Direction
from drivercrm.consent import workflow as consent
from drivercrm.consent.models import SuppressedAddress
from drivercrm.core import clock
from drivercrm.core.actors import automation
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver
from drivercrm.imports import queries
from drivercrm.imports import workflow as imports
from drivercrm.imports.enums import Decision, ImportState, RowVerdict
from drivercrm.imports.models import Import, ImportRow
from drivercrm.journal.models import Entry
from tests.factories import NANDI, make_driver, make_user
from tests.imports.lists import AGREEMENT, REAL, applied, differing, dump, many, staged

pytestmark = pytest.mark.django_db
SYNC = automation("sync")


def test_the_real_list_leaves_every_table_as_before() -> None:
    make_driver("Somebody There")
    before = dump()

    of = applied(imports.stage(REAL, file_name=REAL.name, by=NANDI, basis=imports.read_basis(AGREEMENT)))
    assert differing(before, dump()) != []
    left = imports.undo(of, by=NANDI)

    assert left is None
    assert differing(before, dump()) == []
    assert Entry.objects.latest("pk").data == {
        "import_id": str(of.pk),
        "file_name": "driver-list.xlsx",
        "deleted": 515,
        "restored": 0,
        "kept": 0,
    }


def test_updates_statuses_consent_and_closed_follow_ups_are_put_back() -> None:
    """Existing drivers of every kind, changed by a list in every way, and new ones beside them."""
    ready = make_driver("Ayanda Zulu", phone="+27820000001", email="old@example.org", by=SYNC)
    moving = make_driver("Bongi Cele", phone="+27820000002", by=SYNC)
    leaving = make_driver("Chris Moyo", phone="+27820000003", by=SYNC)
    consent.grant(leaving, channels=["email"], purposes=["service"], source="call", evidence="x", by=NANDI)
    drivers.set_follow_ups(
        [leaving.pk], due_at=clock.now(), is_all_day=True, owner=None, by=NANDI, reason="Ring back"
    )
    asked = make_driver("Dudu Nene", phone="+27820000004", timo_driver_id="TR-4", by=SYNC)
    stopped = make_driver("Gone Already", phone="+27820000005", by=SYNC)
    consent.withdraw(stopped, source="reply", by=NANDI)
    stopped.delete()
    before = dump()
    assert ready.pk != asked.pk

    of = applied(
        staged(
            [
                ["Ayanda Zulu", "0820000001", "new@example.org", "", "Umlazi", "", ""],
                ["Bongi Cele", "0820000002", "", "", "", "Active", "02/11/2026"],
                ["Chris Moyo", "0820000003", "", "", "", "opted out", ""],
                ["Dudu Nene", "0829999999", "", "TR-4", "", "", ""],
                ["New One", "0820000006", "", "", "", "unsubscribed", ""],
                ["New Two", "0820000005", "", "", "", "", ""],
                ["New Three", "0820000007", "n3@example.org", "", "", "Invited", "02/11/2026"],
            ],
            ["Name", "Phone", "Email", "Driver ID", "Area", "Status", "First contact date"],
            basis=imports.read_basis(AGREEMENT),
        )
    )
    assert (of.created_count, of.updated_count) == (3, 4)
    moving.refresh_from_db()
    leaving.refresh_from_db()
    assert (moving.onboarding_status, leaving.onboarding_status) == ("active", "opted_out")
    assert SuppressedAddress.objects.count() > 1
    assert imports.undo(of, by=NANDI) is None

    assert differing(before, dump()) == []
    assert set(drivers.rebuild().values()) == {0}
    assert consent.rebuild() == {"consent": 0}


def test_those_who_share_an_address_with_somebody_opted_out_are_put_back() -> None:
    friend = make_driver("Bongi Cele", phone="+27820000001", by=SYNC)
    consent.grant(friend, channels=["whatsapp"], purposes=["service"], source="call", evidence="x", by=NANDI)
    before = dump()
    of = staged([["Ayanda Zulu", "0820000001", "opted out"]], ["Name", "Phone", "Status"])
    imports.settle(of, 2, Decision.ANOTHER, by=NANDI)

    of = applied(of)
    friend.refresh_from_db()
    assert (friend.onboarding_status, friend.communication_opt_in) == ("opted_out", False)
    assert imports.undo(of, by=NANDI) is None

    assert differing(before, dump()) == []


@pytest.mark.parametrize(
    ("column", "value", "heading", "cell"),
    [
        ("whatsapp_number", "+27820000001", "WhatsApp", "0820000001"),
        ("email", "Bongi@example.org", "Email", "bongi@example.org"),
        ("telegram_username", "bongi_c", "Telegram", "@Bongi_C"),
    ],
)
def test_whoever_shares_any_address_with_somebody_opted_out_is_put_back(
    column: str, value: str, heading: str, cell: str
) -> None:
    make_driver("Zodwa Cele", by=SYNC, **{column: value})
    friend = make_driver("Bongi Cele", by=SYNC)
    Driver.objects.filter(pk=friend.pk).update(**{column: value})  # on both records, and one's identity
    friend.refresh_from_db()
    channel = {"whatsapp_number": "whatsapp", "email": "email", "telegram_username": "telegram"}[column]
    consent.grant(friend, channels=[channel], purposes=["service"], source="call", evidence="x", by=NANDI)
    before = dump()
    rows = [["Ayanda Zulu", "0830000009", cell, "opted out"]]
    of = staged(rows, ["Name", "Phone", heading, "Status"])
    if ImportRow.objects.get(of=of).verdict == RowVerdict.REVIEW:
        imports.settle(of, 2, Decision.ANOTHER, by=NANDI)

    of = applied(of)
    friend.refresh_from_db()
    assert (friend.onboarding_status, friend.communication_opt_in) == ("opted_out", False)
    assert imports.undo(of, by=NANDI) is None

    assert differing(before, dump()) == []


def test_an_address_of_somebody_who_said_no_binds_the_driver_it_is_given_to() -> None:
    gone = make_driver("Gone Already", phone="+27820000005", email="gone@example.org", by=SYNC)
    consent.withdraw(gone, channels=["email"], source="reply", by=NANDI)
    gone.delete()
    driver = make_driver("Ayanda Zulu", phone="+27820000001", by=SYNC)
    before = dump()

    of = applied(staged([["Ayanda Zulu", "0820000001", "gone@example.org"]]))
    states = {event.channel: event.kind for event in driver.consent_events.all()}
    assert states == {"email": "withdrawn"}
    assert imports.undo(of, by=NANDI) is None

    assert differing(before, dump()) == []


def test_merged_rows_are_put_back_too() -> None:
    make_driver("Nazeem Fredericks", phone="+27820000001", by=SYNC)
    before = dump()
    of = staged(
        [
            ["Gift Chauke", "0820000001", "gift@example.org"],
            ["Ayanda Zulu", "0820000002", ""],
            ["Ayanda Zulu", "0820000002", "ayanda@example.org"],
            ["Bongi Cele", "0820000002", ""],
        ]
    )
    imports.settle(of, 2, Decision.SAME, by=NANDI)
    imports.settle(of, 4, Decision.SAME, by=NANDI)
    imports.settle(of, 5, Decision.ANOTHER, by=NANDI)
    of = applied(of)
    assert (of.created_count, of.updated_count) == (2, 2)

    assert imports.undo(of, by=NANDI) is None

    assert differing(before, dump()) == []


def edited(driver: Driver) -> None:
    drivers.edit(driver, {"area": "Umlazi"}, by=NANDI)


def edited_and_undone(driver: Driver) -> None:
    entry = drivers.edit(driver, {"area": "Umlazi"}, by=NANDI)
    assert entry
    drivers.undo_edit(entry, by=NANDI)


def called(driver: Driver) -> None:
    communications.log_call(driver, direction=Direction.OUTBOUND, outcome=CallOutcome.NO_ANSWER, by=NANDI)


def granted(driver: Driver) -> None:
    consent.grant(driver, channels=["email"], purposes=["service"], source="call", evidence="x", by=NANDI)


def moved(driver: Driver) -> None:
    drivers.change_status(driver, "invited", reason="test", by=NANDI)


def followed_up(driver: Driver) -> None:
    drivers.set_follow_ups(
        [driver.pk], due_at=clock.now(), is_all_day=True, owner=None, by=NANDI, reason="Ring"
    )


def ticked(driver: Driver) -> None:
    drivers.complete_step(driver, "app_installed", by=NANDI)


def assigned(driver: Driver) -> None:
    drivers.assign([driver.pk], make_user(), by=NANDI)


def in_another_list(driver: Driver) -> None:
    applied(staged([[driver.name, driver.phone or "", "", "Durban"]], ["Name", "Phone", "Email", "Area"]))


@pytest.mark.parametrize(
    ("touch", "reason"),
    [
        (edited, "details changed since"),
        (edited_and_undone, "details changed since"),
        (called, "messages or calls"),
        (granted, "consent recorded since"),
        (moved, "status changed since"),
        (followed_up, "follow-ups"),
        (ticked, "checklist steps"),
        (assigned, "details changed since"),
        (in_another_list, "details changed since"),
    ],
)
def test_a_driver_that_something_has_touched_since_is_listed_and_kept(
    touch: Callable[[Driver], None], reason: str
) -> None:
    of = applied(staged(many(3), basis=imports.read_basis(AGREEMENT)))
    touch(Driver.objects.get(phone="+27820000001"))

    outlook = imports.outlook(of)
    left = imports.undo(of, by=NANDI)

    assert (outlook.deleted, len(outlook.kept)) == (2, 1)
    assert reason in outlook.kept[0][1]
    assert left
    assert (left.state, left.deleted_count, left.kept_count) == (ImportState.UNDONE, 2, 1)
    kept = Driver.objects.get()
    assert [(one["id"], reason in one["reason"]) for one in queries.kept_drivers(left)] == [
        (str(kept.pk), True)
    ]
    assert ImportRow.objects.filter(of=left).count() == 1


def test_a_value_that_somebody_has_changed_since_stays_and_the_others_go_back() -> None:
    driver = make_driver("Ayanda Zulu", phone="+27820000001", area="Durban", language="zu", by=SYNC)
    of = applied(
        staged([["Ayanda Zulu", "0820000001", "Umlazi", "en"]], ["Name", "Phone", "Area", "Language"])
    )
    drivers.edit(Driver.objects.get(pk=driver.pk), {"area": "Phoenix"}, by=NANDI)

    left = imports.undo(of, by=NANDI)

    driver.refresh_from_db()
    assert (driver.area, driver.language) == ("Phoenix", "zu")
    assert left
    assert [one["reason"] for one in queries.kept_drivers(left)] == ["changed since: area"]


def test_a_status_that_has_moved_on_stays() -> None:
    driver = make_driver("Ayanda Zulu", phone="+27820000001", by=SYNC)
    of = applied(staged([["Ayanda Zulu", "0820000001", "Invited"]], ["Name", "Phone", "Status"]))
    drivers.change_status(Driver.objects.get(pk=driver.pk), "active", reason="test", by=NANDI)

    left = imports.undo(of, by=NANDI)

    driver.refresh_from_db()
    assert driver.onboarding_status == "active"
    assert left
    assert [one["reason"] for one in queries.kept_drivers(left)] == ["status changed since"]
    assert set(drivers.rebuild().values()) == {0}


def test_an_undo_works_across_chunks_and_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("staging", "running", "undoing"):
        monkeypatch.setattr(f"drivercrm.imports.workflow.{module}.CHUNK", 4)
    before = dump()
    of = applied(staged(many(11)))

    assert imports.undo(of, by=NANDI) is None
    assert imports.undo_rest(of.pk, by=NANDI) is None

    assert differing(before, dump()) == []


def test_the_stop_of_another_driver_with_the_address_stays() -> None:
    of = staged([["Ayanda Zulu", "0820000001", "opted out"]], ["Name", "Phone", "Status"])
    of = applied(of)
    other = staged([["Precious Cele", "0820000001"]], ["Name", "Phone"])
    imports.settle(other, 2, Decision.ANOTHER, by=NANDI)
    applied(other)
    precious = Driver.objects.get(name="Precious Cele")
    consent.withdraw(precious, source="call", by=NANDI)
    assert SuppressedAddress.objects.count() == 2

    assert imports.undo(of, by=NANDI) is None

    assert SuppressedAddress.objects.count() == 2
    assert consent.bound_drivers([precious]) == {precious.pk}


def test_after_seven_days_an_import_stays() -> None:
    of = applied(staged(many(1)))
    Import.objects.filter(pk=of.pk).update(finished_at=clock.now() - timedelta(days=7, minutes=1))

    with pytest.raises(Refused) as refusal:
        imports.undo(of, by=NANDI)

    assert refusal.value.code == "too_late"
    assert not Import.objects.get(pk=of.pk).may_be_undone
    assert imports.tidy() == 1
    assert (Import.objects.count(), ImportRow.objects.count(), Driver.objects.count()) == (1, 0, 1)


def test_a_list_that_has_not_run_cannot_be_undone() -> None:
    with pytest.raises(Refused, match="has not run yet"):
        imports.undo(staged(many(1)), by=NANDI)


def test_a_stopped_import_goes_on_or_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivercrm.imports.workflow.running.CHUNK", 4)
    before = dump()
    of = staged(many(10))
    imports.start(of, by=NANDI, in_background=False)

    imports.run(of.pk, on_progress=lambda seen: imports.stop(seen, by=NANDI) and None)

    of = Import.objects.get(pk=of.pk)
    assert (of.state, Driver.objects.count(), of.done_count) == (ImportState.STOPPED, 4, 4)
    of = applied(of)
    assert (of.state, Driver.objects.count()) == (ImportState.DONE, 10)
    assert imports.undo(of, by=NANDI) is None
    assert differing(before, dump()) == []


def test_lists_that_nobody_let_in_are_tidied_away() -> None:
    old, fresh = staged(many(1)), staged(many(2))
    Import.objects.filter(pk=old.pk).update(progress_at=clock.now() - timedelta(days=8))
    half = staged(many(1))
    Import.objects.filter(pk=half.pk).update(
        state=ImportState.STAGING, created_at=clock.now() - timedelta(hours=2)
    )

    assert imports.tidy() == 2

    assert list(Import.objects.values_list("pk", flat=True)) == [fresh.pk]
