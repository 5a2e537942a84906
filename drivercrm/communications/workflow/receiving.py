"""What comes in: kept byte for byte, understood later, and nothing of it lost or counted twice (spec §5.3)."""

import hashlib
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from drivercrm.channels.provider import (
    AccountNotice,
    Address,
    AddressChanged,
    AddressKind,
    Choice,
    Event,
    Inbound,
    Preference,
    Receipt,
    RemoteFile,
    TemplateChanged,
    Unknown,
)
from drivercrm.communications.enums import (
    Approval,
    Channel,
    CommunicationStatus,
    Direction,
    MessageKind,
    MessageType,
    RawState,
)
from drivercrm.communications.events import MessageReceived
from drivercrm.communications.keywords import Meaning, meaning_of
from drivercrm.communications.models import (
    ChannelAccount,
    Communication,
    DeliveryEvent,
    MessageTemplate,
    OutboxMessage,
    RawBody,
    StoredFile,
    UnmatchedMessage,
)
from drivercrm.communications.queries import WRITTEN, holders_of, read_reply_token
from drivercrm.communications.workflow.answering import act_on
from drivercrm.communications.workflow.derived import keep_derived
from drivercrm.communications.workflow.providers import provider_of
from drivercrm.communications.workflow.receipts import attach, keep_receipt, message_of
from drivercrm.communications.workflow.replies import DRIVER, answer_theirs, attribute
from drivercrm.communications.workflow.settling import settle_by_receipt
from drivercrm.communications.workflow.threads import keep_thread
from drivercrm.consent import workflow as consent
from drivercrm.consent.enums import Purpose
from drivercrm.core import clock
from drivercrm.core.actors import automation
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.queries import locked_one
from drivercrm.jobs import workflow as jobs
from drivercrm.journal import workflow as journal

log = structlog.get_logger("drivercrm.inbox")

PROVIDER = automation("provider")
ATTEMPTS = 8
STATES = {
    "approved": Approval.APPROVED,
    "reinstated": Approval.APPROVED,
    "pending": Approval.PENDING,
    "in_appeal": Approval.PENDING,
    "rejected": Approval.REJECTED,
    "paused": Approval.PAUSED,
    "flagged": Approval.APPROVED,
    "disabled": Approval.DISABLED,
    "archived": Approval.DISABLED,
    "deleted": Approval.DISABLED,
    "pending_deletion": Approval.DISABLED,
    "limit_exceeded": Approval.REJECTED,
    "locked": Approval.DISABLED,
}


def keep(account: ChannelAccount, bodies: list[bytes], *, at: datetime | None = None) -> int:
    """Writes raw bodies down in one transaction; the same bytes again are the same. Returns how many were new."""
    moment = at or clock.now()
    rows = [
        RawBody(account=account, digest=hashlib.sha256(body).hexdigest(), body=body, received_at=moment)
        for body in bodies
    ]
    with transaction.atomic():
        known = set(
            RawBody.objects.filter(account=account, digest__in=[row.digest for row in rows]).values_list(
                "digest", flat=True
            )
        )
        RawBody.objects.bulk_create(
            [row for row in rows if row.digest not in known], ignore_conflicts=True, batch_size=500
        )
        jobs.enqueue("communications.understand", unique_key="inbox")
    return len({row.digest for row in rows} - known)


def understand(*, limit: int = 200) -> int:
    """Reads bodies that wait, oldest first; each event in a transaction of its own. Returns how many bodies.

    A body that cannot be dealt with is tried again, then set aside, visible; it holds up no other.
    """
    waiting = RawBody.objects.filter(state=RawState.WAITING).select_related("account").order_by("id")
    done = 0
    for raw in list(waiting[:limit]):
        try:
            _understand(raw)
        except Exception as error:  # the body stays, with the class of what went wrong
            log.error("a body could not be dealt with", raw=raw.pk, error=type(error).__name__)
            raw.attempts += 1
            raw.trouble = type(error).__name__
            raw.state = RawState.FAILED if raw.attempts >= ATTEMPTS else RawState.WAITING
            raw.save(update_fields=["attempts", "trouble", "state"])
        else:
            done += 1
    return done


def _understand(raw: RawBody) -> None:
    with closing(provider_of(raw.account)) as provider:
        events = provider.parse(bytes(raw.body), raw.received_at)
    for event in events:
        receive(raw.account, event)
    raw.state, raw.trouble, raw.events = RawState.DONE, "", len(events)
    raw.save(update_fields=["state", "trouble", "events"])
    heard = ChannelAccount.objects.filter(pk=raw.account_id)
    heard.exclude(last_heard_at__gte=raw.received_at).update(last_heard_at=raw.received_at)


