"""WhatsApp's webhooks in the house's words (channels.md §1.1, §1.3).

Bodies come batched, repeated, out of order, and with parts missing that the documentation promises. So every part is
read for itself and nothing is taken for granted: what cannot be read becomes an Unknown, and its neighbours are read
all the same. Every event has a key that is the same whenever and in whatever batch it is delivered.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from drivercrm.channels.provider import (
    AccountNotice,
    AddressChanged,
    AddressKind,
    Choice,
    Event,
    Inbound,
    Preference,
    Receipt,
    ReceiptKind,
    RemoteFile,
    Said,
    Sender,
    TemplateChanged,
    Unknown,
)
from drivercrm.channels.whatsapp.errors import code_of, failure_of, words_of
from drivercrm.channels.whatsapp.reading import (
    as_address,
    as_list,
    as_map,
    as_moment,
    as_text,
    as_uuid,
    hexadecimal,
    is_scoped,
    plainly,
    short,
)

RECEIPTS = {
    "sent": ReceiptKind.SENT,
    "delivered": ReceiptKind.DELIVERED,
    "read": ReceiptKind.READ,
    "played": ReceiptKind.READ,  # a voice note that was listened to
    "failed": ReceiptKind.FAILED,
}
FILES = ("image", "video", "audio", "voice", "document", "sticker")
# what they come from is the business itself or an older time, never a driver who writes now
ECHOES = {"smb_message_echoes", "message_echoes", "history", "smb_app_state_sync", "standby"}


def parse(body: bytes, received_at: datetime, *, phone_number_id: str = "", waba_id: str = "") -> list[Event]:
    """Every event of a body, in its order; parts for another number or business account are Unknown. Never raises."""
    try:
        return list(_Body(body, received_at, phone_number_id, waba_id).events())
    except (ValueError, RecursionError):
        return [Unknown(f"unknown:{hashlib.sha256(body).hexdigest()}", "The body is not JSON")]


@dataclass(frozen=True)
class _Content:
    """What a message says, apart from who says it and when."""

    said: Said
    text: str = ""
    payload: str = ""
    files: tuple[RemoteFile, ...] = ()
    quotes: tuple[str, ...] = ()
    shared_number: str = ""


class _Body:
    """One body while it is read."""

    def __init__(self, body: bytes, received_at: datetime, phone_number_id: str, waba_id: str) -> None:
        self.top = json.loads(body)
        self.received_at = received_at
        self.phone_number_id = phone_number_id
        self.waba_id = waba_id

    def events(self) -> Iterator[Event]:
        """All of them. An envelope without changes is itself an Unknown."""
        entries = as_map(self.top).get("entry")
        if not isinstance(entries, list) or not entries:
            yield self.unknown(self.top, "No entries")
            return
        for entry in entries:
            changes = as_map(entry).get("changes")
            if not isinstance(changes, list) or not changes:
                yield self.unknown(entry, "No changes")
                continue
            for change in changes:
                yield from self.safely(change, partial(self.change, entry))

    def change(self, entry: Mapping[str, Any], change: Mapping[str, Any]) -> list[Event]:
        """One change: by its field."""
        field, value = as_text(change.get("field")), as_map(change.get("value"))
        number = as_text(as_map(value.get("metadata")).get("phone_number_id"))
        if self.phone_number_id and number and number != self.phone_number_id:
            return [self.unknown(change, "For another number")]
        if field in ("messages", ""):
            return self.messages(value, change)
        if field == "user_preferences":
            return self.preferences(value, change)
        at = as_moment(entry.get("time"), self.received_at)
        key = self.key(field, {"id": entry.get("id"), "time": entry.get("time"), **change})
        if field.startswith(("message_template_", "template_")):
            account = as_text(entry.get("id"))
            if self.waba_id and account not in ("", "0", self.waba_id):
                return [self.unknown(change, "For another business account")]
            return [_template(field, value, key, at) or self.unknown(change, f"Field {field}")]
        if field in NOTICES:
            return [NOTICES[field](value, key, at)]
        words = "An echo of the business's own phone" if field in ECHOES else f"Field {field[:60]}"
        return [self.unknown(change, words)]

    def messages(self, value: Mapping[str, Any], change: Mapping[str, Any]) -> list[Event]:
        """Messages, statuses and errors of one change; each is read for itself."""
        people = _People(value.get("contacts"))
        messages, statuses = as_list(value.get("messages")), as_list(value.get("statuses"))
        errors = as_list(value.get("errors"))
        is_alone = len(messages) == 1 and not statuses
        events: list[Event] = []
        for message in messages:
            events += self.safely(message, lambda m: self.message(as_map(m), people, is_alone))
        for status in statuses:
            events += self.safely(status, lambda s: [self.status(as_map(s), people, errors)])
        # a failed status without errors of its own has taken these for its reason
        are_taken = any(
            as_map(one).get("status") == "failed" and not as_list(as_map(one).get("errors"))
            for one in statuses
        )
        for error in () if are_taken else errors:
            events += self.safely(error, self.trouble)
        return events or [self.unknown(change, "Neither message nor status")]

    def message(self, message: Mapping[str, Any], people: "_People", is_alone: bool) -> list[Event]:
        """A message of a person, or what a system message says of them."""
        kind, wamid = as_text(message.get("type")), short(as_text(message.get("id")))
        if message.get("group_id") or as_text(as_map(message.get("group")).get("id")):
            return [self.unknown(message, "A message in a group")]
        if not kind and not wamid:
            return [self.unknown(message, "A message without type and id")]
        at = as_moment(message.get("timestamp"), self.received_at)
        key = wamid or self.key("message", message)
        sender = people.sender(
            scoped=message.get("from_user_id") or message.get("user_id"),
            plain=message.get("from"),
            parent=message.get("from_parent_user_id") or message.get("parent_user_id"),
            is_alone=is_alone,
        )
        if kind == "system":
            changes = _address_changes(as_map(message.get("system")), sender, key, at)
            return changes or [self.unknown(message, "A notice of WhatsApp")]
        if kind == "request_welcome":
            return [self.unknown(message, "The chat was opened")]
        content = _content(kind, message)
        context = as_map(message.get("context"))
        quoted = short(as_text(context.get("id") or context.get("message_id")))
        return [
            Inbound(
                key=key,
                provider_id=wamid,
                sender=sender,
                at=at,
                said=content.said,
                text=content.text,
                payload=content.payload,
                files=content.files,
                quotes=content.quotes or ((quoted,) if quoted else ()),
                shared_number=content.shared_number,
                context=_whence(message, context),
            )
        ]

    def status(self, status: Mapping[str, Any], people: "_People", errors: Sequence[Any]) -> Event:
        """A receipt, by Meta's id, by ours, or both."""
        word = as_text(status.get("status")).lower()
        wamid = short(as_text(status.get("id")))
        our_id = as_uuid(status.get("biz_opaque_callback_data"))
        kind = RECEIPTS.get(word)
        if kind is None or not (wamid or our_id):
            return self.unknown(status, f"Status {word[:40]}")
        if as_text(status.get("recipient_type")) == "group" or status.get("group_id"):
            return self.unknown(status, "A status of a message to a group")
        moment = as_text(status.get("timestamp"))
        receipt = Receipt(
            key=short(f"{wamid or our_id}:{word}:{moment}"),
            kind=kind,
            at=as_moment(status.get("timestamp"), self.received_at),
            provider_id=wamid,
            our_id=our_id,
            addresses=people.sender(
                scoped=status.get("recipient_user_id"), plain=status.get("recipient_id")
            ).addresses,
        )
        if kind != ReceiptKind.FAILED:
            return receipt
        own = as_list(status.get("errors")) or errors
        error = next((one for one in own if code_of(one) is not None), own[0] if own else {})
        code = code_of(error)
        return replace(
            receipt,
            failure=failure_of(code),
            code="" if code is None else str(code),
            words=as_text(words_of(error)),
        )

    def trouble(self, error: Any) -> list[Event]:
        """An error that belongs to no message: the account itself is in trouble."""
        code = code_of(error)
        return [
            AccountNotice(
                key=self.key("error", error),
                words=as_text(words_of(error)) or "WhatsApp reports an error",
                at=self.received_at,
                code="" if code is None else str(code),
            )
        ]

    def preferences(self, value: Mapping[str, Any], change: Mapping[str, Any]) -> list[Event]:
        """Meta's own switch for marketing; it says nothing about other messages."""
        people, all_of_them = _People(value.get("contacts")), as_list(value.get("user_preferences"))
        is_alone = len(all_of_them) == 1
        events: list[Event] = []
        for one in all_of_them:
            events += self.safely(one, lambda p: [self.preference(as_map(p), people, is_alone)])
        return events or [self.unknown(change, "No preferences")]

    def preference(self, one: Mapping[str, Any], people: "_People", is_alone: bool) -> Event:
        """One person's choice; `signup` is a resumption by a link of ours."""
        word = as_text(one.get("value")).lower()
        category = as_text(one.get("category")).lower()
        choices = {
            "stop": Choice.MARKETING_STOPPED,
            "resume": Choice.MARKETING_RESUMED,
            "signup": Choice.MARKETING_RESUMED,
        }
        sender = people.sender(scoped=one.get("user_id"), plain=one.get("wa_id"), is_alone=is_alone)
        if word not in choices or category not in ("marketing_messages", "") or not sender.addresses:
            return self.unknown(one, f"Preference {category[:40]} {word[:40]}")
        who = one.get("user_id") or one.get("wa_id") or sender.addresses[0].value
        key = self.key("preference", [who, word, one.get("timestamp")])
        return Preference(key, sender, choices[word], as_moment(one.get("timestamp"), self.received_at))

    def safely(self, piece: Any, read: Callable[[Any], list[Event]]) -> list[Event]:
        """The events of one piece. Whatever goes wrong with it, the pieces beside it are still read."""
        try:
            return read(piece)
        except Exception:
            return [self.unknown(piece, "A part that could not be read")]

    def unknown(self, piece: Any, words: str) -> Unknown:
        """An event for a piece that means nothing to us; the raw body keeps what it was."""
        return Unknown(self.key("unknown", piece), words)

    def key(self, kind: str, piece: Any) -> str:
        """A key from what a piece says, so that it is the same in every delivery and batch."""
        text = json.dumps(piece, sort_keys=True)
        return f"{kind[:40]}:{hashlib.sha256(text.encode()).hexdigest()}"


