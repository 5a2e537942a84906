"""Two processes at one moment: no lost update, no double row (spec §3)."""

import time

import pytest

from drivercrm.core.clock import now
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import OnboardingStatus as S
from drivercrm.drivers.enums import Trigger as T
from drivercrm.drivers.models import ChannelIdentity, Driver, StatusChange
from drivercrm.journal.models import Entry
from tests.factories import NANDI, make_driver
from tests.processes import run_together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

MOVE = """
from uuid import UUID
from drivercrm.core.actors import automation
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import Trigger
print(len(drivers.trigger([UUID("{pk}")], Trigger.{trigger}, by=automation("race"))))
"""


def test_two_processes_making_the_same_move_at_once_write_one_row() -> None:
    for _ in range(3):
        driver = make_driver()
        program = MOVE.format(pk=driver.pk, trigger="MESSAGE_ACCEPTED")

        printed = run_together(program, program, at=time.time() + 1.5)

        driver.refresh_from_db()
        assert sorted(printed) == ["0", "1"]
        assert driver.onboarding_status == S.CONTACTED
        assert StatusChange.objects.filter(driver=driver).count() == 1


def test_two_different_triggers_at_once_lose_nothing() -> None:
    driver = make_driver()

    run_together(
        MOVE.format(pk=driver.pk, trigger="STEPS_COMPLETED"),
        MOVE.format(pk=driver.pk, trigger="INVITATION_ACCEPTED"),
        at=time.time() + 1.5,
    )

    driver.refresh_from_db()
    rows = StatusChange.objects.filter(driver=driver).order_by("sequence")
    assert driver.onboarding_status == S.ONBOARDING_COMPLETED
    assert [row.to_status for row in rows] == [
        S.CONTACTED,
        S.INVITED,
        S.ONBOARDING_STARTED,
        S.ONBOARDING_COMPLETED,
    ]
    assert set(drivers.rebuild().values()) == {0}


def test_an_undo_twice_at_once_goes_back_once() -> None:
    driver = make_driver()
    drivers.trigger([driver.pk], T.MESSAGE_ACCEPTED, by=NANDI)
    act = drivers.change_status(driver, S.ACTIVE, reason="x", by=NANDI)
    program = f"""
from uuid import UUID
from drivercrm.core.actors import automation
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
try:
    drivers.undo_act(UUID("{act}"), by=automation("race"))
    print("undone")
except Refused as refusal:
    print(refusal.code)
"""

    printed = run_together(program, program, at=time.time() + 1.5)

    driver.refresh_from_db()
    assert sorted(printed) == ["moved_on", "undone"]
    assert driver.onboarding_status == S.CONTACTED


def test_two_drivers_made_with_one_number_at_once_leave_one() -> None:
    program = """
from drivercrm.core.actors import automation
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
try:
    drivers.create({"name": "Sipho Dlamini", "phone": "0830000001"}, source="api", by=automation("race"))
    print("made")
except Refused as refusal:
    print(refusal.code)
"""

    printed = run_together(program, program, at=time.time() + 1.5)

    assert sorted(printed) == ["made", "value_taken"]
    assert Driver.objects.filter(phone="+27830000001").count() == 1
    assert ChannelIdentity.objects.filter(value="+27830000001", until__isnull=True).count() == 1


def test_follow_ups_set_at_once_leave_the_earliest_as_the_next() -> None:
    driver = make_driver()
    due = [now().replace(year=2027, month=month, microsecond=0) for month in (3, 2)]
    program = """
from datetime import datetime
from uuid import UUID
from drivercrm.core.actors import automation
from drivercrm.drivers import workflow as drivers
drivers.set_follow_ups([UUID("{pk}")], due_at=datetime.fromisoformat("{due}"), is_all_day=False, reason="",
    owner=None, by=automation("race"))
"""

    run_together(
        *[program.format(pk=driver.pk, due=moment.isoformat()) for moment in due], at=time.time() + 1.5
    )

    driver.refresh_from_db()
    assert driver.next_follow_up_date == min(due)


def test_the_same_bulk_move_twice_at_once_writes_one_row_each() -> None:
    drivers_there = [make_driver() for _ in range(5)]
    ids = [str(driver.pk) for driver in drivers_there]
    program = f"""
from uuid import UUID
from drivercrm.core.actors import automation
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
try:
    moved = drivers.change_status_of_many([UUID(pk) for pk in {ids}], "invited", reason="x", by=automation("race"))
    print(len(moved[1]))
except Refused as refusal:
    print(0)
"""

    printed = run_together(program, program, at=time.time() + 1.5)

    assert sum(map(int, printed)) == 5
    rows = StatusChange.objects.filter(driver__in=drivers_there)
    assert [(row.from_status, row.to_status) for row in rows] == [(S.NOT_CONTACTED, S.INVITED)] * 5


def test_a_follow_up_done_and_dropped_at_once_ends_one_way() -> None:
    driver = make_driver()
    one = drivers.set_follow_ups([driver.pk], due_at=now(), is_all_day=True, reason="", owner=None, by=NANDI)[
        0
    ]
    prelude = """
from uuid import UUID
from drivercrm.core.actors import automation
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import FollowUp
by = automation("race")
try:
    {act}
except Refused:
    pass
"""

    run_together(
        prelude.format(act=f"drivers.complete_follow_up(FollowUp.objects.get(pk='{one.pk}'), by=by)"),
        prelude.format(act=f"drivers.drop_follow_ups([UUID('{one.pk}')], by=by)"),
        at=time.time() + 1.5,
    )

    assert Entry.objects.filter(name="follow_up.ended").count() == 1
    ended = Entry.objects.get(name="follow_up.ended").data["outcome"]
    one.refresh_from_db()
    assert one.outcome == ended
