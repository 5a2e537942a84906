"""The simulated phone: what a made-up driver answers, and how words from it become a message."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from drivercrm.channels.provider import Choice, Inbound, Outgoing, Preference, RemoteFile, Said, Sender
from drivercrm.channels.sandbox.endings import Channel, Outcome, channel_of, outcome_of
from drivercrm.channels.sandbox.script import between, chance

# what arrives at nobody is answered by nobody
SILENT = frozenset(Outcome) - {Outcome.USUAL, Outcome.HELD, Outcome.READ_ALONE, Outcome.MARKETING_STOPPED}

ANSWERS_TO_YES = 0.6  # of the messages that ask for a YES
ANSWERS = 0.35  # of all others
QUOTES = 0.3

# each with how often it comes
TO_YES = {"YES": 60, "Yes": 14, "Who is this?": 10, "How much can I earn?": 8, "STOP": 5, "NO": 3}
TO_OTHERS = {
    "Thank you": 20,
    "OK": 14,
    "👍": 10,
    "Done": 10,
    "Ngiyabonga": 8,
    "Dankie": 6,
    "I will do it tomorrow": 8,
    "When do I get paid?": 9,
    "The app does not open on my phone": 8,
    "Can you call me?": 5,
    "STOP": 2,
}


@dataclass(frozen=True)
class Answer:
    """What a made-up driver says, how long after the message, and whether it quotes it."""

    delay: timedelta
    text: str
    payload: str = ""  # of the button that was pressed
    is_quote: bool = False


def answer(message: Outgoing) -> Answer | None:
    """What a made-up driver answers, the same for the same message; None: nothing. For demo drivers only (§5.1)."""
    if outcome_of(message.to) in SILENT:
        return None
    asks = re.search(r"\bYES\b", message.text) is not None
    if chance(message.id, "answers") >= (ANSWERS_TO_YES if asks else ANSWERS):
        return None
    delay = between(message.id, "answer", timedelta(seconds=20), timedelta(hours=4))
    buttons = message.template.button_payloads if message.template else ()
    if buttons and chance(message.id, "button") < 0.8:
        return Answer(delay, buttons[0], payload=buttons[0], is_quote=True)
    text = _one_of(TO_YES if asks else TO_OTHERS, chance(message.id, "words"))
    always = channel_of(message.to) == Channel.EMAIL  # a mail programme quotes by itself
    return Answer(delay, text, is_quote=always or chance(message.id, "quotes") < QUOTES)


def spoken(
    sender: Sender,
    text: str,
    *,
    key: str,
    at: datetime,
    payload: str = "",
    files: tuple[RemoteFile, ...] = (),  # with their content
    quotes: tuple[str, ...] = (),
    reply_token: str = "",
    subject: str = "",
) -> Inbound:
    """A message from a simulated phone: a staff member's words, or an Answer's. `key` is the caller's, unique."""
    return Inbound(
        key=f"sandbox:{key}",
        provider_id=f"sandbox:{key}",
        sender=sender,
        at=at,
        said=Said.BUTTON if payload else Said.FILE if files else Said.TEXT,
        text=text,
        full_text=text,
        subject=subject,
        payload=payload,
        files=files,
        quotes=quotes,
        reply_token=reply_token,
    )


def switched(sender: Sender, choice: Choice, *, key: str, at: datetime) -> Preference:
    """A switch turned at a simulated phone: blocked, unblocked, marketing stopped."""
    return Preference(f"sandbox:{key}", sender, choice, at)


def _one_of(weights: dict[str, int], chosen: float) -> str:
    return list(Counter(weights).elements())[int(chosen * sum(weights.values()))]
