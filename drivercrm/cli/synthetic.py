"""A synthetic history for `demo`: invented people, real verbs, the clock set back (spec §9).

The same options give the same names, numbers and dates, counted back from today. Numbers lie in +27 70 0…,
a block without a mobile allocation that we know of; mails end in example.org.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import groupby

from django.contrib.auth.hashers import make_password
from django.db import transaction

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import DEMO_DOMAIN, Organisation, User
from drivercrm.communications import workflow as communications
from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.core.actors import Actor, automation
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.drivers.models import Driver, SavedView
from drivercrm.engagement.models import EngagementMetric

PASSWORD = "drive-the-demo"  # noqa: S105 printed at every start; the demo listens on loopback only
TEAM = (
    ("Nandi Pillay", "nandi", Role.OPERATIONS),
    ("Kabelo Maseko", "kabelo", Role.OPERATIONS),
    ("Zaid Hoosen", "zaid", Role.SUPPORT),
    ("Fikile Ntuli", "fikile", Role.FINANCE),
    ("Marianne Steyn", "marianne", Role.MANAGER),
    ("Thabo Admin", "admin", Role.ADMIN),
    ("Lindani Viewer", "viewer", Role.VIEWER),
)
ORGANISATION = "Umzila Rides"
GIVEN = """Thandeka Sipho Riaan Lerato Ashwin Fatima Kagiso Nomvula Imraan Precious Bongani Chantelle Mpho Vusi
    Pieter Ayanda Yusuf Dineo Themba Zanele Johan Naledi Sibusiso Lindiwe Tendai Andile Karabo Rashied
    Hlengiwe Deon Zodwa Nkosana Shireen Tumelo Wandile Elsa Refilwe Sandile Rukshana Lucky Amahle Gift
    Nazeem Tshepiso Busisiwe Keanu Thulani Masego Farouk Blessing Priya Rajesh Kavitha Lungelo Nokuthula
    Jabulani Sunita Mandla""".split()
FAMILY = """Mkhize Dlamini Naidoo Jakoet Molefe Khumalo Davids Maluleke Zulu Adams Tau Shabalala Botha Cele Essack
    Seabi Mthethwa Ndlovu Kruger Phiri Ngcobo Hadebe Moyo Buthelezi Legodi Samsodien Majola Pretorius
    Mahlaba Radebe Cassiem Ramaphala Gumede Fourie Motaung Mabaso Parker Baloyi Zwane Chauke Fredericks
    Lekota Xaba Petersen Nene Tladi Omar Pillay Govender Reddy Sithole Nkosi Luthuli Maseko""".split()
AREAS = (
    "Durban Central",
    "Umhlanga",
    "Pinetown",
    "Chatsworth",
    "Phoenix",
    "Umlazi",
    "KwaMashu",
    "Amanzimtoti",
    "Westville",
    "Bluff",
)
CALL_NOTES = (
    "Explained what the app records and what it pays. Will install it tonight.",
    "Asked to be called after his shift.",
    "Wanted to know how data is paid for. Told her it works on Wi-Fi.",
    "Phone is full; will make room and try again.",
    "Happy to take part, has two cars.",
    "Speaks isiZulu, prefers calls in the morning.",
)
FOLLOW_UP_REASONS = (
    "Call again after the shift",
    "Check that the app is installed",
    "Walk through the PathPulse account",
    "Confirm pilot start date",
    "No answer last time",
)
# where a life ends, and how many in a hundred end there
ENDINGS: tuple[tuple[OnboardingStatus, int], ...] = (
    (OnboardingStatus.NOT_CONTACTED, 14),
    (OnboardingStatus.CONTACTED, 15),
    (OnboardingStatus.INVITED, 15),
    (OnboardingStatus.ONBOARDING_STARTED, 16),
    (OnboardingStatus.ONBOARDING_COMPLETED, 8),
    (OnboardingStatus.ACTIVE, 24),
    (OnboardingStatus.INACTIVE, 4),
    (OnboardingStatus.OPTED_OUT, 4),
)
REACHES = {
    OnboardingStatus.NOT_CONTACTED: 0,
    OnboardingStatus.CONTACTED: 1,
    OnboardingStatus.INVITED: 2,
    OnboardingStatus.ONBOARDING_STARTED: 3,
    OnboardingStatus.ONBOARDING_COMPLETED: 4,
    OnboardingStatus.ACTIVE: 5,
    OnboardingStatus.INACTIVE: 5,
    OnboardingStatus.OPTED_OUT: 2,
}


_DAYS_NEEDED = {
    OnboardingStatus.NOT_CONTACTED: 1,
    OnboardingStatus.CONTACTED: 1,
    OnboardingStatus.INVITED: 3,
    OnboardingStatus.ONBOARDING_STARTED: 5,
    OnboardingStatus.ONBOARDING_COMPLETED: 11,
    OnboardingStatus.ACTIVE: 15,
    OnboardingStatus.INACTIVE: 38,
    OnboardingStatus.OPTED_OUT: 8,
}


@dataclass(frozen=True)
class Options:
    """How much history: drivers, days back from today, and the seed of chance."""

    drivers: int = 320
    days: int = 60
    seed: int = 7


@dataclass
class History:
    """The plan: what happens at which moment, played in order with the clock set to it."""

    options: Options
    today: date
    chance: random.Random
    team: dict[str, User]
    moments: list[tuple[datetime, int, Callable[[], object]]] = field(default_factory=list)
    usage: list[EngagementMetric] = field(default_factory=list)

    def at(self, day: date, hour: float, act: Callable[[], object]) -> datetime:
        """Plans an act at an hour of a local day; what would lie in the future does not happen."""
        moment = datetime.combine(day, time(), tzinfo=clock.zone()) + timedelta(hours=hour)
        if moment < clock.now():
            self.moments.append((moment, len(self.moments), act))
        return moment

    def day(self, back: int) -> date:
        return self.today - timedelta(days=back)


def fill(options: Options, *, say: Callable[[str], None]) -> int:
    """Fills an empty database and returns how many drivers it made; refuses one that holds anybody.

    A fill that was interrupted is begun again. Its accounts can sign in once everything is there.
    """
    if not is_half_filled() and (User.objects.exists() or Driver.objects.exists()):
        raise Refused(
            "not_empty",
            "This database is not empty. Demo data goes into an empty one only;"
            " “drivercrm demo --clear” removes a demo.",
        )
    if not 1 <= options.drivers <= 20_000 or not 10 <= options.days <= 730:
        raise Refused("too_much", "Ask for 1 to 20 000 drivers and 10 to 730 days.")
    _remove_drivers()
    today = clock.today()
    history = History(options, today, random.Random(options.seed), {})  # noqa: S311 invented people, no secrets
    with transaction.atomic(), clock.pretend(clock.day_start(history.day(options.days))):
        _set_up(history)
    for number in range(options.drivers):
        _plan_life(history, number)
    _plan_nights(history)
    history.moments.sort(key=lambda planned: planned[:2])
    for day, planned in groupby(history.moments, key=lambda planned: planned[0].date()):
        say(f"{day:%d %b %Y}")
        with transaction.atomic():
            for moment, _, act in planned:
                with clock.pretend(moment):
                    act()
    passwords = {user.pk: make_password(PASSWORD) for user in history.team.values()}
    with transaction.atomic():
        EngagementMetric.objects.bulk_create(history.usage, batch_size=500)
        for pk, password in passwords.items():
            User.objects.filter(pk=pk).update(password=password)
    return Driver.objects.count()


def is_half_filled() -> bool:
    """Whether only a demo is here, and the last transaction of its filling is missing: the one that sets passwords."""
    team = User.objects.filter(email__endswith=DEMO_DOMAIN, is_active=True)
    return (
        team.exists()
        and not any(user.has_usable_password() for user in team)
        and not User.objects.exclude(email__endswith=DEMO_DOMAIN).exists()
        and not Driver.objects.filter(is_demo=False).exists()
    )


def clear() -> int:
    """Removes the demo's drivers with all that hangs on them, its accounts and its settings; returns how many drivers.

    Beside real people the accounts are switched off, for what they did keeps their names.
    """
    with transaction.atomic():
        count = _remove_drivers()
        by = automation("demo")
        accounts.end_demo_accounts(by=by, may_leave_nobody=not Driver.objects.exists())
        organisation = Organisation.current()
        if organisation.name == ORGANISATION:
            fresh = Organisation()
            fields = ("name", "pilot_starts_on", "sign_up_goal", "sign_up_by", "metrics_complete_through")
            accounts.save_organisation({field: getattr(fresh, field) for field in fields}, by=by)
    return count


def _remove_drivers() -> int:
    with transaction.atomic():
        ids = list(Driver.objects.filter(is_demo=True).values_list("pk", flat=True))
        for start in range(0, len(ids), 500):
            drivers.delete_untouched(ids[start : start + 500], by=automation("demo"))
    return len(ids)


def _set_up(history: History) -> None:
    """The team and the settings. What an interrupted fill has left of them is used again."""
    for name, mail, role in TEAM:
        history.team[mail] = User.objects.get_or_create(
            email=f"{mail}{DEMO_DOMAIN}",
            defaults={
                "name": name,
                "role": role,
                "password": make_password(None),  # nobody signs in while it fills
                "created_at": clock.now(),
            },
        )[0]
    organisation = Organisation.current()
    organisation.name = ORGANISATION
    organisation.pilot_starts_on = history.day(int(history.options.days * 0.45))
    organisation.sign_up_goal = max(10, int(history.options.drivers * 0.6))
    organisation.sign_up_by = history.today + timedelta(days=18)
    organisation.save()
    for mail in ("nandi", "marianne", "admin"):
        SavedView.objects.get_or_create(
            owner=history.team[mail],
            name="Umlazi and KwaMashu",
            defaults={"query": "area=Umlazi&area=KwaMashu", "is_pinned": True},
        )


def _plan_life(history: History, number: int) -> None:
    """One driver from the list to wherever this life ends."""
    chance, days = history.chance, history.options.days
    ending = chance.choices([ending for ending, _ in ENDINGS], [weight for _, weight in ENDINGS])[0]
    reach = REACHES[ending]
    # two lists came in, the rest by hand; who got far must have come early
    joined_back = (
        days - 1 if chance.random() < 0.6 or reach >= 4 else chance.choice([days * 3 // 5, days // 4])
    )
    joined = history.day(joined_back)
    by = _staff(history)
    life = _Life(history, number, by)
    history.at(joined, 9 + number / 400, life.join)
    if chance.random() < 0.75 or reach >= 2:
        history.at(joined, 12 + number / 400, life.consent)
    if chance.random() < 0.8:
        history.at(joined, 14, life.assign)
    # the team works through the list for weeks: who is to get far by today is called early enough
    latest = min(_DAYS_NEEDED[ending], joined_back - 1)
    day = history.day(chance.randint(latest, max(latest, joined_back - 1)))
    if reach == 0:
        if chance.random() < 0.4:
            history.at(_working(day), chance.uniform(9, 16), life.miss)
        if chance.random() < 0.3:
            life.plan_follow_up(history.today + timedelta(days=chance.choice([-1, 0, 1, 2, 3, 5, 6])))
        return
    if chance.random() < 0.25:
        history.at(_working(day), chance.uniform(9, 12), life.miss)
        day += timedelta(days=1)
    history.at(_working(day), chance.uniform(12, 17), life.reach)
    if reach >= 2:
        day = _working(day + timedelta(days=chance.randint(0, 4)))
        history.at(day, chance.uniform(9, 17), life.invite)
    if reach >= 3:
        day = life.plan_steps(day + timedelta(days=chance.randint(1, 4)), complete=reach >= 4)
    if reach >= 5:
        life.plan_usage(day, stops=ending == OnboardingStatus.INACTIVE)
    if ending == OnboardingStatus.OPTED_OUT:
        history.at(day + timedelta(days=chance.randint(2, 9)), chance.uniform(8, 19), life.withdraw)
    elif reach < 5 and chance.random() < 0.45:
        life.plan_follow_up(
            history.today + timedelta(days=chance.choice([-2, -1, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7]))
        )
    if chance.random() < 0.15:
        history.at(day, 17.5, life.correct_the_mail)


def _plan_nights(history: History) -> None:
    """Every night: yesterday's metrics are in, and who stopped driving becomes inactive."""
    for back in range(history.options.days, -1, -1):
        day = history.day(back)

        def night(loaded: date = day - timedelta(days=1)) -> None:
            Organisation.objects.update(metrics_complete_through=loaded)
            drivers.mark_inactive()

        history.at(day, 3.2, night)


