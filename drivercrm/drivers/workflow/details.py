"""Who the driver is and how to reach them; columns that other rooms derive (spec §2)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from drivercrm.accounts.models import User
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.addresses import mail_key, read_mail
from drivercrm.core.bulk import listed
from drivercrm.core.errors import Refused
from drivercrm.core.phone import is_mobile, read_phone
from drivercrm.drivers.enums import (
    IdentityKind,
    PreferredChannel,
)
from drivercrm.drivers.events import (
    DriverCreated,
    DriverDeleted,
    DriverEdited,
)
from drivercrm.drivers.models import ChannelIdentity, Driver
from drivercrm.drivers.queries import check_owner, locked, locked_one
from drivercrm.journal import workflow as journal
from drivercrm.journal.events import FieldChange
from drivercrm.journal.models import Change

CHUNK = 500


EDITABLE = (
    "name",
    "given_name",
    "phone",
    "email",
    "whatsapp_number",
    "telegram_username",
    "area",
    "language",
    "preferred_channel",
    "timo_driver_id",
    "pathpulse_account_id",
    "notes",
)
WAYS = ("phone", "whatsapp_number", "email", "telegram_username")
UNREACHABLE = "Add a phone number, a mail or another way to reach this driver."
UNIQUE_LABELS = {"timo_driver_id": "Timo driver ID", "pathpulse_account_id": "PathPulse account"}


def create(values: dict[str, Any], *, source: str, by: Actor, owner: User | None = None) -> Driver:
    """One new driver. `values` are clean texts by column; refuses a missing name, no way to reach, a taken value."""
    values = {field: value for field, value in values.items() if field in EDITABLE}
    check_owner(owner)
    clean = _clean(values)
    if not clean.get("name"):
        raise Refused("name_missing", "A driver needs a name.", field="name")
    if not _ways(clean):
        raise Refused("unreachable", UNREACHABLE, field="phone")
    clean.setdefault("preferred_channel", default_channel(clean.get("phone") or clean.get("whatsapp_number")))
    with _taken_values_refused(), transaction.atomic():
        _check_unique(clean, exclude=None)
        driver = Driver.objects.create(
            **clean, source=source, owner=owner, edited_fields=sorted(clean) if by.is_person else []
        )
        ChannelIdentity.objects.bulk_create(
            [
                ChannelIdentity(
                    driver=driver,
                    channel=CHANNEL_OF[kind],
                    kind=kind,
                    value=identity_value(kind, clean[field]) or "",
                    source=source,
                )
                for field, kind in IDENTITY_OF.items()
                if clean.get(field)
            ]
        )
        journal.announce(DriverCreated([driver.pk], source), by=by, driver_id=driver.pk)
    return driver


def edit(
    driver: Driver, values: dict[str, Any], *, by: Actor, expected: dict[str, Any] | None = None
) -> int | None:
    """Changes details and returns the journal entry's id, for undo; None when nothing differs.

    `expected` holds the values that the person saw: where somebody changed one since, it refuses, keeping both.
    It refuses too what `create` does, and taking away the last way to reach the driver.
    """
    values = {field: value for field, value in values.items() if field in EDITABLE}
    clean = _clean(values)
    if "name" in clean and not clean["name"]:
        raise Refused("name_missing", "A driver needs a name.", field="name")
    with _taken_values_refused(), transaction.atomic():
        held = locked_one(driver.pk)
        before = {field: getattr(held, field) for field in clean}
        for field, seen in (expected or {}).items():
            if field in before and (before[field] or "") != (seen or "") and before[field] != clean[field]:
                raise Refused(
                    "edited_since",
                    f"Somebody changed this to “{before[field] or 'empty'}” while you were typing.",
                    field=field,
                )
        changes = journal.changed_fields(driver.pk, before, clean)
        if not changes:
            return None
        changed = {change.field for change in changes}
        _check_unique({field: clean[field] for field in changed}, exclude=driver.pk)
        had = _ways(vars(held))
        for field, value in clean.items():
            setattr(held, field, value)
        _check_reachable(held, had)
        firsts = sorted(changed - set(held.edited_fields)) if by.is_person else []
        held.edited_fields = sorted({*held.edited_fields, *firsts})
        held.updated_at = clock.now()
        held.save(update_fields=[*clean, "edited_fields", "updated_at"])
        _keep_identities(held, before, source="person" if by.is_person else by.kind)
        entry = journal.announce(
            DriverEdited([driver.pk], sorted(changed), firsts), by=by, driver_id=driver.pk, changes=changes
        )
    driver.refresh_from_db()
    return entry.pk


def assign(driver_ids: Sequence[UUID], owner: User | None, *, by: Actor) -> int | None:
    """Gives drivers to one owner, or to nobody. Returns the journal entry's id, for undo.

    Refuses an owner whose role may do nothing for a driver.
    """
    check_owner(owner)
    with transaction.atomic():
        drivers = [
            driver for driver in locked(driver_ids) if driver.owner_id != (owner.pk if owner else None)
        ]
        if not drivers:
            return None
        changes = [
            FieldChange(
                driver.pk,
                "owner",
                str(driver.owner_id) if driver.owner_id else None,
                str(owner.pk) if owner else None,
            )
            for driver in drivers
        ]
        ids = [driver.pk for driver in drivers]
        Driver.objects.filter(pk__in=ids).update(owner=owner, updated_at=clock.now())
        entry = journal.announce(
            DriverEdited(ids, ["owner"]), by=by, driver_id=ids[0] if len(ids) == 1 else None, changes=changes
        )
    return entry.pk


def undo_edit(entry_id: int, *, by: Actor, only: UUID | None = None) -> int:
    """Puts back the values before one edit (of `only` one driver), wherever nobody has changed them since.

    Returns how many drivers went back.
    """
    with _taken_values_refused(), transaction.atomic():
        changes = journal.changes_of(entry_id, DriverEdited)
        if only is not None:
            changes = [change for change in changes if change.object_id == only]
        if not changes:
            raise Refused("nothing_to_undo", "There is nothing to undo here.")
        drivers = {driver.pk: driver for driver in locked({change.object_id for change in changes})}
        undone: list[FieldChange] = []
        had: dict[UUID, list[str]] = {}
        for change in changes:
            driver = drivers.get(change.object_id)
            had.setdefault(change.object_id, _ways(vars(driver)) if driver else [])
            column = "owner_id" if change.field == "owner" else change.field
            if driver is None or _as_json(getattr(driver, column)) != change.after:
                continue
            value = UUID(change.before) if column == "owner_id" and change.before else change.before
            setattr(driver, column, value)
            undone.append(FieldChange(driver.pk, change.field, change.after, change.before))
        if not undone:
            raise Refused("moved_on", "Nothing was undone: it has been changed since.")
        touched = [drivers[pk] for pk in dict.fromkeys(change.object_id for change in undone)]
        firsts = set(changes[0].entry.data.get("firsts", ()))
        columns = sorted({"owner_id" if change.field == "owner" else change.field for change in undone})
        for driver in touched:
            back = {change.field: change.after for change in undone if change.object_id == driver.pk}
            # a list may fill these again: what a person set is gone
            driver.edited_fields = [one for one in driver.edited_fields if one not in firsts & back.keys()]
            _take_back_handed_on(driver, back)
            _check_unique(back, exclude=driver.pk, is_return=True)
            if _has_lost_a_way(driver, since=entry_id):
                _check_reachable(driver, had[driver.pk])
            driver.updated_at = clock.now()
        fields = ["owner" if column == "owner_id" else column for column in columns]
        Driver.objects.bulk_update(touched, [*fields, "edited_fields", "updated_at"], batch_size=CHUNK)
        if fields != ["owner"]:
            for driver in touched:
                was = {change.field: change.before for change in undone if change.object_id == driver.pk}
                _keep_identities(driver, was, source="person")
        journal.announce(
            DriverEdited([driver.pk for driver in touched], fields),
            by=by,
            driver_id=touched[0].pk if len(touched) == 1 else None,
            changes=undone,
        )
    return len(touched)


@contextmanager
def _taken_values_refused() -> Iterator[None]:
    """Two writers with the same value at the same moment: the database stops the second, we say why."""
    try:
        yield
    except IntegrityError as error:
        raise Refused(
            "value_taken", "Somebody has just given one of these values to another driver."
        ) from error


def _ways(values: Mapping[str, Any]) -> list[str]:
    """The columns with a way to reach this driver."""
    return [field for field in WAYS if values.get(field)]


def _check_reachable(driver: Driver, had: Sequence[str]) -> None:
    """Refuses to take the last way away; who had none already may have other details changed."""
    if had and not _ways(vars(driver)):
        raise Refused("unreachable", UNREACHABLE, field=had[0])


def _has_lost_a_way(driver: Driver, *, since: int) -> bool:
    """Whether an address was taken off the record after this entry: before it, there was a way that is gone."""
    later = Change.objects.filter(object_id=driver.pk, entry_id__gt=since, field__in=WAYS)
    return not all(later.values_list("after", flat=True))


def _as_json(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def default_channel(number: str | None) -> str:
    """WhatsApp with a mobile number, else mail (spec §2)."""
    return PreferredChannel.WHATSAPP if number and is_mobile(number) else PreferredChannel.EMAIL


def _clean(values: dict[str, Any]) -> dict[str, Any]:
    """Texts as the columns keep them; empty identifiers become NULL. Refuses an unusable number or mail."""
    clean: dict[str, Any] = {}
    for field, raw in values.items():
        value = raw.strip() if isinstance(raw, str) else raw
        if field == "phone" and value:
            value = usable_number(value, field)
        elif field == "email" and value:
            value = usable_mail(value)
        elif field == "telegram_username" and value:
            value = value.lstrip("@")
        elif field == "preferred_channel" and value not in PreferredChannel.values:
            raise Refused("unknown_channel", f"“{value}” is not a channel.", field=field)
        if field in _NULLABLE and not value:
            value = None
        limit = getattr(Driver._meta.get_field(field), "max_length", None)
        if limit and isinstance(value, str) and len(value) > limit:
            raise Refused("too_long", f"This is longer than {limit} letters.", field=field)
        clean[field] = value if value is not None or field in _NULLABLE else ""
    return clean


_NULLABLE = (
    "phone",
    "email",
    "whatsapp_number",
    "telegram_username",
    "timo_driver_id",
    "pathpulse_account_id",
)


def _check_unique(clean: dict[str, Any], *, exclude: UUID | None, is_return: bool = False) -> None:
    """Refuses a value that another driver holds or has on the record: it is never taken over (spec §2).

    An address that returns to its record by an undo may stand on another one: a person had let both have it.
    """
    itself = [exclude] if exclude else []
    fields = UNIQUE_LABELS if is_return else (*UNIQUE_LABELS, *IDENTITY_OF)
    spelt = {field: _spellings(field, clean[field]) for field in fields if clean.get(field)}
    if spelt:
        wanted = reduce(or_, (Q(**{f"{field}__in": values}) for field, values in spelt.items()))
        other = Driver.objects.filter(wanted).exclude(pk__in=itself).order_by("pk").first()
        if other:
            field = next(field for field, values in spelt.items() if getattr(other, field) in values)
            what = f"{UNIQUE_LABELS[field]} {clean[field]}" if field in UNIQUE_LABELS else clean[field]
            raise Refused("value_taken", f"{what} belongs to {other.name}.", field=field)
    addresses = {
        (str(kind), identity_value(kind, clean[field])): field
        for field, kind in IDENTITY_OF.items()
        if clean.get(field)
    }
    if addresses:
        wanted = reduce(or_, (Q(kind=kind, value=value) for kind, value in addresses))
        held = ChannelIdentity.objects.filter(wanted, until__isnull=True).exclude(driver_id__in=itself)
        holder = held.select_related("driver").first()
        if holder:
            field = addresses[holder.kind, holder.value]
            raise Refused("value_taken", f"{clean[field]} belongs to {holder.driver.name}.", field=field)


IDENTITY_OF = {
    "phone": IdentityKind.PHONE,
    "whatsapp_number": IdentityKind.WHATSAPP_ID,
    "email": IdentityKind.EMAIL,
}
CHANNEL_OF = {
    IdentityKind.PHONE: "phone",
    IdentityKind.WHATSAPP_ID: "whatsapp",
    IdentityKind.BUSINESS_SCOPED_ID: "whatsapp",
    IdentityKind.TELEGRAM_CHAT: "telegram",
    IdentityKind.EMAIL: "email",
}
HANDED_ON = "shared"


def identity_value(kind: str, value: str | None) -> str | None:
    """An address as identities compare it: mail without regard to case, a WhatsApp id as it is."""
    return mail_key(value) if value and kind == IdentityKind.EMAIL else value


def _spellings(field: str, value: str) -> list[str]:
    """How records may write an address: as it is here, and a mail in small letters too."""
    return sorted({value, mail_key(value)}) if field == "email" else [value]


def holders(addresses: Iterable[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
    """Who holds each of these (kind, value) addresses now."""
    by_kind: dict[str, list[str]] = {}
    for kind, value in addresses:
        by_kind.setdefault(kind, []).append(value)
    found: dict[tuple[str, str], UUID] = {}
    for kind, values in by_kind.items():
        rows = ChannelIdentity.objects.filter(kind=kind, value__in=listed(values), until__isnull=True)
        found |= {(str(k), v): pk for k, v, pk in rows.values_list("kind", "value", "driver_id")}
    return found


def hand_on(ended: Mapping[str, Iterable[str]]) -> dict[tuple[str, str], UUID]:
    """Addresses that have left a record, by field: where one other driver has such an address, it is theirs now.

    Where several have it, a person has to settle whose it is. Returns the identities that it opened.
    """
    heirs: dict[tuple[str, str], list[UUID]] = {}
    for field, values in ended.items():
        spelt = {spelling for value in values for spelling in _spellings(field, value)}
        if not spelt:
            continue
        kind = IDENTITY_OF[field]
        rows = Driver.objects.filter(**{f"{field}__in": listed(sorted(spelt))}).values_list("pk", field)
        for pk, value in rows:
            heirs.setdefault((str(kind), identity_value(kind, value) or ""), []).append(pk)
    held = holders(heirs) if heirs else {}
    opened = [
        ChannelIdentity(
            driver_id=pks[0], channel=CHANNEL_OF[IdentityKind(kind)], kind=kind, value=value, source=HANDED_ON
        )
        for (kind, value), pks in heirs.items()
        if len(pks) == 1 and (kind, value) not in held
    ]
    ChannelIdentity.objects.bulk_create(opened, batch_size=CHUNK)
    return {(row.kind, row.value): row.pk for row in opened}


def _take_back_handed_on(driver: Driver, back: Mapping[str, Any]) -> None:
    """Ends what others got only because these addresses had left this record: an undo brings them back."""
    wanted = [
        Q(kind=kind, value=identity_value(kind, back[field]))
        for field, kind in IDENTITY_OF.items()
        if back.get(field)
    ]
    if wanted:
        open_ones = ChannelIdentity.objects.filter(reduce(or_, wanted), source=HANDED_ON, until__isnull=True)
        open_ones.exclude(driver=driver).update(until=clock.now())


def _keep_identities(driver: Driver, before: Mapping[str, Any], *, source: str) -> None:
    """Opens an identity for each address on the record and ends those that are no longer on it.

    `before` has the values that stood there: an address that ends here may be another driver's now.
    """
    ended: dict[str, list[str]] = {}
    held = {
        identity.kind: identity
        for identity in ChannelIdentity.objects.filter(driver=driver, until__isnull=True)
    }
    for field, kind in IDENTITY_OF.items():
        value = identity_value(kind, getattr(driver, field))
        old = held.get(kind)
        if old and old.value == value:
            continue
        if old:
            ChannelIdentity.objects.filter(pk=old.pk).update(until=clock.now())
            ended[field] = [str(before.get(field) or old.value)]
        if value and not _is_shared(driver, kind, value):
            ChannelIdentity.objects.create(
                driver=driver, channel=CHANNEL_OF[kind], kind=kind, value=value, source=source
            )
    if ended:
        hand_on(ended)


def _is_shared(driver: Driver, kind: str, value: str) -> bool:
    """Whether the address is another driver's: a person has let both records have it, the identity stays theirs."""
    others = ChannelIdentity.objects.filter(kind=kind, value=value, until__isnull=True)
    return others.exclude(driver=driver).exists()


