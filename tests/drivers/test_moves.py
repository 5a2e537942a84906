"""Every line of the table of moves, and what it does not allow."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.models import Organisation
from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.drivers import subscribers
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import OnboardingStatus as S
from drivercrm.drivers.enums import Trigger as T
from drivercrm.drivers.models import Driver, StatusChange
from drivercrm.drivers.moves import MOVES, PATH, RANK, Move, moves_for
from drivercrm.drivers.workflow import checklist
from drivercrm.journal import workflow as journal
from drivercrm.journal.models import Delivery, Entry
from tests.factories import NANDI, make_driver

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


def driver_at(status: str) -> Driver:
    """A driver who came to a status along the path, through the front doors."""
    driver = make_driver()
    if status in PATH[1:]:
        drivers.trigger([driver.pk], T.IMPORTED, to=status, by=NANDI, at=MONDAY)
    elif status == S.INACTIVE:
        drivers.trigger([driver.pk], T.IMPORTED, to=S.ACTIVE, by=NANDI, at=MONDAY)
        drivers.trigger([driver.pk], T.USAGE_STOPPED, by=NANDI, at=MONDAY)
    elif status == S.OPTED_OUT:
        consent.withdraw(driver, source="staff", by=NANDI)
    driver.refresh_from_db()
    assert driver.onboarding_status == status
    return driver


def pairs(driver: Driver) -> list[tuple[str, str]]:
    rows = StatusChange.objects.filter(driver=driver).order_by("sequence")
    return [(row.from_status, row.to_status) for row in rows]


CASES = [(move, source) for move in MOVES for source in move.sources]


@pytest.mark.parametrize(("move", "source"), CASES, ids=lambda value: getattr(value, "trigger", value))
def test_every_line_of_the_table_moves_from_each_of_its_sources(move: Move, source: str) -> None:
    driver = driver_at(source)
    if move.trigger == T.UNREACHED:  # reverses only what a message made, so make it so
        driver = make_driver()
        made_by = T.MESSAGE_ACCEPTED if source == S.CONTACTED else T.INVITATION_ACCEPTED
        drivers.trigger([driver.pk], made_by, by=NANDI, at=MONDAY)
    before = pairs(driver)
    target = move.to or (S.INVITED if source != S.INVITED else S.ACTIVE)
    wish = str(target) if move.trigger in {T.STAFF, T.IMPORTED} else None

    moved = drivers.trigger([driver.pk], move.trigger, to=wish, by=NANDI, reason="because")

    driver.refresh_from_db()
    assert moved == [driver.pk]
    written = pairs(driver)[len(before) :]
    if move.way == "at least":
        stages = PATH[RANK[source] : RANK[str(move.to)] + 1]
        assert written == [(str(a), str(b)) for a, b in pairwise(stages)]
    elif move.way == "before":
        assert written == [(S.OPTED_OUT, S.NOT_CONTACTED)]
    elif move.way == "back":
        assert written == [(b, a) for a, b in reversed(before)]
    else:
        assert written == [(source, str(target))]
    assert driver.onboarding_status == written[-1][1]


@pytest.mark.parametrize(
    "trigger", [trigger for trigger in T if trigger not in {T.STAFF, T.UNDO, T.IMPORTED}]
)
@pytest.mark.parametrize("status", S.values)
def test_a_trigger_that_the_table_does_not_list_changes_nothing(trigger: str, status: str) -> None:
    if moves_for(trigger, status) is not None:
        return
    driver = driver_at(status)
    before = pairs(driver)

    assert drivers.trigger([driver.pk], T(trigger), by=NANDI) == []

    driver.refresh_from_db()
    assert (driver.onboarding_status, pairs(driver)) == (status, before)


def test_an_invitation_to_somebody_never_contacted_writes_both_missing_moves_at_its_own_time() -> None:
    driver = make_driver()

    drivers.trigger([driver.pk], T.INVITATION_ACCEPTED, by=NANDI, at=MONDAY)

    driver.refresh_from_db()
    assert pairs(driver) == [("not_contacted", "contacted"), ("contacted", "invited")]
    assert driver.first_contact_date == MONDAY
    assert driver.onboarding_start_date is None
    assert {row.at for row in StatusChange.objects.filter(driver=driver)} == {MONDAY}


def test_moving_back_clears_no_stage_date() -> None:
    driver = driver_at(S.ONBOARDING_COMPLETED)

    drivers.change_status(driver, S.CONTACTED, reason="Wrong person", by=NANDI)

    assert driver.onboarding_status == S.CONTACTED
    assert (driver.first_contact_date, driver.onboarding_start_date, driver.onboarding_complete_date) == (
        MONDAY,
        MONDAY,
        MONDAY,
    )


def test_undo_takes_the_stage_dates_of_the_undone_move_back() -> None:
    driver = driver_at(S.CONTACTED)
    act = drivers.change_status(driver, S.ONBOARDING_COMPLETED, reason="Told us by phone", by=NANDI)
    assert driver.onboarding_complete_date is not None

    back, kept = drivers.undo_act(act, by=NANDI)

    driver.refresh_from_db()
    assert (back, kept) == ([driver.pk], [])
    assert driver.onboarding_status == S.CONTACTED
    assert driver.onboarding_complete_date is None
    assert driver.first_contact_date == MONDAY
    reversal = StatusChange.objects.get(driver=driver, trigger=T.UNDO)
    assert reversal.reverses.act == act


def test_undo_of_one_act_twice_is_refused() -> None:
    driver = driver_at(S.CONTACTED)
    act = drivers.change_status(driver, S.ACTIVE, reason="x", by=NANDI)
    drivers.undo_act(act, by=NANDI)

    with pytest.raises(Refused) as refusal:
        drivers.undo_act(act, by=NANDI)

    assert refusal.value.code == "moved_on"
    assert StatusChange.objects.filter(driver=driver, trigger=T.UNDO).count() == 1


def test_undo_leaves_drivers_who_moved_on() -> None:
    one, two = driver_at(S.CONTACTED), driver_at(S.CONTACTED)
    act, moved = drivers.change_status_of_many([one.pk, two.pk], S.INVITED, reason="Phoned", by=NANDI)
    assert moved == sorted([one.pk, two.pk])
    drivers.complete_step(two, "app_installed", by=NANDI)

    back, kept = drivers.undo_act(act, by=NANDI)

    one.refresh_from_db()
    two.refresh_from_db()
    assert (back, kept) == ([one.pk], [two.pk])
    assert (one.onboarding_status, two.onboarding_status) == (S.CONTACTED, S.ONBOARDING_STARTED)


@pytest.mark.parametrize(
    ("source", "to", "reason", "code"),
    [
        (S.CONTACTED, S.CONTACTED, "why not", "same_status"),
        (S.CONTACTED, S.OPTED_OUT, "asked by phone", "opted_out_by_staff"),
        (S.OPTED_OUT, S.CONTACTED, "changed his mind", "opted_out"),
        (S.CONTACTED, S.INVITED, "   ", "reason_missing"),
        (S.CONTACTED, "dancing", "why not", "unknown_status"),
        (S.CONTACTED, S.INVITED, "x" * 501, "reason_too_long"),
    ],
)
def test_a_staff_move_that_is_not_allowed_is_refused_with_a_sentence(
    source: str, to: str, reason: str, code: str
) -> None:
    driver = driver_at(source)
    before = pairs(driver)

    with pytest.raises(Refused) as refusal:
        drivers.change_status(driver, to, reason=reason, by=NANDI)

    assert refusal.value.code == code
    assert len(refusal.value.sentence) > 10
    assert pairs(driver) == before


def test_staff_may_move_between_any_other_two_statuses() -> None:
    for source in [status for status in S if status != S.OPTED_OUT]:
        for to in [status for status in S if status not in {S.OPTED_OUT, source}]:
            driver = driver_at(source)
            drivers.change_status(driver, to, reason="because", by=NANDI)
            assert driver.onboarding_status == to


def test_undo_cannot_open_the_door_of_opted_out() -> None:
    driver = driver_at(S.INVITED)
    consent.withdraw(driver, source="staff", by=NANDI)
    act = StatusChange.objects.get(driver=driver, trigger=T.CONSENT_WITHDRAWN).act

    with pytest.raises(Refused):
        drivers.undo_act(act, by=NANDI)

    driver.refresh_from_db()
    assert driver.onboarding_status == S.OPTED_OUT


def test_consent_granted_again_leads_back_to_the_status_before() -> None:
    driver = driver_at(S.ONBOARDING_STARTED)
    consent.withdraw(driver, source="staff", by=NANDI)
    assert driver.onboarding_status == S.OPTED_OUT
    assert driver.onboarding_start_date == MONDAY

    consent.grant(
        driver, channels=["whatsapp"], purposes=["service"], source="staff", evidence="call 12 Nov", by=NANDI
    )

    assert driver.onboarding_status == S.ONBOARDING_STARTED
    assert driver.onboarding_start_date == MONDAY


def test_all_messages_failed_reverses_the_move_that_a_message_made() -> None:
    driver = make_driver()
    drivers.trigger([driver.pk], T.MESSAGE_ACCEPTED, by=NANDI, at=MONDAY)

    drivers.trigger([driver.pk], T.UNREACHED, by=NANDI)

    driver.refresh_from_db()
    assert driver.onboarding_status == S.NOT_CONTACTED
    assert driver.first_contact_date is None


def test_all_messages_failed_leaves_what_a_call_or_staff_made() -> None:
    driver = make_driver()
    drivers.trigger([driver.pk], T.CALL_REACHED, by=NANDI, at=MONDAY)

    assert drivers.trigger([driver.pk], T.UNREACHED, by=NANDI) == []

    driver.refresh_from_db()
    assert (driver.onboarding_status, driver.first_contact_date) == (S.CONTACTED, MONDAY)


def test_the_last_required_step_completes_onboarding_and_undo_takes_both_back() -> None:
    driver = driver_at(S.INVITED)
    steps = Organisation.current().required_steps
    for step in steps[:-1]:
        drivers.complete_step(driver, step, by=NANDI, at=MONDAY)
    assert driver.onboarding_status == S.ONBOARDING_STARTED

    act = drivers.complete_step(driver, steps[-1], by=NANDI)
    assert driver.onboarding_status == S.ONBOARDING_COMPLETED

    drivers.undo_step(driver, steps[-1], by=NANDI, act=act)
    assert driver.onboarding_status == S.ONBOARDING_STARTED
    assert driver.onboarding_complete_date is None


def step_of(driver: Driver, step: str) -> tuple[datetime, str]:
    row = driver.steps.get(step=step)
    return row.done_at, row.done_by


def test_the_undo_of_an_untick_brings_back_when_and_by_whom_it_was_done() -> None:
    driver = driver_at(S.INVITED)
    sizwe = Actor("user", "00000000-0000-7000-8000-000000000002", "web")
    drivers.complete_step(driver, "app_installed", by=NANDI, at=MONDAY)

    entry = drivers.undo_step(driver, "app_installed", by=sizwe)
    act = drivers.restore_step(driver, "app_installed", entry, by=sizwe)

    assert step_of(driver, "app_installed") == (MONDAY, str(NANDI))
    assert (driver.onboarding_status, driver.onboarding_start_date) == (S.ONBOARDING_STARTED, MONDAY)
    assert not driver.status_changes.filter(act=act).exists()  # the untick had moved nothing
    for again, code in [(entry, "step_done"), (entry + 1000, "nothing_to_undo")]:
        with pytest.raises(Refused) as refusal:
            drivers.restore_step(driver, "app_installed", again, by=sizwe)
        assert refusal.value.code == code


def test_an_entry_brings_back_only_its_own_step_of_its_own_driver() -> None:
    driver, other = driver_at(S.INVITED), driver_at(S.INVITED)
    drivers.complete_step(driver, "app_installed", by=NANDI)
    entry = drivers.undo_step(driver, "app_installed", by=NANDI)

    for who, step in [(other, "app_installed"), (driver, "app_tested")]:
        with pytest.raises(Refused) as refusal:
            drivers.restore_step(who, step, entry, by=NANDI)
        assert refusal.value.code == "nothing_to_undo"

    assert (driver.steps.count(), other.steps.count()) == (0, 0)


def test_what_went_back_with_an_untick_comes_back_with_its_undo() -> None:
    driver = driver_at(S.INVITED)
    steps = Organisation.current().required_steps
    for number, step in enumerate(steps):
        act = drivers.complete_step(driver, step, by=NANDI, at=MONDAY + timedelta(hours=number))
    completed = driver.onboarding_complete_date
    entry = drivers.undo_step(driver, steps[-1], by=NANDI, act=act)
    assert (driver.onboarding_status, driver.onboarding_complete_date) == (S.ONBOARDING_STARTED, None)

    again = drivers.restore_step(driver, steps[-1], entry, by=NANDI)

    assert completed == MONDAY + timedelta(hours=len(steps) - 1)
    assert (driver.onboarding_status, driver.onboarding_complete_date) == (S.ONBOARDING_COMPLETED, completed)
    assert step_of(driver, steps[-1]) == (completed, str(NANDI))
    drivers.undo_step(driver, steps[-1], by=NANDI, act=again)
    assert driver.onboarding_status == S.ONBOARDING_STARTED


def test_the_undo_of_an_untick_leaves_where_staff_have_moved_the_driver() -> None:
    driver = driver_at(S.INVITED)
    steps = Organisation.current().required_steps
    for step in steps:
        drivers.complete_step(driver, step, by=NANDI, at=MONDAY)
    drivers.change_status(driver, S.INVITED, reason="Another phone", by=NANDI)

    drivers.restore_step(driver, steps[0], drivers.undo_step(driver, steps[0], by=NANDI), by=NANDI)

    assert (driver.onboarding_status, driver.steps.count()) == (S.INVITED, len(steps))


# All required steps done, though no tick says so (spec §3)


def require(*keys: str) -> Entry:
    """Settles which steps are required, and returns the journal's entry."""
    steps = [{**step, "required": step["key"] in keys} for step in Organisation.current().onboarding_steps]
    accounts.save_organisation({"onboarding_steps": steps}, by=NANDI)
    return Entry.objects.filter(name="organisation.changed").latest("pk")


