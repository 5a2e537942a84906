"""A provider for each channel that needs no account (spec §5.1).

It keeps nothing between calls: what follows a message is told by `script`, what a made-up driver answers by
`phone.answer`; who calls plays them, as raw bodies of `written.write`, which `parse` reads again.
"""

import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from drivercrm.channels.email.capabilities import capabilities_of
from drivercrm.channels.email.settings import Settings as Mailbox
from drivercrm.channels.provider import (
    Accepted,
    Address,
    Attachment,
    Capabilities,
    Draft,
    Event,
    Failure,
    KeptTemplate,
    Knock,
    NotReached,
    Outgoing,
    RemoteFile,
    SendFailed,
    Standing,
    Unknown,
)
from drivercrm.channels.sandbox import written
from drivercrm.channels.sandbox.endings import Channel, Outcome, channel_of, outcome_of
from drivercrm.channels.sandbox.script import between, provider_id
from drivercrm.channels.telegram.capabilities import CAPABILITIES as TELEGRAM
from drivercrm.channels.telegram.capabilities import length_of
from drivercrm.channels.whatsapp.capabilities import CAPABILITIES as WHATSAPP

CAPABILITIES: dict[Channel, Capabilities] = {
    Channel.WHATSAPP: WHATSAPP,
    Channel.TELEGRAM: TELEGRAM,
    Channel.EMAIL: capabilities_of(Mailbox("sandbox.invalid", 25, "sandbox@sandbox.invalid")),
}

# what is refused at once, with the real provider's code
REFUSALS = {
    Channel.WHATSAPP: {
        Outcome.TEMPORARY: (Failure.TEMPORARY, "131016", "Service unavailable"),
        Outcome.RATE: (Failure.RATE, "130429", "Rate limit hit"),
        Outcome.RECIPIENT_RATE: (Failure.RECIPIENT_RATE, "131056", "Too many messages to this person"),
        Outcome.CONTENT: (Failure.CONTENT, "131009", "Parameter value is not valid"),
        Outcome.IN_DOUBT: (Failure.IN_DOUBT, "", "No answer came"),
    },
    Channel.TELEGRAM: {
        Outcome.UNREACHABLE: (
            Failure.UNREACHABLE,
            "403",
            "Forbidden: bot can't initiate conversation with a user",
        ),
        Outcome.BLOCKED: (Failure.BLOCKED, "403", "Forbidden: bot was blocked by the user"),
        Outcome.TEMPORARY: (Failure.TEMPORARY, "503", "Service Unavailable"),
        Outcome.RATE: (Failure.RATE, "429", "Too Many Requests: retry after 3"),
        Outcome.RECIPIENT_RATE: (Failure.RATE, "429", "Too Many Requests: retry after 3"),
        Outcome.CONTENT: (Failure.CONTENT, "400", "Bad Request: message is not valid"),
        Outcome.IN_DOUBT: (Failure.IN_DOUBT, "", "No answer came"),
    },
    Channel.EMAIL: {
        Outcome.TEMPORARY: (Failure.TEMPORARY, "4.3.0", "451 4.3.0 Try again later"),
        Outcome.RATE: (Failure.RATE, "4.7.0", "421 4.7.0 Too many messages"),
        Outcome.RECIPIENT_RATE: (
            Failure.RECIPIENT_RATE,
            "4.2.1",
            "450 4.2.1 Too many messages to this mailbox",
        ),
        Outcome.CONTENT: (Failure.CONTENT, "5.6.0", "554 5.6.0 Message refused"),
        Outcome.IN_DOUBT: (Failure.IN_DOUBT, "", "No answer came"),
    },
}
WAITS = {Failure.RATE: timedelta(seconds=3), Failure.RECIPIENT_RATE: timedelta(seconds=6)}


