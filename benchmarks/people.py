"""Invented drivers in any number: plausible names, numbers, histories and dirt, as rows ready for the tables.

The same seed gives the same people; dates are counted back from `now`. What the product derives (status, stage
dates, opt-in, totals, response rate, next follow-up) is derived here from the same facts by the same rules.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from drivercrm.cli.synthetic import AREAS, FAMILY, GIVEN
from drivercrm.communications.formula import Said, response_rate
from drivercrm.consent.enums import ConsentChannel, Purpose
from drivercrm.consent.queries import address_hash, addresses
from drivercrm.core.clock import zone
from drivercrm.drivers.enums import OnboardingStatus as S
from drivercrm.drivers.enums import Trigger as T
from drivercrm.drivers.moves import PATH

Row = tuple[Any, ...]
Tables = dict[str, list[Row]]

COLUMNS: dict[str, str] = {
    "drivers": "id timo_driver_id pathpulse_account_id name given_name phone email whatsapp_number"
    " telegram_username area language onboarding_status first_contact_date onboarding_start_date"
    " onboarding_complete_date last_active_date preferred_channel communication_opt_in last_contact_date"
    " next_follow_up_date total_communications response_rate engagement_score scored_on owner_id source is_demo"
    " edited_fields created_at updated_at notes",
    "driver_status_changes": "id driver_id sequence from_status to_status at recorded_at trigger act actor reason"
    " reverses_id",
    "channel_identities": "id driver_id channel kind value source since recorded_at until",
    "onboarding_steps": "id driver_id step done_at recorded_at done_by",
    "follow_ups": "id driver_id due_at is_all_day reason owner_id source created_by created_at done_at done_by"
    " outcome",
    "consent_events": "id driver_id channel purpose kind at recorded_at source wording evidence actor act",
    "consents": "driver_id channel purpose state since",
    "suppressed_addresses": "channel address_hash is_everything since",
    "communications": "id driver_id channel direction message_type subject message_body attachments status"
    " response_received response_time sent_at delivered_at read_at replied_at created_by recorded_at"
    " call_outcome call_seconds",
    "engagement_metrics": "id driver_id date app_usage_hours data_quality_score participation_score base_reward"
    " bonus_reward total_reward payment_status created_at",
    "journal_entries": "name at actor origin driver_id data",
}

STEPS = (
    "app_installed",
    "pathpulse_account_created",
    "timorides_linked",
    "location_permission",
    "camera_permission",
    "app_tested",
    "training_done",
)
# where a driver stands, and how many in a hundred stand there
STANDS = (
    (S.NOT_CONTACTED, 30),
    (S.CONTACTED, 15),
    (S.INVITED, 15),
    (S.ONBOARDING_STARTED, 12),
    (S.ONBOARDING_COMPLETED, 8),
    (S.ACTIVE, 14),
    (S.INACTIVE, 4),
    (S.OPTED_OUT, 2),
)
REACHED_BY = {
    S.CONTACTED: T.MESSAGE_ACCEPTED,
    S.INVITED: T.INVITATION_ACCEPTED,
    S.ONBOARDING_STARTED: T.STEP_DONE,
    S.ONBOARDING_COMPLETED: T.STEPS_COMPLETED,
    S.ACTIVE: T.USAGE,
    S.INACTIVE: T.USAGE_STOPPED,
    S.OPTED_OUT: T.CONSENT_WITHDRAWN,
}
MAIL_HOSTS = ("mail.example.org", "mail.example.org", "post.example.com", "example.net", "taxi.example.co.za")
LANGUAGES = ("en", "en", "zu", "zu", "zu", "xh", "af", "")
AUTOMATION = "automation:messages"
DAYS = 400


@dataclass(frozen=True)
class Plan:
    """How many drivers, looked after by whom, as of when."""

    count: int
    staff: Sequence[str]
    now: datetime
    seed: int = 7


def chunks(plan: Plan, size: int = 20_000) -> Iterator[Tables]:
    """The rows of every table, so many drivers at a time, in the order in which they came in."""
    chance = random.Random(plan.seed)
    for first in range(0, plan.count, size):
        tables: Tables = defaultdict(list)
        for number in range(first, min(first + size, plan.count)):
            _Life(plan, chance, tables, number).write()
        yield tables


def text(moment: datetime | None) -> str | None:
    """A moment as both databases read it, in UTC and whole seconds."""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else None


def _made_up(count: int, ends: Sequence[str]) -> list[str]:
    """So many names put together from syllables, always the same ones."""
    chance = random.Random(19)
    starts = "Ba Bo Ca De Fa Go Ha Ja Ka Kha Le Li Ma Mo Mu Na Ne Ng No Nto Pa Pe Phi Ra Sa Se Si Tha Thu Va Vu Ze Zo"
    middles = "ba be bo da di ka ko la le lu ma mi nga ndi ni no nya ra ri sa she ta the ti vu ya za zi"
    made: dict[str, None] = {}
    while len(made) < count:
        middle = "".join(chance.sample(middles.split(), chance.choice((1, 1, 2))))
        made[chance.choice(starts.split()) + middle + chance.choice(ends)] = None
    return list(made)


# The commonest names, some 5 in 1 000 people each, are those of a quarter of all; the others share many.
RARE_GIVEN = _made_up(1_500, ("na", "le", "so", "ni", "sh", "ka", "n", ""))
RARE_FAMILY = _made_up(4_000, ("na", "le", "so", "ni", "berg", "si", "man", "ne", "la", "tho"))
COMMON = 0.25


def name_of(chance: random.Random) -> tuple[str, str, str]:
    """Given name, family name, and the whole: a third have two given names."""
    given, family = _given(chance), chance.choice(FAMILY if chance.random() < COMMON else RARE_FAMILY)
    if chance.random() < 0.33:
        return given, family, f"{given} {_given(chance)} {family}"
    return given, family, f"{given} {family}"


def _given(chance: random.Random) -> str:
    return chance.choice(GIVEN if chance.random() < COMMON else RARE_GIVEN)


def phone_of(number: int) -> str:
    """A mobile number that no other driver of the run has."""
    return f"+27{620_000_000 + number * 7_654_321 % 200_000_000}"


class _Life:
    """One driver, from the first row to the last."""

    def __init__(self, plan: Plan, chance: random.Random, tables: Tables, number: int) -> None:
        self.plan, self.chance, self.tables, self.number = plan, chance, tables, number
        self.created = plan.now - timedelta(days=DAYS) * (1 - number / plan.count)
        self.created = self.created.replace(microsecond=0)
        self.id = self._key(self.created)
        self.given, family, self.name = name_of(chance)
        self.phone = phone_of(number)
        self.mail = (
            f"{self.given.lower()}.{family.lower()}{number}@{chance.choice(MAIL_HOSTS)}"
            if chance.random() < 0.6
            else None
        )
        self.whatsapp = self.phone if chance.random() < 0.35 else None
        self.status = chance.choices([s for s, _ in STANDS], [share for _, share in STANDS])[0]
        self.source = "import" if chance.random() < 0.9 else "person"

    def _key(self, moment: datetime) -> str:
        """A version 7 UUID of that moment, as 32 hexadecimal digits."""
        bits = self.chance.getrandbits(74)
        return f"{int(moment.timestamp() * 1000):012x}7{bits >> 62:03x}{1 << 63 | bits & (1 << 62) - 1:016x}"

    def _later(self, since: datetime, most_days: float = DAYS) -> datetime:
        """A moment between then and now, in whole seconds."""
        room = min((self.plan.now - since).total_seconds(), most_days * 86_400)
        return since + timedelta(seconds=int(room * self.chance.random()))

    def write(self) -> None:
        reached = self._path()
        self._identities()
        done = self._steps(reached)
        opted_in = self._consents(reached)
        due = self._follow_ups()
        total, last_contact, rate, prompts = self._messages(reached)
        last_active = self._usage(reached)
        score = round(100 * rate, 2) if rate is not None and prompts >= 3 else None
        number, chance = self.number, self.chance
        owner = chance.choice(self.plan.staff) if chance.random() < 0.6 else None
        updated = max([self.created, *reached.values(), *done])
        self.tables["drivers"].append(
            (
                self.id,
                f"TD-{number:07d}" if chance.random() < 0.8 else None,
                f"pp-{number * 48_271 % 2_147_483_647:08x}" if S.ONBOARDING_STARTED in reached else None,
                self.name,
                self.given,
                self.phone,
                self.mail,
                self.whatsapp,
                f"{self.given.lower()}_{number}" if chance.random() < 0.1 else None,
                chance.choice(AREAS) if chance.random() < 0.85 else "",
                chance.choice(LANGUAGES),
                str(self.status),
                text(reached.get(S.CONTACTED)),
                text(reached.get(S.ONBOARDING_STARTED)),
                text(reached.get(S.ONBOARDING_COMPLETED)),
                text(last_active),
                "whatsapp",
                int(opted_in),
                text(last_contact),
                text(due),
                total,
                rate,
                score,
                f"{self.plan.now:%Y-%m-%d}" if score is not None else None,
                owner,
                self.source,
                0,
                "[]",
                text(self.created),
                text(updated),
                "Prefers calls in the morning." if chance.random() < 0.05 else "",
            )
        )
        data = json.dumps({"driver_ids": [_dashed(self.id)], "source": self.source})
        self.tables["journal_entries"].append(
            ("driver.created", text(self.created), "automation:import", "job", self.id, data)
        )

    def _path(self) -> dict[S, datetime]:
        """The history of the status; returns when each stage was reached."""
        path: list[S]
        if self.status == S.OPTED_OUT:
            path = [*PATH[1 : self.chance.randint(2, 4)], S.OPTED_OUT]
        elif self.status == S.INACTIVE:
            path = [*PATH[1:], S.INACTIVE]
        else:
            path = list(PATH[1 : PATH.index(self.status) + 1])
        moments = sorted(self._later(self.created, 60) for _ in path)
        came: S = S.NOT_CONTACTED
        for place, (stage, at) in enumerate(zip(path, moments, strict=True), 1):
            self.tables["driver_status_changes"].append(
                (
                    self._key(at),
                    self.id,
                    place,
                    str(came),
                    str(stage),
                    text(at),
                    text(at),
                    str(REACHED_BY[stage]),
                    self._key(at),
                    AUTOMATION,
                    "",
                    None,
                )
            )
            came = stage
        return dict(zip(path, moments, strict=True))

    def _identities(self) -> None:
        values = (
            ("phone", "phone", self.phone),
            ("whatsapp", "whatsapp_id", self.whatsapp),
            ("email", "email", self.mail),
        )
        for channel, kind, value in values:
            if value:
                since = text(self.created)
                key = self._key(self.created)
                self.tables["channel_identities"].append(
                    (key, self.id, channel, kind, value, self.source, since, since, None)
                )

    def _steps(self, reached: dict[S, datetime]) -> list[datetime]:
        started = reached.get(S.ONBOARDING_STARTED)
        if started is None:
            return []
        completed = reached.get(S.ONBOARDING_COMPLETED)
        steps = STEPS if completed else STEPS[: self.chance.randint(1, 6)]
        moments = [started, *(completed or self._later(started, 20) for _ in steps[1:])]
        for step, at in zip(steps, moments, strict=True):
            self.tables["onboarding_steps"].append(
                (self._key(at), self.id, step, text(at), text(at), AUTOMATION)
            )
        return moments

    def _consents(self, reached: dict[S, datetime]) -> bool:
        """What was granted or withdrawn; returns whether any channel is granted for service."""
        if self.status == S.OPTED_OUT:
            at, kind, source = reached[S.OPTED_OUT], "withdrawn", "stop_word"
            pairs = [(channel, purpose) for channel in ConsentChannel.values for purpose in Purpose.values]
            for address in addresses(
                phone=self.phone,
                whatsapp_number=self.whatsapp,
                email=self.mail,
                telegram_username=None,
            ):
                self.tables["suppressed_addresses"].append(
                    (address[0], address_hash(address), True, text(at))
                )
        elif self.chance.random() < 0.45:
            at, kind, source = self._later(self.created, 5), "granted", "agreement"
            pairs = [("whatsapp", "service")]
            if self.chance.random() < 0.5:
                pairs.append(("whatsapp", "marketing"))
            if self.mail and self.chance.random() < 0.4:
                pairs.append(("email", "service"))
        else:
            return False
        act = self._key(at)
        for channel, purpose in pairs:
            evidence = "Driver agreement, 2025-11" if kind == "granted" else ""
            self.tables["consent_events"].append(
                (
                    self._key(at),
                    self.id,
                    channel,
                    purpose,
                    kind,
                    text(at),
                    text(at),
                    source,
                    "",
                    evidence,
                    AUTOMATION,
                    act,
                )
            )
            self.tables["consents"].append((self.id, channel, purpose, kind, text(at)))
        return kind == "granted"

    def _follow_ups(self) -> datetime | None:
        """Open and done ones; returns when the earliest open one is due."""
        due: datetime | None = None
        if self.status == S.OPTED_OUT or self.chance.random() > 0.18:
            return None
        for _ in range(self.chance.choice((1, 1, 1, 2))):
            is_done = self.chance.random() < 0.4
            days = self.chance.randint(-60, -2) if is_done else self.chance.randint(-4, 40)
            # a whole day stands as its first instant in the organisation's time zone
            local = (self.plan.now + timedelta(days=days)).astimezone(zone())
            at = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
            if not is_done:
                due = min(due, at) if due else at
            owner = self.chance.choice(self.plan.staff)
            self.tables["follow_ups"].append(
                (
                    self._key(self.created),
                    self.id,
                    text(at),
                    1,
                    "Call again after the shift",
                    owner,
                    "person",
                    f"user:{_dashed(owner)}",
                    text(self.created),
                    text(at + timedelta(hours=14)) if is_done else None,
                    f"user:{_dashed(owner)}" if is_done else "",
                    "done" if is_done else "",
                )
            )
        return due

    def _messages(self, reached: dict[S, datetime]) -> tuple[int, datetime | None, float | None, int]:
        """What was said; returns how many rows, the last contact, the response rate and how many prompts."""
        first = reached.get(S.CONTACTED)
        if first is None:
            return 0, None, None, 0
        chance = self.chance
        prompts = chance.choices((1, 2, 3, 4), (62, 25, 9, 4))[0]
        moments = sorted([first, *(self._later(first, 90) for _ in range(prompts - 1))])
        said: list[Said] = []
        last: datetime | None = None
        for place, at in enumerate(moments):
            status = "delivered" if place == 0 else chance.choice(("delivered", "read", "replied", "failed"))
            if place == 0 and S.INVITED in reached:
                status = "replied"
            replied = min(at + timedelta(minutes=chance.randint(1, 600)), self.plan.now)
            is_replied, is_failed = status == "replied", status == "failed"
            self._message(at, "outbound", "onboarding" if place else "welcome", status, replied)
            said.append(Said(at, True, counts=not is_failed, is_answered=is_replied))
            if not is_failed:
                last = max(last or at, at)
            if is_replied and chance.random() < 0.3:
                self._message(replied, "inbound", "onboarding", "delivered", replied)
                said.append(Said(replied, False))
                last = max(last or replied, replied)
        return len(said), last, response_rate(said), prompts

    def _message(self, at: datetime, direction: str, kind: str, status: str, replied: datetime) -> None:
        is_replied = status == "replied"
        is_delivered = status != "failed"
        body = (
            "Hello! Your account is ready. Open the app, sign in and drive as you always do."
            if direction == "outbound"
            else "Thanks, I will do it tonight"
        )
        self.tables["communications"].append(
            (
                self._key(at),
                self.id,
                "whatsapp",
                direction,
                kind,
                "",
                body,
                "[]",
                status,
                int(is_replied),
                int((replied - at).total_seconds()) if is_replied else None,
                text(at),
                text(at) if is_delivered else None,
                text(at) if status in {"read", "replied"} else None,
                text(replied) if is_replied else None,
                AUTOMATION,
                text(at),
                "",
                None,
            )
        )

    def _usage(self, reached: dict[S, datetime]) -> datetime | None:
        """One day with usage for who drove; returns its first instant, which `last_active_date` keeps."""
        active = reached.get(S.ACTIVE)
        if active is None:
            return None
        day = active.astimezone(zone()).replace(hour=0, minute=0, second=0, microsecond=0)
        hours = round(1 + 7 * self.chance.random(), 2)
        self.tables["engagement_metrics"].append(
            (
                self._key(active),
                self.id,
                f"{day:%Y-%m-%d}",
                hours,
                88.5,
                74.0,
                "80.00",
                "15.50",
                "95.50",
                "pending",
                text(active),
            )
        )
        return day.astimezone(UTC)


def _dashed(key: str) -> str:
    return f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