def receive(account: ChannelAccount, event: Event) -> bool:
    """One event of a provider, whatever it is. Safe to repeat, in any order. False when nothing was new."""
    with transaction.atomic():
        match event:
            case Inbound():
                return _receive_message(account, event)
            case Receipt():
                return _receive_receipt(account, event)
            case Preference():
                return _receive_preference(account, event)
            case AddressChanged():
                return _receive_address(event)
            case TemplateChanged():
                return _receive_template(account, event)
            case AccountNotice():
                return _receive_notice(account, event)
            case Unknown():
                return False


def _receive_receipt(account: ChannelAccount, receipt: Receipt) -> bool:
    """Written once, linked where its message is known; a message in doubt is settled by it."""
    event = keep_receipt(account, receipt)
    if event is None:
        return False
    settle_by_receipt(event)
    event.refresh_from_db()
    row = message_of(event)
    if row is not None and event.communication_id is None:
        locked_one(row.driver_id)
        attach(event, Communication.objects.select_for_update().get(pk=row.pk))
        attribute(row.driver_id, row.channel, row.sent_at)  # whether it failed decides what may answer it
    if row is not None:
        for address in receipt.addresses:
            drivers.note_address(
                row.driver_id, kind=str(address.kind), value=address.value, source="provider"
            )
    return True


# Messages


def _receive_message(account: ChannelAccount, inbound: Inbound) -> bool:
    if Communication.objects.filter(account=account, provider_id=inbound.provider_id).exists():
        return False
    driver_id, why = whose(account, inbound)
    if driver_id is None:
        return _set_aside(account, inbound, why)
    return take_in(account, inbound, driver_id)


def whose(account: ChannelAccount, inbound: Inbound) -> tuple[UUID | None, str]:
    """The driver who wrote, or why nobody can say; nothing is settled by guess (spec §2)."""
    if inbound.reply_token:
        ours = read_reply_token(inbound.reply_token)
        message = OutboxMessage.objects.filter(pk=ours).first() if ours else None
        if message is not None:
            return message.driver_id, ""
    found = holders_of(inbound.sender.addresses)
    if len(found) == 1:
        return found[0], ""
    if len(found) > 1:
        return None, "Several drivers have this address"
    return None, "Nobody has this address"


def take_in(account: ChannelAccount, inbound: Inbound, driver_id: UUID) -> bool:
    """A message of a known driver: a row of the history, what it answers, and what its words mean."""
    driver = locked_one(driver_id)
    if Communication.objects.filter(account=account, provider_id=inbound.provider_id).exists():
        return False
    row = Communication.objects.create(
        driver=driver,
        channel=account.channel,
        direction=Direction.INBOUND,
        message_type=MessageType.SUPPORT,
        subject=inbound.subject[:300],
        message_body=inbound.text or inbound.full_text,
        quoted_text=inbound.full_text if inbound.full_text != inbound.text else "",
        status=CommunicationStatus.DELIVERED,
        sent_at=inbound.at,
        delivered_at=inbound.at,
        created_by=str(DRIVER),
        account=account,
        provider_id=inbound.provider_id,
        kind=MessageKind(inbound.said),
        quotes=_quoted(account, inbound),
    )
    _keep_files(row, inbound.files)
    for address in inbound.sender.addresses:
        drivers.note_address(driver.pk, kind=str(address.kind), value=address.value, source="message")
    if row.kind in WRITTEN:
        attribute(driver.pk, row.channel, row.sent_at)
        row.refresh_from_db()
        answer_theirs(driver.pk)
        act_on(row, driver, _meaning(inbound), is_proven=_is_proven(account, inbound))
    keep_derived([driver.pk])
    keep_thread(driver.pk)
    journal.announce(MessageReceived(driver.pk, row.pk, row.channel), by=DRIVER, driver_id=driver.pk)
    return True


def _meaning(inbound: Inbound) -> Meaning:
    """A button's own word counts before what is written on it."""
    said = meaning_of(inbound.payload) if inbound.payload else Meaning.NONE
    return said if said not in {Meaning.NONE, Meaning.MAYBE_STOP} else meaning_of(inbound.text)


def _is_proven(account: ChannelAccount, inbound: Inbound) -> bool:
    """A mail's sender can be made up: only our own token shows whose word it is (spec §4)."""
    return account.channel != Channel.EMAIL or read_reply_token(inbound.reply_token) is not None