def hear(entry: Entry) -> int:
    """Brings the entry to whoever waits for it; returns how many did."""
    waiting = list(Delivery.objects.filter(entry=entry, done_at__isnull=True).values_list("pk", flat=True))
    return sum(journal.deliver(pk) for pk in waiting)


def test_who_lacked_only_what_is_no_longer_required_completes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checklist, "CHUNK", 2)  # several chunks
    require("app_installed", "app_tested")
    complete, lacking, active = [driver_at(S.INVITED) for _ in range(3)], driver_at(S.INVITED), make_driver()
    for driver in (*complete, active):
        drivers.complete_step(driver, "app_installed", by=NANDI, at=MONDAY)
    drivers.complete_step(lacking, "training_done", by=NANDI, at=MONDAY)
    drivers.trigger([active.pk], T.USAGE, by=NANDI, at=MONDAY)

    entry = require("app_installed")
    assert [driver.onboarding_status for driver in complete] == [S.ONBOARDING_STARTED] * 3
    assert hear(entry) == 1

    for driver in (*complete, lacking, active):
        driver.refresh_from_db()
    assert [(one.onboarding_status, one.onboarding_complete_date) for one in complete] == [
        (S.ONBOARDING_COMPLETED, entry.at)
    ] * 3
    assert (lacking.onboarding_status, active.onboarding_status) == (S.ONBOARDING_STARTED, S.ACTIVE)
    last = complete[0].status_changes.latest("sequence")
    assert (last.from_status, last.to_status, last.trigger, last.actor) == (
        S.ONBOARDING_STARTED,
        S.ONBOARDING_COMPLETED,
        T.STEPS_COMPLETED,
        "automation:checklist",
    )

    # told twice, it does nothing more
    moves = StatusChange.objects.count()
    subscribers.shorter_checklist_completes_who_has_done_it(entry)
    assert StatusChange.objects.count() == moves
    assert set(drivers.rebuild().values()) == {0}