class Sandbox:
    """One channel. `last_heard` tells when a person last wrote, for WhatsApp's window; `kept` are the templates.

    Without `last_heard` the window is the caller's affair; without `kept` every template counts as approved.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        last_heard: Callable[[Address], datetime | None] | None = None,
        kept: Sequence[KeptTemplate] | None = None,
        limit: int = 2_000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.channel = channel
        self.capabilities = CAPABILITIES[channel]
        self._last_heard = last_heard
        self._kept = kept
        self._limit = limit
        self._sleep = sleep

    # Provider

    def send(self, message: Outgoing) -> Accepted:
        """Takes a message as the real provider would, 20 to 120 ms later. Raises SendFailed."""
        latency = between(message.id, "latency", timedelta(milliseconds=20), timedelta(milliseconds=120))
        self._sleep(latency.total_seconds())
        self._check_form(message)
        outcome = outcome_of(message.to)
        refusal = REFUSALS[self.channel].get(outcome)
        if refusal:
            failure, code, words = refusal
            raise SendFailed(failure, words, code=code, wait=WAITS.get(failure))
        now = datetime.now(UTC)
        if self.channel == Channel.WHATSAPP:
            self._check_template(message)
            self._check_window(message, outcome, now)
        is_held = self.channel == Channel.WHATSAPP and outcome == Outcome.HELD
        return Accepted(provider_id(message), now, is_held=is_held)

    def is_genuine(self, knock: Knock) -> bool:
        """Nobody knocks: what the sandbox tells is made inside."""
        return False

    def greeting(self, knock: Knock) -> str | None:
        """Nobody knocks."""
        return None

    def parse(self, body: bytes, received_at: datetime) -> list[Event]:
        """The event that `written.write` wrote."""
        try:
            return [written.read(body)]
        except ValueError:
            return [Unknown(f"sandbox:{sha256(body).hexdigest()}", "not an event of the sandbox")]

    def fetch(self, file: RemoteFile, most: int) -> Attachment:
        """A file that the simulated phone has sent, from the event itself. Raises NotReached."""
        if file.content is None or len(file.content) > most:
            raise NotReached(Failure.CONTENT, "The file is too large, or is not there.")
        return Attachment(file.name, file.media_type, file.content)

    def check(self) -> Standing:
        """There is no account to ask for."""
        limit = self._limit if self.channel == Channel.WHATSAPP else None
        return Standing("Sandbox", "", limit=limit, words="Nothing leaves this installation.")

    def close(self) -> None:
        """There is no connection."""

    # Templates of WhatsApp, and its blue ticks

    def templates(self) -> list[KeptTemplate]:
        """Those that the sandbox was made with: it keeps none itself."""
        return list(self._kept or ())

    def submit(self, draft: Draft) -> KeptTemplate:
        """Takes a template in; `script.decision` tells what becomes of it. Raises NotReached."""
        names = list(dict.fromkeys(re.findall(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}", draft.body)))
        if not re.fullmatch(r"[a-z0-9_]{1,512}", draft.name):
            raise NotReached(
                Failure.CONTENT, "A template's name has small letters, digits and _.", code="100"
            )
        if not draft.body.strip() or not all(draft.examples.get(name) for name in names):
            raise NotReached(
                Failure.CONTENT, "The body needs words, and each variable an example.", code="100"
            )
        return KeptTemplate(
            name=draft.name,
            language=draft.language,
            state="pending",
            category=draft.category,
            body=draft.body,
            variables=tuple(names),
            buttons=draft.buttons,
            id=f"sandbox:{draft.name}:{draft.language}",
        )

    def mark_read(self, provider_id: str) -> None:
        """Nobody sees it."""

    # What the real ones refuse

    def _check_form(self, message: Outgoing) -> None:
        can = self.capabilities
        if channel_of(message.to) != self.channel or not _is_address(message.to):
            raise SendFailed(Failure.UNREACHABLE, f"This is no address on {self.channel}.")
        if not message.text.strip() and not message.attachments:
            raise SendFailed(Failure.CONTENT, "The message is empty.")
        most = can.longest_text
        if message.attachments and can.longest_caption is not None:
            most = can.longest_caption
        length = length_of(message.text) if self.channel == Channel.TELEGRAM else len(message.text)
        if length > most:
            raise SendFailed(Failure.CONTENT, f"The text may have {most} characters here.")
        if len(message.attachments) > can.most_files:
            raise SendFailed(Failure.CONTENT, f"A message may have {can.most_files} files here.")
        if any(len(file.content) > can.most_bytes(file.media_type) for file in message.attachments):
            raise SendFailed(Failure.CONTENT, "A file is too large, or of a kind that cannot be sent here.")

    def _check_template(self, message: Outgoing) -> None:
        asked = message.template
        if asked is None:
            return
        if asked.name.endswith("_paused"):
            raise SendFailed(Failure.TEMPLATE, "The template is paused.", code="132015")
        known = [one for one in self._kept or () if (one.name, one.language) == (asked.name, asked.language)]
        if self._kept is not None and not any(one.state == "approved" for one in known):
            raise SendFailed(
                Failure.TEMPLATE, "The template is not approved in this language.", code="132001"
            )

    def _check_window(self, message: Outgoing, outcome: Outcome, now: datetime) -> None:
        if message.template or not self.capabilities.window:
            return
        is_shut = outcome == Outcome.WINDOW_SHUT
        if self._last_heard:
            heard = self._last_heard(message.to)
            is_shut = is_shut or heard is None or now - heard > self.capabilities.window
        if is_shut:
            raise SendFailed(
                Failure.NEEDS_TEMPLATE, "More than 24 hours have passed since they wrote.", code="131047"
            )


def _is_address(address: Address) -> bool:
    match channel_of(address):
        case Channel.TELEGRAM:
            return re.fullmatch(r"-?[0-9]{1,19}", address.value) is not None
        case Channel.EMAIL:
            return re.fullmatch(r"[^@\s]+@[^@\s]+", address.value) is not None
        case Channel.WHATSAPP:
            return re.fullmatch(r"\+?[0-9]{5,20}|[A-Z]{2}\.[A-Za-z0-9.]{1,128}", address.value) is not None
