"""Filters: what each means, how it is written and read, and that no address breaks a list."""

import base64
from contextlib import suppress
from datetime import date, timedelta
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivercrm.accounts.enums import Role
from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.core.paging import page_of
from drivercrm.drivers import filters
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import Trigger
from drivercrm.drivers.models import FEW, Driver, _search_words
from tests.factories import NANDI, make_driver, make_user

TODAY = date(2026, 11, 18)  # a Wednesday


def names(query: str, viewer: filters.Viewer | None = None) -> list[str]:
    """Who a list finds, by the quick way, the plain way and in any order; they must agree."""
    parsed = filters.parse(query)
    viewer = viewer or filters.Viewer.now(None)
    plain = sorted(filters.matching(parsed, viewer).values_list("name", flat=True))
    found = filters.find(parsed, viewer)
    for sort in filters.SORTS:
        for sign in ("", "-"):
            order = filters.parse(f"sort={sign}{sort}").order
            rows = page_of(
                found.drivers.values("id", "name", order.field)
                if order.field != "id"
                else found.drivers.values("id", "name"),
                order,
                cursor=None,
                limit=100,
            )
            assert sorted(row["name"] for row in rows.items) == plain
    assert found.total == len(plain)
    return plain


# Reading and writing

KEYS = st.sampled_from(sorted(filters.FIELDS))
OPS = st.sampled_from(["", ".not", ".is", ".before", ".after", ".under", ".over", ".nonsense"])
VALUES = st.one_of(
    st.sampled_from(
        [
            "invited",
            "opted_out",
            "me",
            "none",
            "never",
            "overdue",
            "today",
            "next_week",
            "next_month",
            "-7d",
            "+9999d",
            "2026-11-23",
            "0001-01-01",
            "9999-12-31",
            "40",
            "-1",
            "nan",
            "inf",
            "1e400",
            "yes",
            "granted",
            "never_asked",
            "Umlazi",
            "0190f3a2-0000-7000-8000-000000000000",
        ]
    ),
    st.text(max_size=20),
)
PAIRS = st.lists(st.tuples(st.builds(str.__add__, KEYS, OPS), VALUES), max_size=6)
EXTRAS = st.lists(
    st.tuples(
        st.sampled_from(["q", "sort", "cols", "rows", "view", "page", "cursor"]),
        st.one_of(
            st.text(max_size=30),
            st.sampled_from(["-created", "name", "--name", "status.owner", "roomy", "sipho d", "082 123"]),
        ),
    ),
    max_size=4,
)


@given(PAIRS, EXTRAS)
def test_a_list_read_and_written_is_the_same_list(
    pairs: list[tuple[str, str]], extras: list[tuple[str, str]]
) -> None:
    query = filters.parse(QueryDict(urlencode(pairs + extras, errors="replace")))

    assert filters.parse(query.encode()) == query
    assert filters.parse(query.encode(is_explicit=True)) == query
    for said in filters.describe(query, {}, TODAY):
        assert said.label
        assert said.op
        assert said.value


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(PAIRS, EXTRAS, st.one_of(st.none(), st.text(max_size=40)))
def test_no_address_breaks_a_list(
    db: None, pairs: list[tuple[str, str]], extras: list[tuple[str, str]], cursor: str | None
) -> None:
    query = filters.parse(QueryDict(urlencode(pairs + extras, errors="replace")))
    viewer = filters.Viewer.now(None)
    found = filters.find(query, viewer)

    list(found.drivers.values("id")[:5])
    filters.count(query, viewer)
    if cursor:
        with pytest.raises(Refused):
            page_of(found.drivers.values("id"), query.order, cursor=cursor, limit=5)


@pytest.mark.parametrize(
    "value", ['["a"]', '"\\u0000"', '"\\ud800"', "5", "{}", "1e999", '"2026"', '"0001-01-01T00:00:00+00:00"']
)
@pytest.mark.parametrize("sort", sorted(filters.SORTS))
@pytest.mark.django_db
def test_a_forged_page_marker_is_refused_or_read_and_nothing_else(sort: str, value: str) -> None:
    order = filters.parse(f"sort={sort}").order
    cursor = base64.urlsafe_b64encode(f'[0,{value},"{"0" * 32}"]'.encode()).decode()

    with suppress(Refused):
        page_of(Driver.objects.values("id", order.field), order, cursor=cursor, limit=5)