def test_a_step_that_leaves_the_checklist_completes_too_and_skips_who_opted_out() -> None:
    required = Organisation.current().required_steps
    here, out = driver_at(S.NOT_CONTACTED), driver_at(S.INVITED)
    for driver in (here, out):
        for step in required[:-1]:
            drivers.complete_step(driver, step, by=NANDI, at=MONDAY)
    drivers.change_status(here, S.NOT_CONTACTED, reason="Moved by mistake", by=NANDI)
    consent.withdraw(out, source="staff", by=NANDI)
    steps = [step for step in Organisation.current().onboarding_steps if step["key"] != required[-1]]

    accounts.save_organisation({"onboarding_steps": steps}, by=NANDI)
    hear(Entry.objects.filter(name="organisation.changed").latest("pk"))

    here.refresh_from_db()
    out.refresh_from_db()
    assert (here.onboarding_status, out.onboarding_status) == (S.ONBOARDING_COMPLETED, S.OPTED_OUT)

    # and comes to who opted out when consent is back
    grant(out)
    assert out.onboarding_status == S.ONBOARDING_COMPLETED


def test_a_checklist_that_asks_for_no_less_leaves_who_was_moved_back() -> None:
    driver = driver_at(S.INVITED)
    for step in Organisation.current().required_steps:
        drivers.complete_step(driver, step, by=NANDI, at=MONDAY)
    drivers.change_status(driver, S.INVITED, reason="Another phone", by=NANDI)
    steps = Organisation.current().onboarding_steps

    accounts.save_organisation(
        {"onboarding_steps": [{**steps[0], "label": "App is there"}, *steps[1:]]}, by=NANDI
    )
    hear(Entry.objects.filter(name="organisation.changed").latest("pk"))
    hear(require("app_installed"))

    driver.refresh_from_db()
    assert driver.onboarding_status == S.INVITED