class _People:
    """The contacts of a change, found by their ids: their order says nothing."""

    def __init__(self, contacts: Any) -> None:
        self.all = [one for one in as_list(contacts) if isinstance(one, Mapping)]
        self.by_id = {
            as_text(one.get(name)): one
            for one in self.all
            for name in ("wa_id", "user_id")
            if as_text(one.get(name))
        }

    def sender(self, *, scoped: Any, plain: Any, parent: Any = "", is_alone: bool = False) -> Sender:
        """Who is meant by these ids, with what their contact adds.

        Either id may be missing, and either may stand in the other's place. `is_alone`: nobody else is spoken of, so
        that a message without any id is from the only contact there is.
        """
        own = [found for found in (as_text(scoped), as_text(plain)) if found]
        contact = next((self.by_id[one] for one in own if one in self.by_id), None)
        if contact is None and not own and is_alone and len(self.all) == 1:
            contact = self.all[0]
        contact = contact or {}
        more = [found for name in ("user_id", "wa_id") if (found := as_text(contact.get(name)))]
        ids = [one for one in own if is_scoped(one)] or [one for one in more if is_scoped(one)]
        ids += [one for one in [*own, *more] if not is_scoped(one)]
        ids = ids or [found for found in (as_text(parent), as_text(contact.get("parent_user_id"))) if found]
        profile = as_map(contact.get("profile"))
        return Sender(
            addresses=tuple(as_address(one) for one in dict.fromkeys(ids)),
            name=as_text(profile.get("name"))[:200],
            username=as_text(profile.get("username"))[:200],
        )