def delete_untouched(driver_ids: Sequence[UUID], *, by: Actor) -> None:
    """Removes drivers that an import had made, with everything that hangs on them (undo of spec §10)."""
    with transaction.atomic():
        gone = locked(driver_ids)
        ids = [driver.pk for driver in gone]
        Driver.objects.filter(pk__in=ids).delete()
        if ids:
            hand_on(
                {field: [getattr(one, field) for one in gone if getattr(one, field)] for field in IDENTITY_OF}
            )
            journal.announce(DriverDeleted(ids), by=by)


def usable_number(value: str, field: str = "phone") -> str:
    """The number as E.164; refuses one that cannot be read for certain."""
    read = read_phone(value)
    if read.e164 is None:
        raise Refused("unusable_number", read.problem or "This is not a phone number.", field=field)
    return read.e164


def usable_mail(value: str) -> str:
    """The mail in its stored form; refuses one that cannot work."""
    read = read_mail(value)
    if read.address is None:
        raise Refused("unusable_mail", read.problem or "This is not a mail address.", field="email")
    return read.address


def set_opt_in(granted: dict[UUID, bool]) -> None:
    """Keeps `communication_opt_in`, which consent works out from its ledger (spec §4)."""
    for value in (True, False):
        ids = [pk for pk, is_granted in granted.items() if is_granted is value]
        Driver.objects.filter(pk__in=ids).exclude(communication_opt_in=value).update(
            communication_opt_in=value, updated_at=clock.now()
        )