def test_other_settings_are_no_news_of_the_checklist() -> None:
    accounts.save_organisation({"name": "Umzila Rides"}, by=NANDI)
    assert not Delivery.objects.filter(subscriber__startswith="drivers.").exists()


def grant(driver: Driver) -> None:
    consent.grant(
        driver, channels=["whatsapp"], purposes=["service"], source="staff", evidence="call 12 Nov", by=NANDI
    )


def test_steps_done_while_opted_out_complete_when_consent_is_back() -> None:
    driver = driver_at(S.INVITED)
    consent.withdraw(driver, source="staff", by=NANDI)
    for step in Organisation.current().required_steps:
        drivers.complete_step(driver, step, by=NANDI)
    assert driver.onboarding_status == S.OPTED_OUT

    grant(driver)

    rows = driver.status_changes.order_by("sequence").values_list("to_status", "trigger")
    assert list(rows)[-3:] == [
        (S.INVITED, T.CONSENT_GRANTED),
        (S.ONBOARDING_STARTED, T.STEPS_COMPLETED),
        (S.ONBOARDING_COMPLETED, T.STEPS_COMPLETED),
    ]
    assert driver.onboarding_status == S.ONBOARDING_COMPLETED
    assert driver.onboarding_complete_date == driver.status_changes.latest("sequence").at
    assert set(drivers.rebuild().values()) == {0}


