"""The schedule: every moment once, whoever ticks, across restarts, zones and midnight."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import HealthCheck, example, given
from hypothesis import settings as rules
from hypothesis import strategies as some
from pytest_django import Settings

from drivercrm.config.schedule import SCHEDULE
from drivercrm.jobs import clockwork
from drivercrm.jobs.clockwork import Clockwork, every, every_day
from drivercrm.jobs.models import Job, Tick
from tests.jobs import probes  # noqa: F401

ZONES = [
    "Africa/Johannesburg", "UTC", "Europe/London", "America/New_York", "Asia/Kathmandu", "Pacific/Apia",
    "Australia/Lord_Howe",
]  # fmt: skip
MINUTE = timedelta(minutes=1)


def at(words: str) -> datetime:
    return datetime.fromisoformat(words)


def test_every_line_of_the_schedule_names_a_task_and_stands_once() -> None:
    assert clockwork.schedule() == SCHEDULE
    assert len({str(line) for line in SCHEDULE}) == len(SCHEDULE)


def test_line_for_an_unknown_task_stops_the_worker_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivercrm.config.schedule.SCHEDULE", [every_day("03:10", "drivers.nothing")])

    with pytest.raises(ImproperlyConfigured) as refusal:
        clockwork.schedule()

    assert str(refusal.value) == (
        "The schedule says “every day at 03:10: drivers.nothing”, but No task is called drivers.nothing."
    )


@pytest.mark.parametrize("period", ["soon", "0 seconds", "-5 minutes", "5 days", "5", "1.5 hours"])
def test_period_that_cannot_be_read_is_refused(period: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        every(period, "probe.tick")


@pytest.mark.parametrize(
    ("line", "now", "due"),
    [
        # Johannesburg is two hours ahead of UTC all year
        (every_day("03:10", "t"), "2026-06-01T01:09:59Z", "2026-05-31T01:10:00Z"),
        (every_day("03:10", "t"), "2026-06-01T01:10:00Z", "2026-06-01T01:10:00Z"),
        (every_day("00:00", "t"), "2026-05-31T21:59:59Z", "2026-05-30T22:00:00Z"),
        (every_day("00:00", "t"), "2026-05-31T22:00:00Z", "2026-05-31T22:00:00Z"),
        (every_day("23:59", "t"), "2026-12-31T22:30:00Z", "2026-12-31T21:59:00Z"),
        (every("30 seconds", "t"), "2026-06-01T00:00:29.9Z", "2026-06-01T00:00:00Z"),
        (every("30 seconds", "t"), "2026-06-01T00:00:30Z", "2026-06-01T00:00:30Z"),
        (every("5 minutes", "t"), "2026-06-01T23:59:59Z", "2026-06-01T23:55:00Z"),
        (every("1 hour", "t"), "2026-06-01T23:59:59Z", "2026-06-01T23:00:00Z"),
    ],
)
def test_latest_moment(line: clockwork.Line, now: str, due: str, settings: Settings) -> None:
    settings.TIME_ZONE = "Africa/Johannesburg"

    assert line.latest(at(now)) == at(due)


@pytest.mark.parametrize(
    ("hour", "day", "moment"),
    [
        (time(2, 30), "2026-03-08", "2026-03-08T07:30:00Z"),  # skipped: 03:30 summer time
        (time(1, 30), "2026-11-01", "2026-11-01T05:30:00Z"),  # repeated: the first, in summer time
    ],
)
def test_day_on_which_the_clocks_change_has_one_moment(
    hour: time, day: str, moment: str, settings: Settings
) -> None:
    settings.TIME_ZONE = "America/New_York"
    line = clockwork.EveryDay(hour, "t")
    start = datetime.combine(date.fromisoformat(day), time(5), tzinfo=UTC)

    dues = {line.latest(start + MINUTE * minute) for minute in range(23 * 60)}

    assert dues - {line.latest(start)} == {at(moment)}


@pytest.mark.django_db
def test_line_seen_for_the_first_time_waits_for_its_next_moment(settings: Settings) -> None:
    settings.TIME_ZONE = "Africa/Johannesburg"
    works = Clockwork([every_day("03:10", "probe.tick")])

    assert works.tick(at("2026-06-01T10:00:00Z")) == 0
    assert works.tick(at("2026-06-02T01:09:00Z")) == 0
    assert works.tick(at("2026-06-02T01:10:00Z")) == 1
    assert [job.task for job in Job.objects.all()] == ["probe.tick"]


@pytest.mark.django_db
def test_restart_neither_repeats_nor_skips_a_tick(settings: Settings) -> None:
    settings.TIME_ZONE = "Africa/Johannesburg"
    lines = [every_day("03:10", "probe.tick")]
    Clockwork(lines).tick(at("2026-06-01T01:10:00Z"))
    assert Clockwork(lines).tick(at("2026-06-02T01:10:01Z")) == 1
    Job.objects.all().delete()

    assert Clockwork(lines).tick(at("2026-06-02T01:10:02Z")) == 0  # restarted at once
    assert Clockwork(lines).tick(at("2026-06-05T12:00:00Z")) == 1  # down for three days: one run, not three
    assert Clockwork(lines).tick(at("2026-06-05T12:00:01Z")) == 0


@pytest.mark.django_db
def test_clock_that_is_set_back_repeats_nothing() -> None:
    lines = [every("30 seconds", "probe.tick")]
    Clockwork(lines).tick(at("2026-06-01T00:00:00Z"))
    assert Clockwork(lines).tick(at("2026-06-01T00:01:00Z")) == 1

    assert Clockwork(lines).tick(at("2026-06-01T00:00:30Z")) == 0
    assert Clockwork(lines).tick(at("2026-06-01T00:01:29Z")) == 0


@pytest.mark.django_db
def test_ticks_do_not_pile_up_while_no_worker_has_time() -> None:
    works = Clockwork([every("30 seconds", "probe.tick")])

    for seconds in range(0, 600, 30):
        works.tick(at("2026-06-01T00:00:00Z") + timedelta(seconds=seconds))

    assert Job.objects.count() == 1


@pytest.mark.django_db
@rules(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    zone=some.sampled_from(ZONES),
    hour=some.times(timezones=some.none()).map(lambda value: value.replace(second=0, microsecond=0)),
    begin=some.integers(0, 15 * 365 * 1440).map(
        lambda minutes: at("2011-12-20T00:00:00Z") + MINUTE * minutes
    ),
    steps=some.lists(
        some.tuples(some.integers(0, 3000), some.sampled_from(["one", "other", "restarted"])), max_size=25
    ),
)
@example(
    zone="Pacific/Apia",
    hour=time(3, 10),
    begin=at("2011-12-29T00:00:00Z"),
    steps=[(30, "one"), (30, "other")] * 48,
)
@example(
    zone="Africa/Johannesburg",
    hour=time(0),
    begin=at("2026-05-31T21:59:00Z"),
    steps=[(1, "one"), (1, "other")],
)
def test_every_local_day_ticks_once_whoever_asks(
    zone: str, hour: time, begin: datetime, steps: list[tuple[int, str]], settings: Settings
) -> None:
    settings.TIME_ZONE = zone
    Tick.objects.all().delete()
    line = clockwork.EveryDay(hour, "probe.tick")
    days = [begin.date() + timedelta(days=number) for number in range(-3, 3000 * 50 // 1440 + 3)]
    # a day that a zone left out falls on the same moment as the next
    moments = {datetime.combine(day, hour, tzinfo=ZoneInfo(zone)).astimezone(UTC) for day in days}
    works = {"one": Clockwork([line]), "other": Clockwork([line])}
    works["one"].tick(begin)
    times = [begin]
    ran = []

    for minutes, who in steps:
        times.append(times[-1] + MINUTE * minutes)
        ran.append(works.get(who, Clockwork([line])).tick(times[-1]))
        Job.objects.all().delete()

    assert ran == [int(any(before < moment <= now for moment in moments)) for before, now in pairwise(times)]
