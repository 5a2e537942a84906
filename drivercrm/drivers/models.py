"""The driver, the history of its status, its addresses, steps and follow-ups (seed; spec §2)."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import connection, models
from django.db.models import Case, Q, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Concat, Lower

from drivercrm.core import clock
from drivercrm.core.ids import uuid7
from drivercrm.core.phone import is_mobile
from drivercrm.drivers.enums import (
    FollowUpSource,
    IdentityKind,
    OnboardingStatus,
    Outcome,
    PreferredChannel,
    Trigger,
)

SEARCHED = (
    "name",
    "phone",
    "whatsapp_number",
    "email",
    "telegram_username",
    "timo_driver_id",
    "pathpulse_account_id",
)


def _searched_text() -> Concat:
    parts: list[Any] = []
    for field in SEARCHED:
        parts += [Coalesce(field, Value("")), Value(" ")]
    return Concat(*parts, output_field=models.TextField())


class DriverQuerySet(models.QuerySet["Driver"]):
    def search(self, text: str) -> "DriverQuerySet":
        """Drivers whose name, numbers, mail or ids contain every word; under three letters, whose name starts so.

        Numbers may be typed as people write them: `082 123` finds +2782123…. A whole number, mail or id finds whoever
        has it, and nobody else.
        """
        return self.search_counted(text)[0]

    def search_counted(self, text: str) -> tuple["DriverQuerySet", list[str] | None]:
        """The search, and the ids that the trigram index has for it: None when not asked, or more than FEW.

        Few are named by their ids, found in one look at the index, and sorted. Many are met soon when the list is
        walked in its own order.
        """
        words = _search_words(text)
        if not words:
            return self, None
        if not _asks_index(words):
            return self._name_starting(words[0]), None
        is_whole = len(words) == 1 and len(words[0]) >= WHOLE
        keys: list[str] | None = (_holders(words[0]) if is_whole else []) or _hits(words)
        if keys is not None:
            return self.with_keys(keys), keys
        found = Q()
        for word in words:
            found &= Q(*(Q(search_text__contains=form) for form in _forms(word)), _connector=Q.OR)
        return self.filter(hidden(found)), None

    def with_keys(self, keys: Sequence[str]) -> "DriverQuerySet":
        """The drivers with these ids, given as the database writes them; one parameter however many there are."""
        if connection.vendor == "sqlite":
            return self.filter(pk__in=RawSQL("SELECT value FROM json_each(%s)", [json.dumps(keys)]))
        return self.filter(pk__in=RawSQL("SELECT unnest(%s::uuid[])", [list(keys)]))

    def _name_starting(self, word: str) -> "DriverQuerySet":
        if connection.vendor == "sqlite":
            return self.filter(name_key__gte=word, name_key__lt=word + "\U0010ffff")
        return self.filter(name_key__startswith=word)


WHOLE = 8  # so many characters may be somebody's whole number, mail or id; fewer are a part of it
FEW = 4000  # so many ids are fetched and sorted faster than an order is walked to find them (ADR 6)


def hidden(condition: Q) -> Case:
    """The condition as an expression that no index answers and no planner guesses about: half of all, it thinks.

    With a limit, both databases then walk the index of the order instead of fetching and sorting every match.
    """
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=models.BooleanField())


def asks_index(text: str) -> bool:
    """Whether a search goes to the trigram index: one or two letters look at the beginning of names only."""
    return _asks_index(_search_words(text))


def _asks_index(words: list[str]) -> bool:
    return len(words) > 1 or (len(words) == 1 and len(words[0]) > 2)


def _holders(word: str) -> list[str]:
    """The ids of the drivers whose number, mail or id this is, as the database writes them: one look at each index."""
    places: list[tuple[str, Sequence[str]]] = []
    if "@" in word:
        places = [("LOWER(email)", [word])]
    elif word.removeprefix("+").isdigit():
        numbers = [form if form.startswith("+") else f"+{form}" for form in _forms(word)]
        places = [("phone", numbers), ("whatsapp_number", numbers)]
    else:
        places = [("LOWER(telegram_username)", [word])]
    if "@" not in word:
        ids = sorted({word, word.upper()})
        places += [("timo_driver_id", ids), ("pathpulse_account_id", ids)]
    key = "id" if connection.vendor == "sqlite" else "id::text"
    # IS NOT NULL: SQLite uses a partial index only where the query says the same
    looks = [
        f"SELECT {key} FROM drivers WHERE {place} IN ({', '.join(['%s'] * len(values))})"  # noqa: S608
        f" AND {place.removeprefix('LOWER(').removesuffix(')')} IS NOT NULL"
        for place, values in places
    ]
    return _first_column(" UNION ".join(looks), [value for _, values in places for value in values])


def _hits(words: list[str]) -> list[str] | None:
    """The ids that the trigram index has for all words, as the database writes them; None for more than FEW."""
    if connection.vendor == "sqlite":
        phrases = " AND ".join(f"({' OR '.join(map(_phrase, _forms(word)))})" for word in words)
        sql = "SELECT rowid FROM driver_search_fts WHERE driver_search_fts MATCH %s LIMIT %s"
        rows = _first_column(sql, [phrases, FEW + 1])
        if len(rows) > FEW:
            return None
        named = "SELECT driver_id FROM driver_search WHERE id IN (SELECT value FROM json_each(%s))"
        return _first_column(named, [json.dumps(rows)])
    # Materialized: planned by itself, so that no LIMIT around it tempts the planner into reading the whole table.
    forms = [_forms(word) for word in words]
    likes = " AND ".join(f"({' OR '.join(['search_text LIKE %s'] * len(some))})" for some in forms)
    sql = (
        f"WITH hits AS MATERIALIZED (SELECT id FROM drivers WHERE {likes}) SELECT id::text FROM hits LIMIT %s"  # noqa: S608
    )
    keys = _first_column(sql, [*(_pattern(form) for some in forms for form in some), FEW + 1])
    return keys if len(keys) <= FEW else None


def _phrase(form: str) -> str:
    return '"' + form.replace('"', '""') + '"'


def _pattern(form: str) -> str:
    return "%" + re.sub(r"([\\%_])", r"\\\1", form) + "%"


def _first_column(sql: str, values: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [row[0] for row in cursor.fetchall()]


def _search_words(text: str) -> list[str]:
    """The words of a search, eight at most; a number typed in groups is one.

    A word too short for the index joins its neighbour: `sipho d`, `de villiers`.
    """
    text = text.replace("\0", " ")[:200]
    compact = "".join(text.split())
    if compact.lstrip("+").isdigit():
        return [compact]
    words: list[str] = []
    for word in text.lower().split()[:8]:
        if words and (len(word) < 3 or len(words[-1]) < 3):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


def _forms(word: str) -> list[str]:
    """A word as typed, and a number also as E.164 keeps a local one: 082… is stored as +2782…."""
    digits = word.removeprefix("+")
    if digits.isdigit() and digits.startswith("00") and len(digits) > 4:
        return [word, digits[2:]]
    if word.isdigit() and word.startswith("0") and len(word) > 2:
        return [word, "27" + word[1:]]
    return [word]


class Driver(models.Model):
    """One person who drives (seed `drivers`). Columns marked *derived* are kept by workflow, never by hand."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    timo_driver_id = models.CharField(max_length=64, null=True, blank=True, unique=True)
    pathpulse_account_id = models.CharField(max_length=64, null=True, blank=True, unique=True)

    name = models.CharField(max_length=200)
    given_name = models.CharField(max_length=100, blank=True, default="")
    phone = models.CharField(max_length=20, null=True, blank=True)
    email = models.CharField(max_length=254, null=True, blank=True)
    whatsapp_number = models.CharField(max_length=150, null=True, blank=True)
    telegram_username = models.CharField(max_length=64, null=True, blank=True)
    area = models.CharField(max_length=120, blank=True, default="")
    language = models.CharField(max_length=20, blank=True, default="")

    onboarding_status = models.CharField(
        max_length=20, choices=OnboardingStatus.choices, default=OnboardingStatus.NOT_CONTACTED
    )

    first_contact_date = models.DateTimeField(null=True)
    onboarding_start_date = models.DateTimeField(null=True)
    onboarding_complete_date = models.DateTimeField(null=True)
    last_active_date = models.DateTimeField(null=True)

    preferred_channel = models.CharField(
        max_length=8, choices=PreferredChannel.choices, default=PreferredChannel.WHATSAPP
    )
    communication_opt_in = models.BooleanField(default=False)
    last_contact_date = models.DateTimeField(null=True)
    next_follow_up_date = models.DateTimeField(null=True)

    total_communications = models.PositiveIntegerField(default=0)
    response_rate = models.FloatField(null=True)
    engagement_score = models.FloatField(null=True)
    scored_on = models.DateField(null=True)

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="drivers",
        db_index=False,
    )
    source = models.CharField(max_length=40, default="person")
    is_demo = models.BooleanField(default=False)
    edited_fields = models.JSONField(default=list, help_text="Fields a person has set; imports leave them.")
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)
    notes = models.TextField(blank=True, default="")

    name_key = models.GeneratedField(
        expression=Lower("name"), output_field=models.CharField(max_length=200), db_persist=True
    )
    search_text = models.GeneratedField(
        expression=Lower(_searched_text()), output_field=models.TextField(), db_persist=True
    )

    objects: ClassVar[Any] = DriverQuerySet.as_manager()

    class Meta:
        db_table = "drivers"
        indexes = [
            models.Index(fields=["onboarding_status", "id"], name="driver_status"),
            models.Index(
                fields=["onboarding_status", "last_contact_date", "id"], name="driver_status_contact"
            ),
            # the board: who of a column is due first
            models.Index(
                fields=["onboarding_status", "next_follow_up_date", "id"], name="driver_status_follow_up"
            ),
            models.Index(fields=["last_contact_date", "id"], name="driver_last_contact"),
            models.Index(fields=["next_follow_up_date", "id"], name="driver_next_follow_up"),
            models.Index(fields=["engagement_score", "id"], name="driver_score"),
            models.Index(fields=["name_key", "id"], name="driver_name"),
            models.Index(fields=["owner", "id"], name="driver_owner"),
            models.Index(fields=["phone"], name="driver_phone"),
            models.Index(fields=["email"], name="driver_email"),
            models.Index(Lower("email"), name="driver_mail", condition=Q(email__isnull=False)),
            models.Index(
                fields=["whatsapp_number"],
                name="driver_whatsapp",
                condition=Q(whatsapp_number__isnull=False),
            ),
            models.Index(
                Lower("telegram_username"),
                name="driver_telegram",
                condition=Q(telegram_username__isnull=False),
            ),
            models.Index(fields=["last_active_date"], name="driver_last_active"),
            models.Index(fields=["updated_at", "id"], name="driver_updated"),
            models.Index(fields=["response_rate", "id"], name="driver_replies"),
            models.Index(fields=["area", "id"], name="driver_area"),
            models.Index(fields=["created_at"], name="driver_created"),
            # The stage dates are empty for most of a fresh list, which an import need not pay for.
            models.Index(
                fields=["first_contact_date"],
                name="driver_first_contact",
                condition=Q(first_contact_date__isnull=False),
            ),
            models.Index(
                fields=["onboarding_start_date"],
                name="driver_started",
                condition=Q(onboarding_start_date__isnull=False),
            ),
            models.Index(
                fields=["onboarding_complete_date"],
                name="driver_completed",
                condition=Q(onboarding_complete_date__isnull=False),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="driver_onboarding_status", condition=Q(onboarding_status__in=OnboardingStatus.values)
            ),
            models.CheckConstraint(
                name="driver_preferred_channel", condition=Q(preferred_channel__in=PreferredChannel.values)
            ),
            models.CheckConstraint(
                name="driver_response_rate",
                condition=Q(response_rate__isnull=True) | Q(response_rate__gte=0, response_rate__lte=1),
            ),
            models.CheckConstraint(
                name="driver_engagement_score",
                condition=Q(engagement_score__isnull=True)
                | Q(engagement_score__gte=0, engagement_score__lte=100),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def greeting(self) -> str:
        """What to call this person in a message or a sentence."""
        return self.given_name or self.name

    @property
    def whatsapp_address(self) -> str:
        """Where WhatsApp reaches this driver: the WhatsApp number, else a mobile phone; empty if neither (spec §2)."""
        if self.whatsapp_number:
            return self.whatsapp_number
        return self.phone if self.phone and is_mobile(self.phone) else ""

    @property
    def wa_me(self) -> str:
        """The digits of a wa.me link, where the WhatsApp address is a number."""
        digits = self.whatsapp_address.removeprefix("+")
        return digits if digits.isascii() and digits.isdigit() else ""


class StatusChange(models.Model):
    """One step of a driver's path, append-only; `onboarding_status` and the stage dates are its projection.

    `act` is shared by all that one person's act or one event wrote, so that it is undone together.
    `sequence` orders one driver's history and lets two writers collide instead of writing twice.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    driver = models.ForeignKey(
        Driver, on_delete=models.CASCADE, related_name="status_changes", db_index=False
    )
    sequence = models.PositiveIntegerField()
    from_status = models.CharField(max_length=20, choices=OnboardingStatus.choices)
    to_status = models.CharField(max_length=20, choices=OnboardingStatus.choices)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=clock.now)
    trigger = models.CharField(max_length=24, choices=Trigger.choices)
    act = models.UUIDField()
    actor = models.CharField(max_length=80)
    reason = models.CharField(max_length=500, blank=True, default="")
    reverses = models.OneToOneField("self", null=True, on_delete=models.CASCADE, related_name="reversed_by")

    class Meta:
        db_table = "driver_status_changes"
        constraints = [
            models.UniqueConstraint(fields=["driver", "sequence"], name="status_change_order"),
            models.CheckConstraint(
                name="status_change_from", condition=Q(from_status__in=OnboardingStatus.values)
            ),
            models.CheckConstraint(
                name="status_change_to", condition=Q(to_status__in=OnboardingStatus.values)
            ),
            models.CheckConstraint(name="status_change_trigger", condition=Q(trigger__in=Trigger.values)),
        ]
        indexes = [
            models.Index(fields=["act"], name="status_change_act"),
            models.Index(fields=["to_status", "at"], name="status_change_reached"),
            models.Index(
                fields=["driver"], name="status_change_unreached", condition=Q(trigger=Trigger.UNREACHED)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_status} → {self.to_status}"


class ChannelIdentity(models.Model):
    """One address of a driver on a channel. A value that another driver holds is never taken over (spec §2)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    driver = models.ForeignKey(Driver, on_delete=models.CASCADE, related_name="identities")
    channel = models.CharField(max_length=8)
    kind = models.CharField(max_length=20, choices=IdentityKind.choices)
    value = models.CharField(max_length=254)
    source = models.CharField(max_length=40)
    since = models.DateTimeField(default=clock.now)
    recorded_at = models.DateTimeField(default=clock.now)
    until = models.DateTimeField(null=True)

    class Meta:
        db_table = "channel_identities"
        indexes = [
            # a list may know a driver only by an address that was theirs
            models.Index(fields=["kind", "value"], name="identity_left", condition=Q(until__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "value"], name="identity_held_by_one", condition=Q(until__isnull=True)
            ),
            models.CheckConstraint(name="identity_kind", condition=Q(kind__in=IdentityKind.values)),
            models.CheckConstraint(
                name="identity_channel", condition=Q(channel__in=["whatsapp", "telegram", "email", "phone"])
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()


class OnboardingStep(models.Model):
    """One step of the checklist that a driver has done."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    driver = models.ForeignKey(Driver, on_delete=models.CASCADE, related_name="steps", db_index=False)
    step = models.CharField(max_length=40)
    done_at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=clock.now)
    done_by = models.CharField(max_length=80)

    class Meta:
        db_table = "onboarding_steps"
        constraints = [models.UniqueConstraint(fields=["driver", "step"], name="step_once_per_driver")]

    def __str__(self) -> str:
        return self.step


class FollowUp(models.Model):
    """Something to do for a driver by a moment; feeds Today and `next_follow_up_date`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    driver = models.ForeignKey(Driver, on_delete=models.CASCADE, related_name="follow_ups")
    due_at = models.DateTimeField(help_text="For a whole day: its first instant.")
    is_all_day = models.BooleanField(default=True)
    reason = models.CharField(max_length=200, blank=True, default="")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="follow_ups"
    )
    source = models.CharField(max_length=8, choices=FollowUpSource.choices, default=FollowUpSource.PERSON)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)
    done_at = models.DateTimeField(null=True)
    done_by = models.CharField(max_length=80, blank=True, default="")
    outcome = models.CharField(max_length=8, choices=Outcome.choices, blank=True, default="")

    class Meta:
        db_table = "follow_ups"
        indexes = [
            models.Index(fields=["due_at", "id"], name="follow_up_open", condition=Q(done_at__isnull=True)),
            models.Index(
                fields=["driver", "due_at"], name="follow_up_open_of", condition=Q(done_at__isnull=True)
            ),
        ]
        constraints = [
            models.CheckConstraint(name="follow_up_source", condition=Q(source__in=FollowUpSource.values)),
            models.CheckConstraint(name="follow_up_outcome", condition=Q(outcome__in=["", *Outcome.values])),
            models.CheckConstraint(
                name="follow_up_end_is_whole",
                condition=Q(done_at__isnull=True, outcome="") | (Q(done_at__isnull=False) & ~Q(outcome="")),
            ),
        ]

    def __str__(self) -> str:
        return self.reason or "Follow-up"

    @property
    def is_overdue(self) -> bool:
        """Past its moment, or, for a whole day, past that day."""
        if self.is_all_day:
            return clock.local_day(self.due_at) < clock.today()
        return self.due_at < clock.now()


class SavedView(models.Model):
    """A named list of drivers: its filters, sort and columns as the page's own query string."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, blank=True, default="")
    is_shared = models.BooleanField(default=False)
    is_pinned = models.BooleanField(default=False)
    position = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "saved_views"
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="view_name_once_per_person")]

    def __str__(self) -> str:
        return self.name


def by_id(ids: Iterable[UUID]) -> dict[UUID, Driver]:
    """Drivers by their id, in one query."""
    return {driver.pk: driver for driver in Driver.objects.filter(pk__in=list(ids))}


def unreached_changes() -> models.QuerySet[StatusChange]:
    """Every move back because all messages had failed (spec §3), read from the partial index of just those.

    SQLite recognises the index by the literal word alone: a parameter would make it read every change there is.
    """
    is_unreached = f""""trigger" = '{Trigger.UNREACHED}'"""
    literal = RawSQL(is_unreached, (), output_field=models.BooleanField())  # noqa: S611 - our own word
    return StatusChange.objects.filter(literal)