def test_some_steps_done_while_opted_out_lead_back_to_the_status_before() -> None:
    driver = driver_at(S.INVITED)
    consent.withdraw(driver, source="staff", by=NANDI)
    for step in Organisation.current().required_steps[:-1]:
        drivers.complete_step(driver, step, by=NANDI)

    grant(driver)

    assert driver.onboarding_status == S.INVITED


def test_who_was_moved_back_by_staff_returns_there_when_consent_is_back() -> None:
    driver = driver_at(S.INVITED)
    for step in Organisation.current().required_steps:
        drivers.complete_step(driver, step, by=NANDI, at=MONDAY)
    drivers.change_status(driver, S.INVITED, reason="Another phone", by=NANDI)
    consent.withdraw(driver, source="staff", by=NANDI)

    grant(driver)

    assert driver.onboarding_status == S.INVITED


def test_a_step_twice_or_of_no_checklist_is_refused() -> None:
    driver = make_driver()
    drivers.complete_step(driver, "app_installed", by=NANDI)

    for step, code in [("app_installed", "step_done"), ("dance", "unknown_step")]:
        with pytest.raises(Refused) as refusal:
            drivers.complete_step(driver, step, by=NANDI)
        assert refusal.value.code == code


def set_pilot(**values: object) -> Organisation:
    Organisation.current()
    Organisation.objects.update(**values)
    return Organisation.current()