def test_filters_say_what_they_mean() -> None:
    query = filters.parse(
        "next_follow_up.before=next_week&status.not=opted_out&status.not=inactive&owner=me&response_rate.under=40"
        "&last_contact.before=-7d&engagement_score=none"
    )

    assert [str(one) for one in filters.describe(query, {}, TODAY)] == [
        "Next follow-up before Mon 23 Nov",
        "Status is not Opted out, Inactive",
        "Owner is Me",
        "Response rate under 40%",
        "Last contact before 7 days ago",
        "Engagement score is Too early",
    ]


def test_what_means_nothing_is_left_out() -> None:
    query = filters.parse(
        "status=flying&owner=abc&created.before=31/12/2026&sort=shoe_size&cols=hat&area.under=3&x=1"
    )

    assert query == filters.ListQuery()


def test_an_added_filter_takes_the_place_of_its_like() -> None:
    query = filters.parse("status=invited&area=Umlazi").with_filter(
        filters.Filter("status", "is", ("active",))
    )

    assert query.encode() == "status=active&area=Umlazi"
    assert query.without("status").encode() == "area=Umlazi"


# Meaning


@pytest.mark.django_db
def test_status_owner_and_area_filters() -> None:
    me, other = make_user(Role.OPERATIONS), make_user(Role.OPERATIONS)
    a = make_driver("A", area="Umlazi")
    b = make_driver("B", area="UMLAZI")
    make_driver("C", area="Phoenix")
    drivers.assign([a.pk], me, by=NANDI)
    drivers.assign([b.pk], other, by=NANDI)
    drivers.change_status(b, "invited", reason="x", by=NANDI)
    viewer = filters.Viewer.now(me.pk)

    assert names("status=invited") == ["B"]
    assert names("status.not=invited") == ["A", "C"]
    assert names("status=invited&status=not_contacted") == ["A", "B", "C"]
    assert names("owner=me", viewer) == ["A"]
    assert names("owner.not=me", viewer) == ["B", "C"]
    assert names("owner=none", viewer) == ["C"]
    assert names(f"owner={other.pk}&owner=none", viewer) == ["B", "C"]
    assert names("area=umlazi") == ["A", "B"]
    assert names("area.not=umlazi") == ["C"]


@pytest.mark.django_db
def test_a_whole_day_is_overdue_only_when_it_is_over() -> None:
    start = clock.day_start(clock.today())
    for name, due in [
        ("Yesterday", start - timedelta(days=1)),
        ("Today", start),
        ("Tomorrow", start + timedelta(days=1)),
    ]:
        driver = make_driver(name)
        drivers.set_follow_ups([driver.pk], due_at=due, is_all_day=True, reason="", owner=None, by=NANDI)
    hour = make_driver("An hour ago")
    due = max(clock.now() - timedelta(hours=1), start + timedelta(seconds=1))
    drivers.set_follow_ups([hour.pk], due_at=due, is_all_day=False, reason="", owner=None, by=NANDI)
    make_driver("Never")

    assert names("next_follow_up=overdue") == ["An hour ago", "Yesterday"]
    assert names("next_follow_up=today") == ["An hour ago", "Today"]
    assert names("next_follow_up=none") == ["Never"]
    assert names("next_follow_up.before=today") == ["Yesterday"]
    assert names("next_follow_up.after=today") == ["Tomorrow"]


@pytest.mark.django_db
def test_dates_are_days_of_the_organisation() -> None:
    day = date(2026, 11, 10)
    late = make_driver("23:30 on the 10th")
    early = make_driver("00:30 on the 11th")
    Driver.objects.filter(pk=late.pk).update(last_contact_date=clock.day_end(day) - timedelta(minutes=30))
    Driver.objects.filter(pk=early.pk).update(last_contact_date=clock.day_end(day) + timedelta(minutes=30))
    make_driver("Never")

    assert names("last_contact.before=2026-11-11") == ["23:30 on the 10th"]
    assert names("last_contact.after=2026-11-10") == ["00:30 on the 11th"]
    assert names("last_contact=never") == ["Never"]


