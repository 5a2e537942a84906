"""Whether a message may leave: the one decision that every path uses (spec §4), explained in docs/rules/consent.md.

Plain Python. The caller brings the facts as they stand under the driver's lock, in the transaction that marks the
message *sending*.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

ANSWER_WINDOW = timedelta(hours=24)


class Ground(StrEnum):
    """Why a message is written. The sender names it; the decision checks that it holds."""

    ANSWER = "answer"  # a person answers what the driver wrote
    TICKET = "ticket"  # about the driver's own open ticket; what no person wrote needs consent as well
    CONSENT = "consent"  # anything else: a person, a campaign, a sequence, the answer to YES
    WELCOME = "welcome"  # the one message to somebody who was never asked
    CONFIRMATION = "confirmation"  # of a STOP or a START: one each


@dataclass(frozen=True)
class Facts:
    """What stands about one driver and one address at this moment.

    `states` are all (channel, purpose) pairs the ledger knows; the moments are None for what never happened.
    """

    channel: str
    purpose: str
    states: dict[tuple[str, str], str] = field(default_factory=dict)
    is_opted_out: bool = False
    is_suppressed: bool = False  # the holder of this address said no on this channel
    is_welcomed: bool = False  # the one welcome has left, on whatever channel
    last_wrote_at: datetime | None = None  # the driver's own latest message on this channel, a STOP aside
    said_no_at: datetime | None = None  # the latest no that still stands on this channel
    has_open_ticket: bool = False
    is_confirmed: bool = False  # this STOP or START has had its confirmation
    holds_automation: bool = False  # a message that merely contains a stop word: a person must look first
    is_automatic: bool = False


@dataclass(frozen=True)
class Decision:
    """Whether it may leave; if not, a code for programs and a sentence for people.

    `may_come`: only somebody's look, or time, is missing; the message waits instead of being dropped.
    """

    may_leave: bool
    code: str = ""
    sentence: str = ""
    may_come: bool = False


YES = Decision(True)


def decide(ground: Ground, facts: Facts, now: datetime) -> Decision:
    """Whether a message on this ground may leave now."""
    if ground == Ground.CONFIRMATION:
        return _once(facts.is_confirmed, "already_confirmed", "This was confirmed already.")
    if ground == Ground.ANSWER:
        return _answer(facts, now)
    if facts.is_opted_out:
        return Decision(
            False, "opted_out", "This driver has opted out. Only an answer to their own message can leave."
        )
    if facts.is_suppressed:
        return Decision(False, "address_said_no", "Somebody with this address asked not to be contacted.")
    state = facts.states.get((facts.channel, facts.purpose), "never_asked")
    if state == "withdrawn":
        return Decision(
            False, "withdrawn", f"Consent for {facts.purpose} messages on this channel was withdrawn."
        )
    if facts.is_automatic and facts.holds_automation:
        return Decision(
            False,
            "automation_held",
            "A message of this driver may be a stop. Somebody has to look at it before anything automatic leaves.",
            may_come=True,
        )
    if ground == Ground.TICKET and not facts.is_automatic:
        return _once(not facts.has_open_ticket, "no_open_ticket", "This driver has no open ticket.")
    if ground == Ground.WELCOME:
        return _welcome(facts)
    if state == "granted":
        return YES
    if state == "asked":
        return Decision(False, "no_answer", "This driver was asked and has not said yes.")
    return Decision(
        False, "never_asked", f"This driver was never asked for {facts.purpose} messages on this channel."
    )


def _once(is_over: bool, code: str, sentence: str) -> Decision:
    return Decision(False, code, sentence) if is_over else YES


def _answer(facts: Facts, now: datetime) -> Decision:
    """A person may answer for a day, also somebody who has opted out, if they wrote again after that."""
    if facts.is_automatic:
        return Decision(False, "not_a_person", "Only a person answers without consent.")
    if facts.last_wrote_at is None or now - facts.last_wrote_at > ANSWER_WINDOW:
        return Decision(False, "nothing_to_answer", "The driver has not written here in the last 24 hours.")
    if facts.said_no_at is not None and facts.last_wrote_at <= facts.said_no_at:
        return Decision(
            False, "said_no_since", "The driver asked not to be contacted, and has not written since."
        )
    return YES


def _welcome(facts: Facts) -> Decision:
    """Exactly one, ever, over all channels, and only to those who were never asked anything anywhere."""
    if facts.is_welcomed:
        return Decision(False, "welcomed", "This driver has had the one welcome already.")
    if any(state in {"asked", "withdrawn"} for state in facts.states.values()):
        return Decision(False, "asked_before", "This driver was asked before, and a welcome asks only once.")
    return YES
