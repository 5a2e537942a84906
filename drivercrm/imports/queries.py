"""Reads: which drivers a list may be about, and where imports stand."""

from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, QuerySet
from django.db.models.functions import Lower

from drivercrm.accounts.models import User
from drivercrm.consent import queries as consents
from drivercrm.consent.models import SuppressedAddress
from drivercrm.core import clock
from drivercrm.core.addresses import mail_key
from drivercrm.core.bulk import find_rows, listed
from drivercrm.core.names import names_agree
from drivercrm.drivers.enums import IdentityKind
from drivercrm.drivers.models import ChannelIdentity, Driver
from drivercrm.imports.enums import Heap, ImportState, RowVerdict
from drivercrm.imports.events import ImportUndone
from drivercrm.imports.headings import Target
from drivercrm.imports.models import Import, ImportRow
from drivercrm.imports.repair import Candidate
from drivercrm.imports.verdicts import ABOUT_TWO, Existing, Keys, Known
from drivercrm.journal.models import Entry

HOLDER = ("value", "driver_id")
SEEN = (
    "name",
    "given_name",
    "phone",
    "whatsapp_number",
    "email",
    "telegram_username",
    "area",
    "language",
    "timo_driver_id",
    "pathpulse_account_id",
    "onboarding_status",
    "notes",
)