@pytest.mark.django_db
def test_scores_and_rates() -> None:
    for name, score, rate in [("Low", 20.0, 0.1), ("High", 80.0, 0.9), ("None", None, None)]:
        Driver.objects.filter(pk=make_driver(name).pk).update(engagement_score=score, response_rate=rate)

    assert names("engagement_score.under=40") == ["Low"]
    assert names("engagement_score.over=40") == ["High"]
    assert names("engagement_score=none") == ["None"]
    assert names("response_rate.under=50") == ["Low"]
    assert names("response_rate.over=50") == ["High"]


@pytest.mark.django_db
def test_consent_filters_read_the_channels_own_matters() -> None:
    yes, no = make_driver("Yes", email="yes@example.org"), make_driver("No")
    make_driver("Silent")
    consent.grant(
        yes, channels=["whatsapp"], purposes=["service"], source="staff", evidence="told us", by=NANDI
    )
    consent.grant(
        no, channels=["whatsapp"], purposes=["service"], source="staff", evidence="told us", by=NANDI
    )
    consent.withdraw(no, source="staff", by=NANDI)

    assert names("consent_whatsapp=granted") == ["Yes"]
    assert names("consent_whatsapp.not=granted") == ["No", "Silent"]
    assert names("consent_whatsapp=never_asked") == ["Silent"]
    assert names("consent_whatsapp=granted&consent_whatsapp=never_asked") == ["Silent", "Yes"]
    assert names("consent=never_asked") == ["Silent"]
    assert names("consent.not=never_asked") == ["No", "Yes"]
    assert names("opt_in=yes") == ["Yes"]
    assert names("opt_in=no") == ["No", "Silent"]


@pytest.mark.django_db
def test_unreached_drivers_are_those_whose_every_message_failed() -> None:
    lost, never = make_driver("Lost"), make_driver("Never written to")
    drivers.trigger([lost.pk], Trigger.MESSAGE_ACCEPTED, by=NANDI)
    drivers.trigger([lost.pk], Trigger.UNREACHED, by=NANDI)

    assert names("unreached=yes") == ["Lost"]
    assert names("unreached=no") == [never.name]


# Search


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("Sipho Dlamini", ["sipho", "dlamini"]),
        ("Sipho D", ["sipho d"]),
        ("de Villiers", ["de villiers"]),
        ("van der Merwe", ["van", "der", "merwe"]),
        ("082 123 4567", ["0821234567"]),
        ("+27 82 123", ["+2782123"]),
        ("a b", ["a b"]),
        ("\0", []),
    ],
)
def test_words_of_a_search(typed: str, words: list[str]) -> None:
    assert _search_words(typed) == words