# What a message says


def _content(kind: str, message: Mapping[str, Any]) -> _Content:
    """What it says; a kind without a reader is OTHER, with words for whoever looks at the thread."""
    read = READERS.get(kind)
    if read is not None and isinstance(message.get(kind), (Mapping, list)):
        return read(message[kind], message)
    named = f" ({kind[:40]})" if kind not in ("", "unsupported", "unknown") else ""
    return _Content(Said.OTHER, f"A message of a kind that cannot be shown here{named}")


def _said_text(part: Any, message: Mapping[str, Any]) -> _Content:
    return _Content(Said.TEXT, as_text(as_map(part).get("body")))


def _said_file(part: Any, message: Mapping[str, Any]) -> _Content:
    part = as_map(part)
    size = part.get("file_size")
    file = RemoteFile(
        id=short(as_text(part.get("id"))),
        name=as_text(part.get("filename"))[-200:],  # the end tells what it is
        media_type=as_text(part.get("mime_type"))[:120],
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
        sha256=hexadecimal(part.get("sha256")),
        url=as_text(part.get("url")) or as_text(part.get("link")),
    )
    return _Content(Said.FILE, as_text(part.get("caption")), files=(file,))


def _said_location(part: Any, message: Mapping[str, Any]) -> _Content:
    """The name and the address that they chose to show; coordinates are never kept (spec §2), nor the map's link."""
    shown = [found for name in ("name", "address") if (found := as_text(as_map(part).get(name)))]
    return _Content(Said.LOCATION, ", ".join(shown) or "A location")


