from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivercrm.core import clock
from drivercrm.ui import formats

NOW = datetime(2026, 11, 17, 7, 42, tzinfo=UTC)  # 09:42 in Johannesburg


@pytest.fixture(autouse=True)
def _tuesday_morning(monkeypatch: pytest.MonkeyPatch, settings) -> None:
    settings.TIME_ZONE = "Africa/Johannesburg"
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1240.5"), "R\u00a01\u00a0240.50"),
        (0, "R\u00a00.00"),
        (Decimal("-86"), "\u2212R\u00a086.00"),
        ("46820.75", "R\u00a046\u00a0820.75"),
        (Decimal("0.005"), "R\u00a00.01"),
        (1234567, "R\u00a01\u00a0234\u00a0567.00"),
        (None, "\u2013"),
    ],
)
def test_money(value, text):
    assert formats.money(value) == text


def test_money_without_cents():
    assert formats.money(Decimal("48260.40"), 0) == "R\u00a048\u00a0260"


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (2316, 0, "2\u00a0316"),
        (999, 0, "999"),
        (-1204, 0, "\u22121\u00a0204"),
        (61.44, 1, "61.4"),
        (None, 0, "\u2013"),
        ("", 0, "\u2013"),
        ("many", 0, "many"),
        (0, 0, "0"),
    ],
)
def test_number(value, places, text):
    assert formats.number(value, places) == text


@given(value=st.integers(min_value=-(10**12), max_value=10**12))
def test_a_number_can_be_read_back(value):
    text = formats.number(value)
    assert int(text.replace("\u00a0", "").replace("\u2212", "-")) == value


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("+27700142287", "+27 70 014 2287"),
        ("+27831234567", "+27 83 123 4567"),
        ("+442079460123", "+44 20 7946 0123"),
        ("not a number", "not a number"),
        ("", ""),
        (None, ""),
    ],
)
def test_phone(stored, text):
    assert formats.phone(stored) == text


def test_days():
    assert formats.day(NOW) == "Tue 17 Nov 2026"
    assert formats.day(date(2026, 11, 3)) == "Tue 3 Nov 2026"
    assert formats.day(None) == "\u2013"
    assert formats.short_day(date(2026, 11, 3)) == "3 Nov"
    assert formats.short_day(date(2025, 11, 3)) == "3 Nov 2025"
    assert formats.short_day(None) == "\u2013"


def test_a_moment_late_in_the_evening_belongs_to_the_local_day():
    assert formats.day(datetime(2026, 11, 17, 22, 30, tzinfo=UTC)) == "Wed 18 Nov 2026"


def test_times():
    assert formats.clock_time(NOW) == "09:42"
    assert formats.clock_time(None) == "\u2013"
    assert formats.day_time(NOW + timedelta(minutes=78)) == "Today, 11:00"
    assert formats.day_time(datetime(2026, 11, 3, 7, 14, tzinfo=UTC)) == "3 Nov, 09:14"
    assert formats.day_time(datetime(2025, 11, 3, 7, 14, tzinfo=UTC)) == "3 Nov 2025, 09:14"
    assert formats.day_time(date(2026, 11, 17)) == "Today"
    assert formats.day_time(date(2026, 11, 18)) == "18 Nov"
    assert formats.day_time(None) == "\u2013"


@pytest.mark.parametrize(
    ("since", "text"),
    [
        (timedelta(seconds=20), "now"),
        (timedelta(minutes=24, seconds=50), "24 min"),
        (timedelta(minutes=60), "1 h"),
        (timedelta(hours=3, minutes=59), "3 h"),
        (timedelta(hours=24), "1 d"),
        (timedelta(days=31), "31 d"),
        (timedelta(minutes=-78), "Today, 11:00"),
    ],
)
def test_ago(since, text):
    assert formats.ago(NOW - since) == text


def test_ago_of_a_plain_day():
    assert formats.ago(date(2026, 11, 17)) == "Today"
    assert formats.ago(date(2026, 11, 15)) == "2 d"
    assert formats.ago(date(2026, 11, 18)) == "18 Nov"
    assert formats.ago(None) == "\u2013"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (399, "6 min"),
        (5040, "1 h 24 min"),
        (7200, "2 h"),
        (86_400, "1 d"),
        (183_600, "2 d 3 h"),
        (-600, "\u221210 min"),
        (None, "\u2013"),
    ],
)
def test_span(seconds, text):
    assert formats.span(seconds) == text


def test_filters_are_there_without_a_load_tag(show):
    shown = show(
        "{{ p|phone }}|{{ m|money }}|{{ m|money:0 }}|{{ n|number }}|{{ n|number:1 }}|{{ t|ago }}|{{ t|day }}"
        "|{{ t|short_day }}|{{ t|day_time }}|{{ t|clock_time }}|{{ n|span }}|{{ s|status_name }}|{{ c|channel_name }}",
        p="+27700142287",
        m=Decimal("1240.5"),
        n=2316,
        t=NOW,
        s="onboarding_started",
        c="whatsapp",
    )
    assert shown.split("|") == [
        "+27 70 014 2287",
        "R\u00a01\u00a0240.50",
        "R\u00a01\u00a0241",
        "2\u00a0316",
        "2\u00a0316.0",
        "now",
        "Tue 17 Nov 2026",
        "17 Nov",
        "Today, 09:42",
        "09:42",
        "38 min",
        "Onboarding started",
        "WhatsApp",
    ]


def test_a_phone_that_is_no_number_is_escaped(show):
    assert show("{{ p|phone }}", p="<b>") == "&lt;b&gt;"