def test_usage_in_the_pilot_makes_active_and_proves_four_steps() -> None:
    set_pilot(pilot_starts_on=MONDAY.date())
    driver = driver_at(S.INVITED)

    drivers.note_usage(driver, MONDAY.date(), by=NANDI)

    assert driver.onboarding_status == S.ACTIVE
    assert driver.last_active_date == clock.day_start(MONDAY.date())
    assert set(driver.steps.values_list("step", flat=True)) == {
        "app_installed",
        "pathpulse_account_created",
        "timorides_linked",
        "app_tested",
    }


def test_usage_before_the_pilot_is_noted_and_moves_nothing() -> None:
    set_pilot(pilot_starts_on=MONDAY.date() + timedelta(days=1))
    driver = driver_at(S.INVITED)

    drivers.note_usage(driver, MONDAY.date(), by=NANDI)

    assert driver.onboarding_status == S.INVITED
    assert driver.last_active_date == clock.day_start(MONDAY.date())
    assert driver.steps.count() == 0


@pytest.mark.parametrize(("quiet_days", "status"), [(13, S.ACTIVE), (14, S.INACTIVE), (40, S.INACTIVE)])
def test_no_usage_for_fourteen_loaded_days_makes_inactive(quiet_days: int, status: str) -> None:
    set_pilot(
        pilot_starts_on=MONDAY.date(), metrics_complete_through=MONDAY.date() + timedelta(days=quiet_days)
    )
    driver = make_driver()
    drivers.note_usage(driver, MONDAY.date(), by=NANDI)

    drivers.mark_inactive()

    driver.refresh_from_db()
    assert driver.onboarding_status == status
    if status == S.INACTIVE:
        change = StatusChange.objects.get(driver=driver, to_status=S.INACTIVE)
        assert change.at == clock.day_end(MONDAY.date() + timedelta(days=14))
        assert change.actor == "automation:inactive"


def test_nobody_becomes_inactive_beyond_the_days_that_are_loaded() -> None:
    set_pilot(pilot_starts_on=MONDAY.date(), metrics_complete_through=None)
    driver = make_driver()
    drivers.note_usage(driver, MONDAY.date(), by=NANDI)

    assert drivers.mark_inactive() == []


def test_usage_again_makes_active_but_an_old_day_that_came_late_does_not() -> None:
    set_pilot(pilot_starts_on=MONDAY.date(), metrics_complete_through=MONDAY.date() + timedelta(days=20))
    driver = make_driver()
    drivers.note_usage(driver, MONDAY.date(), by=NANDI)
    drivers.mark_inactive()

    drivers.note_usage(driver, MONDAY.date() + timedelta(days=2), by=NANDI)
    assert driver.onboarding_status == S.INACTIVE

    drivers.note_usage(driver, MONDAY.date() + timedelta(days=19), by=NANDI)
    assert driver.onboarding_status == S.ACTIVE


def test_a_status_change_names_its_act_in_the_journal() -> None:
    driver = driver_at(S.CONTACTED)
    act = drivers.change_status(driver, S.INVITED, reason="Phoned", by=NANDI)

    entry = Entry.objects.filter(name="driver.status_changed").order_by("-id").first()
    assert entry is not None
    assert (entry.driver_id, entry.actor, entry.data["act"]) == (driver.pk, str(NANDI), str(act))


def test_an_unknown_act_cannot_be_undone() -> None:
    with pytest.raises(Refused) as refusal:
        drivers.undo_act(uuid4(), by=NANDI)
    assert refusal.value.code == "nothing_to_undo"