def _quoted(account: ChannelAccount, inbound: Inbound) -> Communication | None:
    if inbound.reply_token and (ours := read_reply_token(inbound.reply_token)):
        known = Communication.objects.filter(pk=ours).first()
        if known is not None:
            return known
    for provider_id in inbound.quotes:
        known = Communication.objects.filter(
            account=account, provider_id=provider_id, direction=Direction.OUTBOUND
        ).first()
        if known is not None:
            return known
        told = DeliveryEvent.objects.filter(
            account=account, other_id=provider_id, communication__isnull=False
        )
        event = told.select_related("communication").first()
        if event is not None:
            return event.communication
    return None


def _keep_files(row: Communication, files: tuple[RemoteFile, ...]) -> None:
    """Where the provider has them; they are fetched outside this transaction."""
    made = [
        StoredFile(
            communication=row,
            name=file.name[:200],
            media_type=file.media_type[:120],
            size=file.size,
            remote={key: value for key, value in asdict(file).items() if key != "content" and value},
            created_by=str(DRIVER),
        )
        for file in files
    ]
    StoredFile.objects.bulk_create(made)
    if made:
        row.attachments = [str(one.pk) for one in made]
        row.save(update_fields=["attachments"])


def _set_aside(account: ChannelAccount, inbound: Inbound, why: str) -> bool:
    """Nobody is known: it waits for a person (spec §5.3). SIGNUP makes a driver of an unknown number."""
    first = inbound.sender.addresses[0] if inbound.sender.addresses else Address(AddressKind.PHONE, "")
    _, is_new = UnmatchedMessage.objects.get_or_create(
        account=account,
        key=inbound.key[:320],
        defaults={
            "sender_key": f"{first.kind}:{first.value}"[:300],
            "addresses": [[str(one.kind), one.value] for one in inbound.sender.addresses],
            "name": inbound.sender.name[:200],
            "at": inbound.at,
            "text": inbound.text or inbound.full_text,
            "event": _as_json(inbound),
            "why": why,
        },
    )
    return is_new


def _as_json(inbound: Inbound) -> dict[str, Any]:
    """All of a message but the bytes of its files."""
    kept = asdict(inbound)
    kept["at"] = inbound.at.isoformat()
    kept["files"] = [
        {key: value for key, value in file.items() if key != "content"} for file in kept["files"]
    ]
    return kept


# Switches, addresses, templates, accounts


def _receive_preference(account: ChannelAccount, event: Preference) -> bool:
    found = holders_of(event.sender.addresses)
    for driver_id in found:
        driver = locked_one(driver_id)
        match event.choice:
            case Choice.BLOCKED | Choice.COMPLAINED:
                consent.withdraw(
                    driver,
                    channels=[account.channel],
                    source=str(event.choice),
                    by=PROVIDER,
                    at=_past(event.at),
                )
            case Choice.MARKETING_STOPPED:
                consent.withdraw(
                    driver,
                    channels=[account.channel],
                    purposes=[Purpose.MARKETING],
                    source=str(event.choice),
                    by=PROVIDER,
                    at=_past(event.at),
                )
            case _:
                pass  # reachable again, or resumed with the vendor: that is no consent to us
    return bool(found)


def _past(moment: datetime) -> datetime:
    """A provider's clock may run ahead of ours."""
    return min(moment, clock.now())


def _receive_address(event: AddressChanged) -> bool:
    """The same person under another address: it is theirs too, where nobody else has it."""
    found = holders_of([event.before])
    if len(found) != 1:
        return False
    return drivers.note_address(
        found[0], kind=str(event.after.kind), value=event.after.value, source="provider"
    )


def _receive_template(account: ChannelAccount, event: TemplateChanged) -> bool:
    known = MessageTemplate.objects.filter(channel=account.channel, provider_name=event.name, is_current=True)
    changed = 0
    for template in known:
        if event.language and not event.language.lower().startswith(template.language.lower()):
            continue
        template.approval = STATES.get(event.state, Approval(template.approval))
        template.approval_reason = event.reason[:300] or template.approval_reason
        template.category = event.category or template.category
        template.quality = event.quality or template.quality
        template.save(update_fields=["approval", "approval_reason", "category", "quality"])
        changed += 1
    return bool(changed)


def _receive_notice(account: ChannelAccount, event: AccountNotice) -> bool:
    held = ChannelAccount.objects.select_for_update().get(pk=account.pk)
    if event.limit is not None:
        held.messaging_limit = event.limit
    held.quality = event.quality or held.quality
    held.save(update_fields=["messaging_limit", "quality"])
    return True