def note_communications(
    driver_id: UUID, *, total: int, last_contact_date: datetime | None, response_rate: float | None
) -> None:
    """Keeps the three columns that communications works out from its rows (spec §2)."""
    Driver.objects.filter(pk=driver_id).update(
        total_communications=total,
        last_contact_date=last_contact_date,
        response_rate=response_rate,
        updated_at=clock.now(),
    )


def note_address(driver_id: UUID, *, kind: str, value: str, source: str) -> bool:
    """An address that a provider names as this driver's: kept beside the others. False where another driver has it."""
    known = ChannelIdentity.objects.filter(kind=kind, value=value, until__isnull=True)
    holder = known.values_list("driver_id", flat=True).first()
    if holder is None:
        try:
            with transaction.atomic():
                ChannelIdentity.objects.create(
                    driver_id=driver_id,
                    channel=CHANNEL_OF[IdentityKind(kind)],
                    kind=kind,
                    value=value,
                    source=source,
                )
            holder = driver_id
        except IntegrityError:
            holder = known.values_list("driver_id", flat=True).first()
    return holder == driver_id


def note_whatsapp(driver_id: UUID, number: str) -> None:
    """The first message to or from a mobile number on WhatsApp makes it the WhatsApp number (spec §2)."""
    empty = Driver.objects.filter(Q(whatsapp_number__isnull=True) | Q(whatsapp_number=""), pk=driver_id)
    if empty.update(whatsapp_number=number, updated_at=clock.now()):
        note_address(driver_id, kind=IdentityKind.WHATSAPP_ID, value=number, source="message")