def _staff(history: History) -> User:
    return history.team[history.chance.choice(["nandi", "nandi", "kabelo"])]


def _working(day: date) -> date:
    """Calls are made from Monday to Saturday."""
    return day + timedelta(days=1) if day.weekday() == 6 else day


class _Life:
    """One driver's acts. The driver exists once `join` has played."""

    def __init__(self, history: History, number: int, staff: User) -> None:
        self.history, self.number, self.staff = history, number, staff
        self.by = Actor("user", str(staff.pk))
        chance = history.chance
        self.given, self.family = chance.choice(GIVEN), chance.choice(FAMILY)
        self.has_mail = chance.random() < 0.7
        self.has_number = chance.random() < 0.98 or not self.has_mail
        self.area = chance.choice(AREAS)
        self.timo = f"TR-{45000 + number * 7}" if chance.random() < 0.85 else None
        self.outcome = chance.choices(["answered", "voicemail"], [4, 1])[0]
        self.missed = chance.choice(["no_answer", "busy"])
        self.note = chance.choice(CALL_NOTES)
        self.seconds = chance.randint(40, 620)
        self.reason = chance.choice(FOLLOW_UP_REASONS)
        self._driver: Driver | None = None

    @property
    def driver(self) -> Driver:
        if self._driver is None:
            raise Refused("not_yet", "This driver has not joined yet.")
        return self._driver

    def join(self) -> None:
        values = {
            "name": f"{self.given} {self.family}",
            "given_name": self.given,
            "area": self.area,
            "language": self.history.chance.choice(["en", "en", "zu", "af"]),
            "timo_driver_id": self.timo,
        }
        if self.has_number:
            values["phone"] = f"+27700{self.number * 13 % 1_000_000:06d}"
        if self.has_mail:
            values["email"] = f"{self.given}.{self.family}{self.number}@example.org".lower()
        with transaction.atomic():
            self._driver = drivers.create(values, source="import", by=automation("demo"))
            # in the same transaction: a demo that is interrupted holds demo drivers alone
            Driver.objects.filter(pk=self._driver.pk).update(is_demo=True)
            self._driver.is_demo = True

    def consent(self) -> None:
        consent.grant(
            self.driver,
            channels=["whatsapp", "email"] if self.has_mail else ["whatsapp"],
            purposes=["service"],
            source="import",
            evidence="TimoRides driver agreement, 2025-11",
            by=self.by,
        )

    def assign(self) -> None:
        drivers.assign([self.driver.pk], self.staff, by=self.by)

    def miss(self) -> None:
        communications.log_call(self.driver, direction="outbound", outcome=self.missed, by=self.by)

    def reach(self) -> None:
        communications.log_call(
            self.driver,
            direction="outbound",
            outcome=self.outcome,
            by=self.by,
            note=self.note if self.outcome == "answered" else "",
            seconds=self.seconds,
        )

    def invite(self) -> None:
        drivers.change_status(
            self.driver, OnboardingStatus.INVITED, reason="Invitation explained on the phone", by=self.by
        )

    def withdraw(self) -> None:
        consent.withdraw(self.driver, source="staff", evidence="Said so on the phone", by=self.by)

    def correct_the_mail(self) -> None:
        mail = f"{self.given}{self.number}@mail.example.org".lower()
        drivers.edit(self.driver, {"email": mail}, by=self.by)

    def plan_steps(self, first: date, *, complete: bool) -> date:
        """The checklist in order, some days apart; who does not complete stops half-way. Returns the last day."""
        keys = [step["key"] for step in Organisation.current().onboarding_steps]
        keys = keys if complete else keys[: self.history.chance.randint(1, len(keys) - 2)]
        day = first
        for place, key in enumerate(keys):
            self.history.at(day, 8 + place * 1.2 + self.history.chance.random(), self._step(key))
            day += timedelta(days=self.history.chance.choice([0, 0, 1, 2]))
        return day

    def _step(self, key: str) -> Callable[[], object]:
        return lambda: drivers.complete_step(self.driver, key, by=self.by)

    def plan_usage(self, ready: date, *, stops: bool) -> None:
        """Days at the wheel since the pilot began; only the first and the last of them move anything."""
        history, chance = self.history, self.history.chance
        pilot = Organisation.current().pilot_starts_on or history.today
        first = max(ready + timedelta(days=1), pilot)
        last = history.today - timedelta(days=1)
        if stops:
            last = min(first + timedelta(days=3), history.today - timedelta(days=17))
        days = [
            first + timedelta(days=place)
            for place in range(max(0, (last - first).days + 1))
            if place == 0 or chance.random() < 0.7
        ]
        for day in days:
            history.at(day, 23.5, self._drive(day, is_noted=day in {days[0], days[-1]}))

    def _drive(self, day: date, *, is_noted: bool) -> Callable[[], object]:
        return lambda: self._record_usage(day, is_noted=is_noted)

    def _record_usage(self, day: date, *, is_noted: bool) -> None:
        chance = self.history.chance
        self.history.usage.append(
            EngagementMetric(
                driver=self.driver,
                date=day,
                app_usage_hours=round(chance.uniform(1.5, 9), 2),
                data_quality_score=round(chance.uniform(55, 99), 1),
                participation_score=round(chance.uniform(40, 100), 1),
                created_at=clock.now(),
            )
        )
        if is_noted:
            drivers.note_usage(self.driver, day, by=automation("demo"))

    def plan_follow_up(self, due: date) -> None:
        hour = self.history.chance.choice([None, 10, 11, 14.5, 15])
        moment = clock.day_start(due) + timedelta(hours=hour or 0)
        self.history.at(
            min(due, self.history.today) - timedelta(days=1),
            16,
            lambda: drivers.set_follow_ups(
                [self.driver.pk],
                due_at=moment,
                is_all_day=hour is None,
                reason=self.reason,
                owner=self.staff,
                by=self.by,
            ),
        )