def _said_contacts(part: Any, message: Mapping[str, Any]) -> _Content:
    cards = [as_map(card) for card in as_list(part)]
    names = [
        as_text(name.get("formatted_name")) or as_text(name.get("first_name"))
        for name in (as_map(card.get("name")) for card in cards)
    ]
    shared = ""
    for card in cards:
        origin = as_text(card.get("origin")) or as_text(message.get("origin"))
        # only an answer to our own request is their number; any other card may be somebody else's
        if not shared and origin.startswith("contact_request"):
            phones = [as_map(phone) for phone in as_list(card.get("phones"))]
            shared = next((as_text(one.get("phone")) for one in phones if as_text(one.get("phone"))), "")
            plain = next((as_text(one.get("wa_id")) for one in phones if as_text(one.get("wa_id"))), "")
            shared = shared or (f"+{plain}" if plain.isdigit() else "")
    known = ", ".join(name for name in names if name)
    text = "Their own number" if shared else f"A contact card: {known}" if known else "A contact card"
    return _Content(Said.CONTACT, text, shared_number=shared)


def _said_button(part: Any, message: Mapping[str, Any]) -> _Content:
    part = as_map(part)
    text, payload = as_text(part.get("text")), as_text(part.get("payload"))
    return _Content(Said.BUTTON, text or payload, payload=payload or text)


def _said_interactive(part: Any, message: Mapping[str, Any]) -> _Content:
    part = as_map(part)
    kind = as_text(part.get("type"))
    answer = as_map(part.get(kind))
    if kind in ("button_reply", "list_reply"):
        title, chosen = as_text(answer.get("title")), as_text(answer.get("id"))
        return _Content(Said.BUTTON, title or chosen, payload=chosen or title)
    if kind == "nfm_reply":  # a form; its JSON is kept as it came, since it need not be valid
        shown = as_text(answer.get("body")) or as_text(answer.get("name")) or "A form"
        return _Content(Said.BUTTON, shown, payload=as_text(answer.get("response_json")))
    if kind == "call_permission_reply":
        return _Content(
            Said.OTHER, f"Answer to a request to call: {as_text(answer.get('response')) or 'unknown'}"
        )
    return _Content(Said.OTHER, "A message of a kind that cannot be shown here")


def _said_reaction(part: Any, message: Mapping[str, Any]) -> _Content:
    """No emoji: the reaction was taken back."""
    part = as_map(part)
    to = short(as_text(part.get("message_id")))
    return _Content(Said.REACTION, as_text(part.get("emoji")), quotes=(to,) if to else ())


def _said_order(part: Any, message: Mapping[str, Any]) -> _Content:
    part = as_map(part)
    count = len(as_list(part.get("product_items")))
    return _Content(Said.OTHER, f"An order of {count} items. {as_text(part.get('text'))}".strip())


def _said_edit(part: Any, message: Mapping[str, Any]) -> _Content:
    part = as_map(part)
    inner = as_map(part.get("message"))
    what = _content(as_text(inner.get("type")), inner) if inner else _Content(Said.EDIT)
    original = short(as_text(part.get("original_message_id")))
    return _Content(Said.EDIT, what.text, files=what.files, quotes=(original,) if original else ())