@pytest.mark.django_db
@pytest.mark.parametrize("few", [FEW, 0])
def test_a_number_is_found_as_typed_and_as_a_local_one(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    make_driver("Zola", phone="+27710820042", timo_driver_id="T0123", email="sipho0823@umzila.example")
    make_driver("Other", phone="+27829990000")
    monkeypatch.setattr("drivercrm.drivers.models.FEW", few)

    typed = ("0042", "0820042", "0123", "0823", "071 082 0042", "0027710", "0829", "zola 0042", "0999")
    found = {words: sorted(Driver.objects.search(words).values_list("name", flat=True)) for words in typed}

    assert found == {words: ["Zola"] for words in typed} | {"0829": ["Other"], "0999": []}


@pytest.mark.django_db
def test_nobody_found_by_a_word_or_two_is_counted_as_nobody() -> None:
    make_driver("Sipho")

    assert [names(f"q={typed}") for typed in ("9+9", "%2B+1", "zz")] == [[], [], []]


@pytest.mark.django_db
def test_search_reads_names_numbers_mails_and_ids() -> None:
    make_driver("Sipho Dlamini", phone="+27821234567", email="sipho@example.org", timo_driver_id="TR-100%")
    make_driver("Siphesihle Mntungwa", phone="+27839876543")
    make_driver("D'Arcy O_Neil", phone="+27711111111")

    assert names("q=sip") == ["Siphesihle Mntungwa", "Sipho Dlamini"]
    assert names("q=dlamini+sipho") == ["Sipho Dlamini"]
    assert names("q=Sipho+D") == ["Sipho Dlamini"]
    assert names("q=082+123") == ["Sipho Dlamini"]
    assert names("q=+27+83+987") == ["Siphesihle Mntungwa"]
    assert names("q=sipho%40example") == ["Sipho Dlamini"]
    assert names("q=100%25") == ["Sipho Dlamini"]
    assert names("q=%25%25%25") == []
    assert names("q=o_n") == ["D'Arcy O_Neil"]
    assert names("q=d'a") == ["D'Arcy O_Neil"]
    assert names('q="""') == []
    assert names("q=si") == ["Siphesihle Mntungwa", "Sipho Dlamini"]
    assert names("q=ip") == []
    assert names("q=nobody+at+all") == []


@pytest.mark.django_db
def test_a_whole_number_mail_or_id_finds_whoever_has_it_and_nobody_else() -> None:
    whole = make_driver(
        name="Whole", phone="+27821234567", email="vusi@rides.example.org", timo_driver_id="TD-00123"
    )
    longer = make_driver(
        name="Longer",
        phone="+27831234567",
        email="0821234567.vusi@rides.example.org",
        timo_driver_id="TD-001234",
    )

    def found(words: str) -> set[str]:
        return set(Driver.objects.search(words).values_list("name", flat=True))

    for words in ("082 123 4567", "+27821234567", "0027 82 123 4567", "VUSI@rides.example.org", "td-00123"):
        assert found(words) == {whole.name}, words
    assert found("td-00123 longer") == {longer.name}
    assert found("td-0012") == {whole.name, longer.name}
    assert found("0821234567.vusi") == {longer.name}
    assert found("82123456") == {whole.name, longer.name}


@pytest.mark.django_db
def test_few_and_many_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FEW > 100
    for number in range(12):
        driver = make_driver(f"Sipho {'ABCDEFGHIJKL'[number]}", area="Umlazi" if number % 2 else "Phoenix")
        if number % 3 == 0:
            drivers.change_status(driver, "invited", reason="x", by=NANDI)
    queries = [
        "q=sipho",
        "q=sipho&status=invited",
        "q=sipho&status.not=invited&sort=name",
        "area=umlazi&sort=name",
        "status=invited&area=umlazi&sort=-last_contact",
        "consent=never_asked&sort=name",
        "unreached=no",
        "opt_in=yes&opt_in=no&sort=name",
    ]
    viewer = filters.Viewer.now(None)
    few = {query: names(query) for query in queries}
    monkeypatch.setattr("drivercrm.drivers.models.FEW", 1)
    monkeypatch.setattr("drivercrm.drivers.filters.finding.SORTED", 1)
    monkeypatch.setattr("drivercrm.drivers.filters.finding.COUNTED", 1)

    for query in queries:
        found = filters.find(filters.parse(query), viewer)
        walked = sorted(found.drivers.values_list("name", flat=True))
        assert walked == few[query], query
        assert found.total is None


# Choosing for a bulk action


@pytest.mark.django_db
def test_chosen_drivers_are_the_ticked_ones_or_all_that_match() -> None:
    a, b = make_driver("A", area="Umlazi"), make_driver("B", area="Phoenix")
    viewer = filters.Viewer.now(None)

    ticked = QueryDict(f"driver={a.pk}&driver={a.pk}&driver=nonsense")
    everyone = QueryDict(urlencode({"all": "1", "query": "area=Phoenix", "driver": a.pk}))

    assert filters.chosen(ticked, viewer) == [a.pk]
    assert filters.chosen(everyone, viewer) == [b.pk]
    with pytest.raises(Refused, match="Tick at least one driver first"):
        filters.chosen(QueryDict("driver="), viewer)


@pytest.mark.django_db
def test_more_than_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivercrm.drivers.filters.finding.BULK_LIMIT", 1)
    make_driver()
    make_driver()

    with pytest.raises(Refused, match="Add a filter first"):
        filters.chosen(QueryDict("all=1"), filters.Viewer.now(None))