@dataclass
class Neighbours:
    """The existing drivers that some rows may be about; an address that people share has several."""

    drivers: dict[UUID, Known] = field(default_factory=dict)
    timo_ids: dict[str, UUID] = field(default_factory=dict)
    pathpulse_ids: dict[str, UUID] = field(default_factory=dict)
    telegrams: dict[str, UUID] = field(default_factory=dict)
    numbers: dict[str, list[UUID]] = field(default_factory=dict)
    mails: dict[str, list[UUID]] = field(default_factory=dict)
    # who had an address that nobody has now, the last one first
    left_numbers: dict[str, list[UUID]] = field(default_factory=dict)
    left_mails: dict[str, list[UUID]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        places = (self.numbers, self.mails, self.left_numbers, self.left_mails)
        self._shared = {address for place in places for address, ids in place.items() if len(ids) > 1}
        self._plain = self._existing(None)

    def around(self, candidate: Candidate) -> Existing:
        """The drivers that this row may be about: of several who share an address, the one of its name."""
        if not self._shared:
            return self._plain
        keys = {*candidate.numbers, mail_key(candidate.email or "")}
        return self._existing(candidate) if keys & self._shared else self._plain

    def _existing(self, candidate: Candidate | None) -> Existing:
        def one(ids: Sequence[UUID]) -> Known:
            namesakes = (pk for pk in ids if candidate and names_agree(candidate.name, self.drivers[pk].name))
            return self.drivers[next(namesakes, ids[0])]

        return Existing(
            {key: self.drivers[pk] for key, pk in self.timo_ids.items()},
            {key: one(ids) for key, ids in self.numbers.items()},
            {key: one(ids) for key, ids in self.mails.items()},
            {key: self.drivers[pk] for key, pk in self.pathpulse_ids.items()},
            {key: self.drivers[pk] for key, pk in self.telegrams.items()},
            {key: one(ids) for key, ids in self.left_numbers.items()},
            {key: one(ids) for key, ids in self.left_mails.items()},
        )


def neighbours(keys: Keys, also: Collection[UUID] = (), *, for_update: bool = False) -> Neighbours:
    """Every driver that holds one of these ids, numbers or mails, and the ones named; eleven short queries at most.

    `for_update`, inside a transaction: what is read of them is still so when the transaction writes.
    """
    numbers: dict[str, list[UUID]] = {}
    mails: dict[str, list[UUID]] = {}
    held = ChannelIdentity.objects.filter(until__isnull=True)
    for kind, wanted in (
        (IdentityKind.PHONE, keys.numbers),
        (IdentityKind.WHATSAPP_ID, _spellings(keys.numbers)),
    ):
        for value, pk in find_rows(held.filter(kind=kind), "value", wanted, HOLDER) if wanted else ():
            _add(numbers, value if value.startswith("+") else f"+{value}", pk)
    if keys.mails:
        for value, pk in find_rows(held.filter(kind=IdentityKind.EMAIL), "value", keys.mails, HOLDER):
            _add(mails, value, pk)
    # an address that a person let two drivers have stands on both records, and is the identity of one
    for column, wanted, place in (("phone", keys.numbers, numbers), ("email", keys.mails, mails)):
        if wanted:
            for value, pk in find_rows(Driver.objects.all(), column, wanted, (column, "pk")):
                _add(place, value, pk)
    left_numbers, left_mails = _left(keys, {*numbers, *mails})
    places = (numbers, mails, left_numbers, left_mails)
    ids = {*also, *(pk for place in places for each in place.values() for pk in each)}
    ids |= _with_ids(keys)
    if not ids:
        return Neighbours()
    drivers: dict[UUID, Known] = {}
    timo_ids: dict[str, UUID] = {}
    pathpulse_ids: dict[str, UUID] = {}
    telegrams: dict[str, UUID] = {}
    around = Driver.objects.filter(pk__in=listed(ids)).order_by("pk")
    if for_update:
        around = around.select_for_update(of=("self",))
    for row in around.values("id", "edited_fields", "first_contact_date", *SEEN):
        pk = row["id"]
        drivers[pk] = _known(row)
        timo_ids[row["timo_driver_id"] or ""] = pk
        pathpulse_ids[row["pathpulse_account_id"] or ""] = pk
        telegrams[(row["telegram_username"] or "").casefold()] = pk
    for by_key in (timo_ids, pathpulse_ids, telegrams):
        by_key.pop("", None)
    if len(drivers) < len(ids):
        _forget_missing(places, drivers)
    return Neighbours(drivers, timo_ids, pathpulse_ids, telegrams, numbers, mails, left_numbers, left_mails)


def _forget_missing(places: Iterable[dict[str, list[UUID]]], drivers: Container[UUID]) -> None:
    """Somebody was deleted between two of the queries."""
    for place in places:
        for value, holding in list(place.items()):
            place[value] = [pk for pk in holding if pk in drivers]
            if not place[value]:
                del place[value]


def _with_ids(keys: Keys) -> set[UUID]:
    """The drivers who have one of these ids or Telegram names."""
    named = Driver.objects.alias(telegram=Lower("telegram_username"))
    # “not null” is what the partial index of Telegram names asks for
    by_telegram = named.filter(telegram_username__isnull=False)
    found: set[UUID] = set()
    for drivers, column, wanted in (
        (named, "timo_driver_id", keys.timo_ids),
        (named, "pathpulse_account_id", keys.pathpulse_ids),
        (by_telegram, "telegram", keys.telegrams),
    ):
        if wanted:
            found.update(pk for (pk,) in find_rows(drivers, column, wanted, ("pk",)))
    return found


def _left(keys: Keys, held: Collection[str]) -> tuple[dict[str, list[UUID]], dict[str, list[UUID]]]:
    """Of these numbers and mails, who had those that nobody holds now; whoever left one last stands first."""
    numbers: dict[str, list[UUID]] = {}
    mails: dict[str, list[UUID]] = {}
    wanted = [*_spellings(keys.numbers.difference(held)), *keys.mails.difference(held)]
    ended = ChannelIdentity.objects.filter(
        until__isnull=False,
        kind__in=[IdentityKind.PHONE, IdentityKind.WHATSAPP_ID, IdentityKind.EMAIL],
        value__in=listed(wanted),
    )
    for kind, value, pk in (
        ended.order_by("-until").values_list("kind", "value", "driver_id") if wanted else ()
    ):
        if kind == IdentityKind.EMAIL:
            _add(mails, value, pk)
        else:
            _add(numbers, value if value.startswith("+") else f"+{value}", pk)
    return numbers, mails


def _add(place: dict[str, list[UUID]], key: str, pk: UUID) -> None:
    ids = place.setdefault(key, [])
    if pk not in ids:
        ids.append(pk)


def _spellings(numbers: Iterable[str]) -> list[str]:
    """A WhatsApp id is often the number without its plus."""
    return [text for number in numbers for text in (number, number.removeprefix("+"))]


def _known(row: dict[str, Any]) -> Known:
    values = {name: row[name] for name in SEEN}
    if row["first_contact_date"]:
        values[Target.FIRST_CONTACT] = clock.local_day(row["first_contact_date"]).isoformat()
    return Known(row["id"], values, frozenset(row["edited_fields"]))


def known_driver(pk: UUID) -> Known | None:
    """One driver as lists see it."""
    row = Driver.objects.filter(pk=pk).values("id", "edited_fields", "first_contact_date", *SEEN).first()
    return _known(row) if row else None


def bound_addresses(candidates: Iterable[Candidate]) -> set[tuple[str, str]]:
    """The (channel, value) addresses of these rows whose holder has said no (spec §4)."""
    return bound_among(address for candidate in candidates for address in addresses_of(candidate.values))


def bound_among(addresses: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these (channel, value) addresses are suppressed."""
    if not SuppressedAddress.objects.exists():
        return set()
    return set(consents.suppressed(addresses))


def addresses_of(values: dict[str, str]) -> list[tuple[str, str]]:
    """The addresses of a row as the suppression list keeps them."""
    return consents.addresses(
        phone=values.get(Target.PHONE),
        whatsapp_number=values.get(Target.WHATSAPP),
        email=values.get(Target.EMAIL),
        telegram_username=values.get(Target.TELEGRAM),
    )


def running() -> "QuerySet[Import]":
    """Imports at work now, the newest first (for Today)."""
    return Import.objects.filter(
        state__in=[ImportState.CHECKING, ImportState.RUNNING, ImportState.UNDOING]
    ).order_by("-created_at")


def newest() -> "QuerySet[Import]":
    """Every import, the newest first."""
    return Import.objects.order_by("-created_at", "-id")


def heaps(of: Import) -> dict[str, int]:
    """How many rows stand on each heap; zeros included."""
    counted = dict(ImportRow.objects.filter(of=of).values_list("heap").annotate(n=Count("id")).order_by())
    return {heap: counted.get(heap, 0) for heap in Heap.values}


def by_names(actors: Iterable[str]) -> dict[str, str]:
    """Short names of the people among these actors, by the actor's text."""
    ids = {actor.removeprefix("user:"): actor for actor in actors if actor.startswith("user:")}
    valid = {}
    for text, actor in ids.items():
        try:
            valid[UUID(text)] = actor
        except ValueError:
            continue
    return {valid[user.pk]: user.short_name for user in User.objects.filter(pk__in=valid)}


def kept_drivers(of: Import) -> list[dict[str, str]]:
    """The drivers that an undo left in place, each with the reason."""
    rows = ImportRow.objects.filter(of=of).exclude(kept="").order_by("number").values("driver_id", "kept")
    reasons = {row["driver_id"]: row["kept"] for row in rows if row["driver_id"]}
    names = dict(Driver.objects.filter(pk__in=reasons).values_list("pk", "name"))
    return [
        {"id": str(pk), "name": names.get(pk, "Deleted since"), "reason": reason}
        for pk, reason in reasons.items()
    ]


class UndoneImport(NamedTuple):
    """An import that was taken back; the journal alone remembers one that left nothing."""

    file_name: str
    at: datetime
    by: str
    deleted: int
    restored: int
    kept: int


def undone(limit: int) -> list[UndoneImport]:
    """The newest imports that were taken back in the last 30 days, from the journal."""
    since = clock.now() - timedelta(days=30)
    entries = Entry.objects.filter(name=ImportUndone.name, at__gte=since).order_by("-at", "-id")[:limit]
    return [
        UndoneImport(
            entry.data["file_name"],
            entry.at,
            entry.actor,
            entry.data["deleted"],
            entry.data["restored"],
            entry.data["kept"],
        )
        for entry in entries
    ]


def rows_after(of: Import, heaps: Collection[str], after: int, limit: int) -> "list[ImportRow]":
    """Rows of these heaps behind a row number, in the order of the list; one more than `limit` tells of a next page."""
    rows = ImportRow.objects.filter(of=of, number__gt=after).order_by("number")
    return list((rows.filter(heap__in=heaps) if heaps else rows)[: limit + 1])


def page_before(of: Import, heaps: Collection[str], first: int, limit: int) -> int | None:
    """The row number behind which the page before `first` begins; None when there is none."""
    rows = ImportRow.objects.filter(of=of, number__lt=first).order_by("-number")
    numbers = list(
        (rows.filter(heap__in=heaps) if heaps else rows).values_list("number", flat=True)[: limit + 1]
    )
    if not numbers:
        return None
    return numbers[limit] if len(numbers) > limit else 0


def to_review(of: Import) -> "QuerySet[ImportRow]":
    """Rows that need a person and that nobody has settled, in the order of the list."""
    return ImportRow.objects.filter(of=of, verdict=RowVerdict.REVIEW, decision="").order_by("number")


def doubtful(of: Import) -> "QuerySet[ImportRow]":
    """Rows that resemble another row or an existing driver, settled or not, in the order of the list."""
    return ImportRow.objects.filter(of=of, code__in=ABOUT_TWO).order_by("number")
