"""Staging, matching, settling and running a list (spec §10)."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.db import IntegrityError

from drivercrm.consent import queries as consents
from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.core.actors import automation
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import ChannelIdentity, Driver, StatusChange
from drivercrm.imports import queries
from drivercrm.imports import workflow as imports
from drivercrm.imports.enums import Decision, ImportState
from drivercrm.imports.models import Import, ImportRow
from drivercrm.imports.reading import read
from drivercrm.imports.views.cells import lines
from drivercrm.imports.workflow import running
from drivercrm.journal.models import Change, Entry
from tests.factories import NANDI, make_driver
from tests.imports.lists import (
    AGREEMENT,
    COMMAND,
    DATA,
    HEADINGS,
    REAL,
    applied,
    as_csv,
    differing,
    dump,
    many,
    staged,
)
from tests.processes import environment

pytestmark = pytest.mark.django_db
TRUTH = json.loads((DATA / "driver-list.expected.json").read_text())


def verdicts(of: Import) -> dict[int, str]:
    return dict(ImportRow.objects.filter(of=of).values_list("number", "verdict"))


def test_the_real_list_goes_in_as_its_truth_says() -> None:
    of = applied(imports.stage(REAL, file_name=REAL.name, by=NANDI, basis=imports.read_basis(AGREEMENT)))

    rows = {row.number: row for row in ImportRow.objects.filter(of=of)}
    assert [
        (number, row.verdict, row.values.get("name", "").casefold(), row.values.get("phone"))
        for number, row in sorted(rows.items())
    ] == [(r["row"], r["verdict"], (r.get("name") or "").casefold(), r.get("phone")) for r in TRUTH["rows"]]
    assert (of.state, of.created_count, of.updated_count, of.left_out_count) == (ImportState.DONE, 515, 0, 27)
    assert Driver.objects.count() == 515
    assert Driver.objects.filter(communication_opt_in=True).count() == 515
    assert ChannelIdentity.objects.filter(kind="phone").count() == 513


def test_every_fact_of_a_new_driver_is_written() -> None:
    of = applied(
        staged([["SIPHO DLAMINI", "082 000 0001", "sipho@example.org"]], basis=imports.read_basis(AGREEMENT))
    )

    driver = Driver.objects.get()
    assert (driver.name, driver.given_name, driver.phone) == ("Sipho Dlamini", "Sipho", "+27820000001")
    assert (driver.source, driver.edited_fields, driver.preferred_channel) == ("import", [], "whatsapp")
    assert driver.created_at == driver.updated_at
    assert sorted(driver.identities.values_list("kind", "value", "source")) == [
        ("email", "sipho@example.org", "import"),
        ("phone", "+27820000001", "import"),
    ]
    event = driver.consent_events.get()
    assert (event.channel, event.purpose, event.kind, event.wording, event.evidence, event.act) == (
        "whatsapp",
        "service",
        "granted",
        AGREEMENT,
        "The list list.csv",
        of.act,
    )
    assert consents.states([driver.pk])[driver.pk] == {("whatsapp", "service"): "granted"}
    assert Driver.objects.search("sipho").get() == driver
    names = list(Entry.objects.order_by("pk").values_list("name", flat=True))
    assert names == ["import.staged", "driver.created", "consent.granted", "import.finished"]
    assert drivers.rebuild() == dict.fromkeys(drivers.rebuild(), 0)
    assert consent.rebuild() == {"consent": 0}


def test_without_a_basis_nobody_has_been_asked() -> None:
    applied(staged(many(2)))

    assert [driver.consent_events.count() for driver in Driver.objects.all()] == [0, 0]
    assert Driver.objects.filter(communication_opt_in=True).count() == 0


def test_the_same_list_again_changes_nothing_and_cannot_be_started() -> None:
    basis = imports.read_basis(AGREEMENT)
    applied(staged(many(3), basis=basis))
    before = dump()

    again = staged(many(3), basis=basis)
    with pytest.raises(Refused) as refusal:
        imports.start(again, by=NANDI)

    assert refusal.value.code == "nothing_to_do"
    assert again.verdicts == {"unchanged": 3}
    imports.discard(again)
    assert differing(before, dump()) == []


def test_a_later_basis_grants_for_drivers_who_are_there_and_never_for_one_who_said_no() -> None:
    applied(staged(many(2)))
    said_no = Driver.objects.order_by("pk")[0]
    consent.withdraw(said_no, source="call", by=NANDI)

    of = applied(staged(many(2), basis=imports.read_basis(AGREEMENT)))

    reasons = list(ImportRow.objects.filter(of=of).order_by("number").values_list("verdict", "reason"))
    assert reasons == [
        ("unchanged", "Nothing to change"),
        ("update", "Grants consent for service on WhatsApp"),
    ]
    assert list(Driver.objects.order_by("pk").values_list("communication_opt_in", flat=True)) == [False, True]


def test_an_address_that_said_stop_goes_in_as_opted_out() -> None:
    gone = make_driver("Old Owner", phone="+27820000001")
    consent.withdraw(gone, source="reply", by=NANDI)
    gone.delete()

    of = staged([["New Owner", "0820000001", ""]], basis=imports.read_basis(AGREEMENT))
    assert "asked not to be contacted" in ImportRow.objects.get(of=of).notes[-1]
    applied(of)

    driver = Driver.objects.get()
    assert (driver.onboarding_status, driver.communication_opt_in) == ("opted_out", False)


def test_another_person_with_an_address_that_said_stop_is_opted_out_too() -> None:
    gone = make_driver("Old Owner", phone="+27820000001", by=automation("test"))
    consent.withdraw(gone, source="reply", by=NANDI)
    of = staged([["Precious Zulu", "0820000001", "p@example.org"]], basis=imports.read_basis(AGREEMENT))

    row = imports.settle(of, 2, Decision.ANOTHER, by=NANDI)
    applied(of)

    assert "asked not to be contacted" in row.notes[-1]
    driver = Driver.objects.get(name="Precious Zulu")
    assert (driver.onboarding_status, driver.communication_opt_in) == ("opted_out", False)
    assert driver.consent_events.filter(kind="granted").count() == 0


def test_a_stop_in_the_same_list_binds_another_person_with_the_address() -> None:
    of = staged(
        [["Ayanda Zulu", "0820000001", "", "opted out"], ["Bongi Cele", "0820000001", "", ""]],
        [*HEADINGS, "Status"],
        basis=imports.read_basis(AGREEMENT),
    )
    imports.settle(of, 3, Decision.ANOTHER, by=NANDI)

    applied(of)

    assert list(Driver.objects.order_by("pk").values_list("onboarding_status", "communication_opt_in")) == [
        ("opted_out", False),
        ("opted_out", False),
    ]
    assert Driver.objects.get(name="Bongi Cele").consent_events.filter(kind="granted").count() == 0


def test_a_basis_on_a_driver_with_a_bound_address_is_no_update_for_ever() -> None:
    rows = [["Ayanda Zulu", "0820000001", "a@example.org"]]
    applied(staged(rows))
    gone = make_driver("Gone Already", phone="+27820000002", by=automation("test"))
    consent.withdraw(gone, source="reply", by=NANDI)
    Driver.objects.update(phone=None)
    Driver.objects.filter(name="Ayanda Zulu").update(phone="+27820000001", whatsapp_number="+27820000002")

    again = staged(rows, basis=imports.read_basis(AGREEMENT))

    assert again.verdicts == {"unchanged": 1}


def test_an_update_fills_empty_fields_and_leaves_what_a_person_has_edited() -> None:
    driver = make_driver("Zodwa Moyo", phone="+27820000009")
    driver = Driver.objects.get(pk=driver.pk)
    drivers.edit(driver, {"area": "Umlazi"}, by=NANDI)

    applied(
        staged(
            [["Zodwa Moyo", "0820000009", "zodwa@example.org", "Durban"]], ["Name", "Phone", "Email", "Area"]
        )
    )

    driver.refresh_from_db()
    assert (driver.email, driver.area) == ("zodwa@example.org", "Umlazi")
    entry = Entry.objects.filter(name="driver.edited").latest("pk")
    assert list(Change.objects.filter(entry=entry).values_list("field", "before", "after")) == [
        ("email", None, "zodwa@example.org"),
    ]
    assert driver.identities.get(kind="email").source == "import"


def test_a_greeting_is_filled_where_the_list_says_which_word_it_is() -> None:
    driver = make_driver("Moyo Zodwa", phone="+27820000009")

    applied(staged([["Moyo Zodwa", "0820000009"]], ["Surname & Name", "Phone"]))

    driver.refresh_from_db()
    assert driver.given_name == "Zodwa"


def test_a_status_column_moves_forward_never_back_and_dates_the_first_contact() -> None:
    headings = ["Name", "Phone", "Status", "First contact date"]
    ahead = make_driver("Ahead Already", phone="+27820000003")
    drivers.change_status(ahead, "active", reason="test", by=NANDI)

    applied(
        staged(
            [
                ["Anele Khumalo", "0820000001", "Invited", "02/11/2026"],
                ["Bheki Mabaso", "0820000002", "unsubscribed", ""],
                ["Ahead Already", "0820000003", "Contacted", ""],
            ],
            headings,
        )
    )

    anele, bheki = (Driver.objects.get(phone=f"+2782000000{n}") for n in (1, 2))
    ahead.refresh_from_db()
    assert (anele.onboarding_status, bheki.onboarding_status, ahead.onboarding_status) == (
        "invited",
        "opted_out",
        "active",
    )
    assert anele.first_contact_date
    assert anele.first_contact_date.isoformat() == "2026-11-01T22:00:00+00:00"
    assert list(StatusChange.objects.filter(driver=anele).values_list("to_status", "trigger")) == [
        ("contacted", "imported"),
        ("invited", "imported"),
    ]
    assert bheki.consent_events.filter(kind="withdrawn").count() == 8
    assert set(drivers.rebuild().values()) == {0}


def test_a_driver_made_meanwhile_by_somebody_else_is_not_doubled() -> None:
    of = staged(many(3))
    make_driver("Thandi Nkosi1", given_name="Thandi", phone="+27820000001", email="driver1@example.org")

    of = applied(of)

    assert Driver.objects.count() == 3
    assert (of.created_count, of.verdicts) == (2, {"create": 2, "unchanged": 1})


def test_a_long_list_is_judged_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("staging", "running"):
        monkeypatch.setattr(f"drivercrm.imports.workflow.{module}.CHUNK", 3)
    rows = [*many(7), ["Thandi Nkosi0", "0820000000", ""], ["Somebody Else", "0820000001", ""], ["", "", ""]]

    of = applied(staged([*rows, *many(2, start=20)]))

    assert of.verdicts == {"create": 9, "duplicate": 1, "review": 1, "blank": 1}
    assert (Driver.objects.count(), of.done_count) == (9, 12)


def test_a_number_that_an_earlier_chunk_replaced_still_finds_its_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("drivercrm.imports.workflow.running.CHUNK", 1)
    make_driver("Thabo Nkosi", phone="+27820000001", timo_driver_id="T-1", by=automation("test"))
    of = staged(
        [["Thabo Nkosi", "0820000002", "T-1"], ["Thabo Nkosi", "0820000001", ""]],
        ["Name", "Phone", "Driver ID"],
    )
    before = verdicts(of)
    assert before == {2: "update", 3: "duplicate"}

    of = applied(of)

    assert verdicts(of) == before
    assert Driver.objects.get().phone == "+27820000002"


def test_the_same_file_after_a_person_corrected_the_number_makes_no_second_driver() -> None:
    rows = [["Thabo Nkosi", "0820000001", ""], ["Ayanda Zulu", "", "ayanda@example.org"]]
    applied(staged(rows))
    thabo, ayanda = Driver.objects.order_by("pk")
    drivers.edit(thabo, {"phone": "+27820000009"}, by=NANDI)
    drivers.edit(ayanda, {"email": "zulu@example.org"}, by=NANDI)

    assert staged(rows).verdicts == {"unchanged": 2}


def test_an_older_list_does_not_bring_back_a_number_that_a_newer_one_replaced() -> None:
    applied(staged([["Thabo Nkosi", "0820000001", "T-1"]], ["Name", "Phone", "Driver ID"]))
    applied(staged([["Thabo Nkosi", "0820000002", "T-1"]], ["Name", "Phone", "Driver ID"]))

    again = staged([["Thabo Nkosi", "0820000001", "Umlazi"]], ["Name", "Phone", "Area"])

    row = ImportRow.objects.get(of=again)
    assert (row.verdict, row.reason, row.changes) == ("update", "Fills area", {"area": [None, "Umlazi"]})
    by_id = staged([["Thabo Nkosi", "0820000001", "T-1"]], ["Name", "Phone", "Driver ID"])
    assert ImportRow.objects.get(of=by_id).changes == {"phone": ["+27820000002", "+27820000001"]}


def test_the_same_file_again_finds_a_driver_by_the_number_that_a_row_of_it_replaced() -> None:
    make_driver("Thabo Nkosi", phone="+27820000001", timo_driver_id="T-1", by=automation("test"))
    rows = [["Thabo Nkosi", "0820000002", "T-1"], ["Thabo Nkosi", "0820000001", ""]]
    applied(staged(rows, ["Name", "Phone", "Driver ID"]))

    again = staged(rows, ["Name", "Phone", "Driver ID"])

    assert verdicts(again) == {2: "unchanged", 3: "duplicate"}


def test_a_number_that_one_left_and_another_has_now_is_the_others() -> None:
    first = make_driver("Thabo Nkosi", phone="+27820000001")
    drivers.edit(first, {"phone": "+27820000009"}, by=NANDI)
    second = make_driver("Bongi Cele", phone="+27820000001")

    of = staged([["Bongi Cele", "0820000001", ""]])

    assert ImportRow.objects.get(of=of).match_id == second.pk


def test_a_number_that_somebody_of_another_name_left_needs_a_person() -> None:
    first = make_driver("Thabo Nkosi", phone="+27820000001")
    drivers.edit(first, {"phone": "+27820000009"}, by=NANDI)

    of = staged([["Bongi Cele", "0820000001", ""]])
    row = ImportRow.objects.get(of=of)
    assert (row.verdict, row.reason) == ("review", "Shared number: it belonged to Thabo Nkosi")

    imports.settle(of, 2, Decision.SAME, by=NANDI)
    applied(of)
    assert Driver.objects.get().phone == "+27820000009"


def test_two_numbers_that_two_drivers_left_need_a_person() -> None:
    for number, name in ((1, "Thabo Nkosi"), (2, "Bongi Cele")):
        one = make_driver(name, phone=f"+2782000000{number}")
        drivers.edit(one, {"phone": f"+2782000001{number}"}, by=NANDI)

    of = staged([["Thabo Nkosi", "0820000001", "0820000002"]], ["Name", "Phone", "WhatsApp"])

    row = ImportRow.objects.get(of=of)
    assert (row.verdict, row.code) == ("review", "two_drivers")


def test_numbers_that_were_replaced_before_a_crash_still_find_their_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("drivercrm.imports.workflow.running.CHUNK", 1)
    make_driver("Thabo Nkosi", phone="+27820000001", timo_driver_id="T-1", by=automation("test"))
    of = staged(
        [["Thabo Nkosi", "0820000002", "T-1"], ["Thabo Nkosi", "0820000001", ""]],
        ["Name", "Phone", "Driver ID"],
    )
    imports.start(of, by=NANDI, in_background=False)
    running._Runner(of.pk).next_chunk()  # and then the process is gone

    imports.run(of.pk)

    assert verdicts(of) == {2: "update", 3: "duplicate"}
    assert Driver.objects.count() == 1


def test_a_telegram_name_finds_its_driver_in_any_case() -> None:
    there = make_driver("Thabo Nkosi", telegram_username="ThaboN")

    of = staged([["Bongi Cele", "0820000002", "@thabon"]], ["Name", "Phone", "Telegram"])

    row = ImportRow.objects.get(of=of)
    assert (row.verdict, row.code, row.match_id) == ("review", "id_held", there.pk)


def test_the_second_number_is_the_drivers_where_the_first_is_empty() -> None:
    of = staged(
        [
            ["Thabo Nkosi", "0820000001", "0310000001"],
            ["Bongi Cele", "", "0820000002"],
            ["Ayanda Zulu", "n/a", "0820000003"],
            ["Sipho Dube", "", "12"],
        ],
        ["Name", "Cell", "Tel"],
        mapping={"Cell": "phone", "Tel": "second_phone"},
    )
    assert verdicts(of) == {2: "create", 3: "create", 4: "review", 5: "review"}

    applied(of)

    assert list(Driver.objects.order_by("name").values_list("name", "phone")) == [
        ("Bongi Cele", "+27820000002"),
        ("Thabo Nkosi", "+27820000001"),
    ]


def test_a_row_whose_driver_is_gone_since_the_check_is_left_for_review() -> None:
    for number, name in enumerate(("Thabo Nkosi", "Bongi Cele", "Ayanda Zulu"), 1):
        given = name.split()[0]
        make_driver(name, given_name=given, phone=f"+2782000000{number}", by=automation("test"))
    of = staged(
        [
            ["Thabo Nkosi", "0820000001", "Umlazi"],
            ["Bongi Cele", "0820000002", ""],
            ["Someone Else", "0820000003", ""],
            ["New Driver", "0820000004", ""],
        ],
        ["Name", "Phone", "Area"],
    )
    assert verdicts(of) == {2: "update", 3: "unchanged", 4: "review", 5: "create"}
    imports.settle(of, 4, Decision.SAME, by=NANDI)
    Driver.objects.all().delete()

    of = applied(of)

    assert verdicts(of) == {2: "review", 3: "review", 4: "review", 5: "create"}
    assert ImportRow.objects.get(of=of, number=2).reason == (
        "The driver whom this row was about is no longer there"
    )
    assert Driver.objects.get().name == "New Driver"
    assert (of.created_count, of.left_out_count, queries.to_review(of).count()) == (1, 3, 3)


def test_a_row_whose_number_went_to_somebody_else_since_the_check_is_left_for_review() -> None:
    thabo = make_driver("Thabo Nkosi", phone="+27820000001", by=automation("test"))
    of = staged([["Thabo Nkosi", "0820000001", "Umlazi"]], ["Name", "Phone", "Area"])
    drivers.edit(thabo, {"phone": "+27820000009"}, by=NANDI)
    other = make_driver("Thabo Nkosi", phone="+27820000001", by=automation("test"))

    of = applied(of)

    assert verdicts(of) == {2: "review"}
    other.refresh_from_db()
    assert other.area == ""


# People settle


def test_a_corrected_cell_is_judged_at_once_with_the_rows_it_concerns() -> None:
    of = staged(
        [["Ayanda Zulu", "12", ""], ["Ayanda Zulu", "0820000001", ""], ["Bongi Cele", "0820000002", ""]]
    )
    assert verdicts(of) == {2: "review", 3: "create", 4: "create"}

    row = imports.fix_cell(of, 2, {1: "082 000 0001"}, by=NANDI)

    assert (row.verdict, verdicts(of)) == ("create", {2: "create", 3: "duplicate", 4: "create"})
    assert Import.objects.get(pk=of.pk).verdicts == {"create": 2, "duplicate": 1}
    applied(of)
    assert list(Driver.objects.order_by("phone").values_list("name", flat=True)) == [
        "Ayanda Zulu",
        "Bongi Cele",
    ]


def test_leaving_a_row_out_lets_the_next_one_with_its_number_in() -> None:
    of = staged([["Ayanda Zulu", "0820000001", ""], ["Bongi Cele", "0820000001", ""]])
    assert verdicts(of) == {2: "create", 3: "review"}

    imports.settle(of, 2, Decision.LEAVE_OUT, by=NANDI)

    assert verdicts(of) == {2: "create", 3: "create"}
    applied(of)
    assert Driver.objects.get().name == "Bongi Cele"


def test_a_shared_number_settled_as_another_person_has_no_identity_of_its_own() -> None:
    of = staged([["Ayanda Zulu", "0820000001", ""], ["Bongi Cele", "0820000001", "bongi@example.org"]])

    imports.settle(of, 3, Decision.ANOTHER, by=NANDI)
    applied(of)

    ayanda, bongi = Driver.objects.order_by("pk")
    assert (ayanda.phone, bongi.phone) == ("+27820000001", "+27820000001")
    assert ChannelIdentity.objects.get(kind="phone").driver_id == ayanda.pk
    again = staged([["Ayanda Zulu", "0820000001", ""], ["Bongi Cele", "", "bongi@example.org"]])
    assert again.verdicts == {"unchanged": 2}
    drivers.edit(bongi, {"area": "Umlazi", "phone": "+27820000001"}, by=NANDI)
    assert Driver.objects.get(pk=bongi.pk).area == "Umlazi"


def test_a_merge_writes_the_picked_fields() -> None:
    there = make_driver(
        "Nazeem Fredericks", phone="+27820000001", email="n@example.org", by=automation("test")
    )
    of = staged(
        [["Gift Chauke", "0820000001", "gift@example.org", "Durban"]], ["Name", "Phone", "Email", "Area"]
    )
    assert verdicts(of) == {2: "review"}

    imports.settle(of, 2, Decision.SAME, by=NANDI, picks={"name": "kept", "email": "file"})
    applied(of)

    there.refresh_from_db()
    assert (there.name, there.email, there.area) == ("Nazeem Fredericks", "gift@example.org", "Durban")


def two_holders() -> tuple[Driver, Driver]:
    there = make_driver("Nazeem Fredericks", phone="+27820000001", by=automation("test"))
    return there, make_driver("Busi Cele", phone="+27820000002", by=automation("test"))


def test_a_corrected_cell_takes_back_a_decision_about_somebody_else() -> None:
    _, busi = two_holders()
    of = staged([["Precious Zulu", "0820000001", "p@example.org"]])
    imports.settle(of, 2, Decision.SAME, by=NANDI)

    row = imports.fix_cell(of, 2, {1: "0820000002"}, by=NANDI)

    assert (row.verdict, row.code, row.match_id, row.decision) == ("review", "shared_number", busi.pk, "")
    with pytest.raises(Refused, match="Nothing to import"):
        imports.start(of, by=NANDI)


def test_a_decision_is_not_carried_to_whoever_has_the_number_when_the_list_runs() -> None:
    there, busi = two_holders()
    of = staged([["Precious Zulu", "0820000001", "p@example.org"], ["Anele Khumalo", "0820000009", ""]])
    imports.settle(of, 2, Decision.SAME, by=NANDI, picks={"name": "file"})
    drivers.edit(there, {"phone": "+27820000003"}, by=NANDI)
    drivers.edit(busi, {"phone": "+27820000001"}, by=NANDI)

    of = applied(of)

    assert (of.created_count, of.updated_count) == (1, 0)
    assert sorted(Driver.objects.values_list("name", "email")) == [
        ("Anele Khumalo", None),
        ("Busi Cele", None),
        ("Nazeem Fredericks", None),
    ]
    row = ImportRow.objects.get(of=of, number=2)
    assert (row.verdict, row.match_id, row.decision) == ("review", busi.pk, "")


def test_a_merge_takes_no_id_from_another_driver() -> None:
    there = make_driver("Old Man", phone="+27820000001", by=automation("test"))
    busi = make_driver("Busi Cele", phone="+27820000002", timo_driver_id="T-9", by=automation("test"))
    of = staged(
        [["Old Man", "0820000001", "T-9", "Umlazi"], ["New One", "0820000003", "", ""]],
        ["Name", "Phone", "Driver ID", "Area"],
    )
    assert verdicts(of)[2] == "review"
    imports.settle(of, 2, Decision.SAME, by=NANDI, picks={"timo_driver_id": "file", "phone": "file"})

    of = applied(of)

    assert (of.state, of.created_count) == (ImportState.DONE, 1)
    there.refresh_from_db()
    busi.refresh_from_db()
    assert (there.phone, there.timo_driver_id) == ("+27820000001", None)
    assert (busi.name, busi.timo_driver_id) == ("Busi Cele", "T-9")


def test_an_import_that_fails_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = staged(many(1)), staged(many(1, start=5))
    for of in (bad, good):
        imports.start(of, by=NANDI, in_background=False)
    Import.objects.update(progress_at=clock.now() - timedelta(days=1))
    really = running.run

    def run(pk: UUID) -> None:
        if pk == bad.pk:
            raise IntegrityError
        really(pk)

    monkeypatch.setattr(running, "run", run)

    assert imports.resume_silent() == 2
    assert [Import.objects.get(pk=of.pk).state for of in (bad, good)] == ["running", "done"]


def test_a_check_and_an_undo_whose_worker_was_lost_go_on() -> None:
    checked, undone = staged(many(1)), applied(staged(many(1, start=5)))
    Import.objects.filter(pk=checked.pk).update(state=ImportState.CHECKING)
    Import.objects.filter(pk=undone.pk).update(state=ImportState.UNDOING)
    Import.objects.update(progress_at=clock.now() - timedelta(days=1))

    assert imports.resume_silent() == 2

    assert list(Import.objects.values_list("pk", "state")) == [(checked.pk, ImportState.CHECKED)]
    assert Driver.objects.count() == 0


def test_a_row_of_a_very_large_family_can_be_settled() -> None:
    rows = [[f"Owner {chr(65 + n % 26)}{n}", "0820000001", f"m{n}@example.org"] for n in range(1100)]
    of = staged(rows)
    assert verdicts(of)[3] == "review"

    row = imports.settle(of, 3, Decision.ANOTHER, by=NANDI)

    assert (row.decision, row.heap) == ("another", "ready")


def test_merging_the_rest_keeps_every_name() -> None:
    there, _ = two_holders()
    of = staged([["Precious Zulu", "0820000001", "p@example.org"]])

    assert imports.settle_the_rest(of, Decision.SAME, by=NANDI) == 1
    applied(of)

    there.refresh_from_db()
    assert (there.name, there.given_name, there.email) == ("Nazeem Fredericks", "", "p@example.org")


def test_merging_two_rows_fills_the_empty_fields_of_the_first() -> None:
    of = staged([["Ayanda Zulu", "0820000001", ""], ["Ayanda Zulu", "0820000001", "ayanda@example.org"]])
    assert verdicts(of) == {2: "create", 3: "duplicate"}

    imports.settle(of, 3, Decision.SAME, by=NANDI)
    of = applied(of)

    assert Driver.objects.get().email == "ayanda@example.org"
    assert (of.created_count, of.updated_count) == (1, 1)


def test_a_decision_that_makes_no_sense_is_refused() -> None:
    of = staged([["Ayanda Zulu", "0820000001", ""]])

    for decision, code in (
        ("another", "not_in_doubt"),
        ("same", "not_in_doubt"),
        ("delete", "unknown_decision"),
    ):
        with pytest.raises(Refused) as refusal:
            imports.settle(of, 2, decision, by=NANDI)
        assert refusal.value.code == code


def test_columns_can_be_read_otherwise() -> None:
    of = staged([["Ayanda Zulu", "0820000001", "Umlazi"]], ["Name", "Phone", "Ref"])
    assert of.columns[2]["target"] == "ignore"

    of = imports.remap(of, ["name", "phone", "area"], by=NANDI)
    applied(of)

    assert Driver.objects.get().area == "Umlazi"


def test_columns_that_cannot_work_are_refused() -> None:
    of = staged([["Ayanda Zulu", "0820000001", "Umlazi"]], ["Name", "Phone", "Ref"])

    for targets, code in (
        (["ignore", "phone", "ignore"], "no_name_column"),
        (["name", "ignore", "area"], "no_address_column"),
        (["name", "phone", "phone"], "column_twice"),
        (["name", "phone"], "unknown_target"),
        (["name", "phone", "onboarding"], "unknown_target"),
    ):
        with pytest.raises(Refused) as refusal:
            imports.remap(of, targets, by=NANDI)
        assert refusal.value.code == code
    assert Import.objects.get(pk=of.pk).columns[2]["target"] == "ignore"


def test_an_unclear_list_waits_for_its_columns() -> None:
    of = staged([["Ayanda Zulu", "abc"], ["Bongi Cele", "def"]], ["Name", "Code"])
    assert (of.state, of.verdicts) == (ImportState.STAGED, {})

    with pytest.raises(Refused, match="Match the columns first"):
        imports.start(of, by=NANDI)


# Identity numbers


def identity_numbers() -> list[str]:
    return sorted({row.cells[1] for row in read(REAL).rows()} - {""})


def test_no_identity_number_is_in_any_table_or_file_at_any_time(settings: object) -> None:
    numbers = identity_numbers()
    of = imports.stage(REAL, file_name=REAL.name, by=NANDI)
    kept = [repr(dump(leave_out=set()))]
    of = applied(of)
    kept.append(repr(dump(leave_out=set())))
    imports.undo(of, by=NANDI)
    kept.append(repr(dump(leave_out=set())))

    assert len(numbers) == 539
    assert [number for number in numbers for text in kept if number in text] == []


def test_a_column_said_to_hold_identity_numbers_is_emptied_at_once() -> None:
    of = staged([["Ayanda Zulu", "0820000001", "A-77"]], ["Name", "Phone", "Ref"])
    assert "A-77" in repr(dump())

    of = imports.remap(of, ["name", "phone", "identity_number"], by=NANDI)

    assert "A-77" not in repr(dump())
    with pytest.raises(Refused) as refusal:
        imports.remap(of, ["name", "phone", "notes"], by=NANDI)
    assert refusal.value.code == "identity_column"


def test_an_identity_column_is_read_only_when_somebody_says_so_at_upload() -> None:
    rows = [["Ayanda Zulu", "0820000001", "TR-1"]]
    assert staged(rows, ["Name", "Phone", "ID NO"]).columns[2]["is_identity"]

    of = applied(staged(rows, ["Name", "Phone", "ID NO"], mapping={"id no": "timo_driver_id"}))

    assert Driver.objects.get().timo_driver_id == "TR-1"
    assert of.columns[2]["target"] == "timo_driver_id"


def test_an_identity_number_typed_into_a_cell_is_taken_out() -> None:
    of = staged([["Ayanda Zulu", "0820000001", "x"]], ["Name", "Phone", "Notes"])

    row = imports.fix_cell(of, 2, {2: "ID 8001015009087 seen"}, by=NANDI)

    assert row.values["notes"] == "ID seen"


@pytest.mark.parametrize(
    ("heading", "typed", "left"),
    [
        ("Phone", "8001015009087", "(identity number left out)"),
        ("WhatsApp", "8001015009087", "(identity number left out)"),
        ("Driver ID", "8001015009087", "(identity number left out)"),
        ("PathPulse ID", "8001015009080", "(identity number left out)"),
        ("Area", "Umlazi 8001015009087", "Umlazi"),
        ("Colour", "8001015009080", ""),
    ],
)
def test_no_typed_identity_number_is_kept(heading: str, typed: str, left: str) -> None:
    of = staged([["Ayanda Zulu", "a@example.org", "x"]], ["Name", "Email", heading])

    row = imports.fix_cell(of, 2, {2: typed}, by=NANDI)

    assert row.fixes == {"2": left}
    assert typed not in repr(dump(leave_out=set()))


def test_the_identity_sentence_stands_at_the_cell_it_is_about() -> None:
    headings = ["Name", "Phone", "Driver ID", "PathPulse ID"]
    id_number = "8001015009087"
    of = staged(
        [
            ["Ayanda Zulu", id_number, "T-1", "P-1"],
            ["Bongi Cele", "0820000002", id_number, "P-2"],
            ["Thabo Nkosi", "0820000003", "T-3", id_number],
        ],
        headings,
    )

    shown = lines(of, ImportRow.objects.filter(of=of).order_by("number"))

    marked = [[cell.target for cell in line.cells if cell.level == "bad"] for line in shown]
    assert marked == [["phone"], ["timo_driver_id"], ["pathpulse_account_id"]]


def test_identity_numbers_are_in_no_file_and_no_log_after_the_real_list(
    tmp_path: Path,
) -> None:
    """A process of its own, so that everything it leaves lies in its folder: database, uploads, kept files."""
    numbers = [number.encode() for number in identity_numbers()]
    own = {**environment(), "DRIVERCRM_DATA_DIR": str(tmp_path), "DRIVERCRM_DEBUG": "yes"}
    own.pop("DATABASE_URL", None)

    ran = subprocess.run(
        [*COMMAND, str(REAL), "--apply", "--basis", AGREEMENT, "--json"],
        env=own,
        capture_output=True,
        timeout=120,
        check=False,
    )

    assert json.loads(ran.stdout)["created"] == 515
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.stat().st_size > 1_000_000 for path in files)  # the database is one of them
    kept = [path.read_bytes() for path in files]
    assert [number for number in numbers for text in (ran.stdout, ran.stderr, *kept) if number in text] == []


# Files


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"Name,Phone\n", "no_rows"),
        (b"%PDF-1.7 not a list", "wrong_kind"),
        (b"PK\x03\x04broken", "broken_workbook"),
        (b"Name,Phone\nA\x00B,0820000001\n", "nul_bytes"),
    ],
)
def test_a_file_that_is_no_list_leaves_nothing(content: bytes, code: str) -> None:
    before = dump(leave_out=set())

    with pytest.raises(Refused) as refusal:
        imports.stage(content, file_name="list.csv", by=NANDI)

    assert refusal.value.code == code
    assert differing(before, dump(leave_out=set())) == []


def test_a_file_that_breaks_off_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(as_csv(many(1200)) + b'"Open quote,0820000001\n')

    with pytest.raises(Refused):
        imports.stage(file, file_name="list.csv", by=NANDI)

    assert (Import.objects.count(), ImportRow.objects.count()) == (0, 0)


def test_a_list_can_be_put_away_before_it_runs() -> None:
    of = staged(many(2))

    imports.drop(of, by=NANDI)

    assert (Import.objects.count(), ImportRow.objects.count(), Driver.objects.count()) == (0, 0, 0)


def test_a_basis_says_what_it_covers() -> None:
    basis = imports.read_basis(
        "Agreement of May 2026: service and marketing, WhatsApp, e-mail", evidence="folder 3"
    )

    assert (basis.channels, basis.purposes, basis.evidence) == (
        ("whatsapp", "email"),
        ("service", "marketing"),
        "folder 3",
    )
    for text in ("They agreed", "Agreement: WhatsApp", "Agreement: service"):
        with pytest.raises(Refused) as refusal:
            imports.read_basis(text)
        assert refusal.value.code == "basis_unclear"