def _said_revoke(part: Any, message: Mapping[str, Any]) -> _Content:
    original = short(as_text(as_map(part).get("original_message_id")))
    return _Content(Said.REVOKED, quotes=(original,) if original else ())


READERS: dict[str, Callable[[Any, Mapping[str, Any]], _Content]] = {
    "text": _said_text,
    **dict.fromkeys(FILES, _said_file),
    "location": _said_location,
    "contacts": _said_contacts,
    "button": _said_button,
    "interactive": _said_interactive,
    "reaction": _said_reaction,
    "order": _said_order,
    "edit": _said_edit,
    "revoke": _said_revoke,
}


def _whence(message: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """Where a message came from, for people: an advertisement, a product, or passed on from another chat."""
    referral = as_map(message.get("referral"))
    if referral:
        named = (as_text(referral.get(name)) for name in ("headline", "body", "source_url", "source_id"))
        return f"Advertisement: {next((one for one in named if one), 'unnamed')}"[:300]
    if context.get("referred_product"):
        return "A product of the catalogue"
    if context.get("forwarded") is True or context.get("frequently_forwarded") is True:
        return "Forwarded"
    return ""


def _address_changes(system: Mapping[str, Any], sender: Sender, key: str, at: datetime) -> list[Event]:
    """A new number or a new business-scoped id. One message may tell of both: each is an event of its own."""
    kind = as_text(system.get("type"))
    if kind not in ("user_changed_number", "customer_changed_number", "user_changed_user_id"):
        return []
    own = {address.kind: address.value for address in reversed(sender.addresses)}
    plain, scoped = AddressKind.WHATSAPP_ID, AddressKind.BUSINESS_SCOPED_ID
    old_number = as_text(system.get("customer")) or own.get(plain, "")
    old_id = as_text(system.get("previous_user_id")) or own.get(scoped, "")
    new_number = as_text(system.get("wa_id")) or as_text(system.get("new_wa_id"))
    new_id = as_text(system.get("user_id"))
    if is_scoped(new_number):  # ids have been seen in each other's places
        new_number, new_id = "", new_id or new_number
    if is_scoped(old_number):
        old_number, old_id = "", old_id or old_number
    # where the old address of a kind is not told, the other kind's says whose the new one is
    pairs = [(old_number or old_id, new_number, "number"), (old_id or old_number, new_id, "id")]
    return [
        AddressChanged(f"{key}:{what}", before=as_address(before), after=as_address(after), at=at)
        for before, after, what in pairs
        if before and after and before != after
    ]


# Templates and the account


def _template(field: str, value: Mapping[str, Any], key: str, at: datetime) -> TemplateChanged | None:
    """What Meta decided about a template; None when it does not say which."""
    name = as_text(value.get("message_template_name"))[:512]
    if not name:
        return None
    changed = TemplateChanged(
        key, name=name, language=as_text(value.get("message_template_language"))[:20], at=at
    )
    if field == "message_template_status_update":
        rejection, other = as_map(value.get("rejection_info")), as_map(value.get("other_info"))
        reason = as_text(value.get("reason"))
        said = [
            "" if reason.upper() == "NONE" else reason,
            *(as_text(rejection.get(part)) for part in ("reason", "recommendation")),
            *(as_text(other.get(part)) for part in ("title", "description")),
        ]
        return replace(
            changed,
            state=as_text(value.get("event")).lower()[:40],
            reason=". ".join(part.rstrip(".") for part in said if part)[:1000],
            category=as_text(value.get("message_template_category")).lower()[:40],
        )
    if field == "message_template_quality_update":
        return replace(changed, quality=as_text(value.get("new_quality_score")).lower()[:20])
    if field == "template_category_update":
        coming = as_text(value.get("correct_category")).lower()[:40]
        if coming:  # announced a day ahead; the change itself comes as another update
            return replace(changed, reason=f"Becomes {coming} in 24 hours")
        return replace(changed, category=as_text(value.get("new_category")).lower()[:40])
    return changed


def limit_of(value: Any) -> tuple[int | None, bool]:
    """A messaging limit as Meta writes it (2000, "TIER_2K", "TIER_UNLIMITED", -1): people a day, and whether none."""
    text = as_text(value).upper().removeprefix("TIER_")
    if text in ("UNLIMITED", "-1"):
        return None, True
    found = re.fullmatch(r"([0-9]{1,9})(K|M)?", text)
    if found is None:
        return None, False
    limit = int(found[1]) * {"K": 1_000, "M": 1_000_000, None: 1}[found[2]]
    return (limit, False) if limit < 1_000_000_000 else (None, True)


def _notice_of_limit(value: Mapping[str, Any], key: str, at: datetime) -> AccountNotice:
    told = value.get("max_daily_conversations_per_business")
    limit, is_unlimited = limit_of(value.get("max_daily_conversation_per_phone") if told is None else told)
    words = (
        "There is no limit to the people written to first in a day"
        if is_unlimited
        else f"{limit} people may be written to first in a day"
        if limit is not None
        else "What the account may do has changed"
    )
    return AccountNotice(key, words, at, is_trouble=False, limit=limit, is_unlimited=is_unlimited)


def _notice_of_number(value: Mapping[str, Any], key: str, at: datetime) -> AccountNotice:
    event = as_text(value.get("event")).upper()
    told = value.get("max_daily_conversations_per_business")
    if told is None and not event.startswith(
        "THROUGHPUT"
    ):  # there it is the throughput's tier, not the limit
        told = value.get("current_limit")
    limit, is_unlimited = limit_of(told)
    return AccountNotice(
        key,
        f"WhatsApp about the number: {plainly(event) or 'changed'}",
        at,
        is_trouble=event in ("FLAGGED", "DOWNGRADE"),
        limit=limit,
        is_unlimited=is_unlimited,
        quality={"FLAGGED": "red", "UNFLAGGED": "green"}.get(event, ""),
    )


def _notice_of_account(value: Mapping[str, Any], key: str, at: datetime) -> AccountNotice:
    event = as_text(value.get("event")).upper()
    ban, violation = as_map(value.get("ban_info")), as_map(value.get("violation_info"))
    bans = " ".join(as_text(state) for state in as_list(ban.get("waba_ban_state"))) or as_text(
        ban.get("waba_ban_state")
    )
    restrictions = [as_map(one) for one in as_list(value.get("restriction_info"))]
    told = [
        bans,
        as_text(violation.get("violation_type")),
        *(as_text(one.get("restriction_type")) for one in restrictions),
    ]
    is_trouble = "REINSTATE" not in bans and any(
        word in event
        for word in (
            "DISABLE",
            "VIOLATION",
            "RESTRICT",
            "DELETED",
            "REMOVED",
            "OFFBOARD",
            "UNINSTALL",
            "LOCK",
        )
    )
    shown = ", ".join(plainly(one) for one in told if one)
    words = f"WhatsApp about the account: {plainly(event) or 'changed'}"
    return AccountNotice(key, f"{words} ({shown})" if shown else words, at, is_trouble=is_trouble)


def _notice_of_alert(value: Mapping[str, Any], key: str, at: datetime) -> AccountNotice:
    alert = as_map(value.get("alert_info")) or value
    words = as_text(alert.get("alert_description"))[:1000] or plainly(as_text(alert.get("alert_type")))
    is_trouble = as_text(alert.get("alert_severity")).upper() not in ("", "INFORMATIONAL", "INFO")
    return AccountNotice(key, words or "WhatsApp has an alert for the account", at, is_trouble=is_trouble)


def _notice_of_decision(value: Mapping[str, Any], key: str, at: datetime) -> AccountNotice:
    decision = as_text(value.get("decision")) or as_text(value.get("event"))
    reason = as_text(value.get("rejection_reason"))
    words = f"WhatsApp has decided: {plainly(decision) or 'unknown'}"
    words = f"{words} ({plainly(reason)})" if reason and reason.upper() != "NONE" else words
    return AccountNotice(key, words, at, is_trouble=decision.upper() in ("REJECTED", "DEFERRED", "DENIED"))


NOTICES: dict[str, Callable[[Mapping[str, Any], str, datetime], AccountNotice]] = {
    "business_capability_update": _notice_of_limit,
    "phone_number_quality_update": _notice_of_number,
    "account_update": _notice_of_account,
    "account_alerts": _notice_of_alert,
    "account_review_update": _notice_of_decision,
    "phone_number_name_update": _notice_of_decision,
    "security": _notice_of_decision,
}
