"""What the words of a message do by themselves: STOP, START, YES (spec §3, §4)."""

from drivercrm.communications.enums import MessageType
from drivercrm.communications.keywords import Meaning
from drivercrm.communications.models import Communication, MessageTemplate, Thread
from drivercrm.communications.queries import template_for
from drivercrm.communications.workflow.queueing import STOP_CAUSE, clear, queue
from drivercrm.communications.workflow.texts import fill
from drivercrm.communications.workflow.threads import keep_thread
from drivercrm.consent import queries as consents
from drivercrm.consent import workflow as consent
from drivercrm.consent.enums import ConsentState, Purpose
from drivercrm.consent.formula import Ground
from drivercrm.core import clock
from drivercrm.core.actors import automation
from drivercrm.core.errors import Refused
from drivercrm.drivers.models import Driver

KEYWORDS = automation("keywords")
STOPPED = "You will get no more messages from us. Write START if you change your mind."
STARTED = "Welcome back. Write STOP at any time to end these messages."


def act_on(row: Communication, driver: Driver, meaning: Meaning, *, is_proven: bool) -> None:
    """Does what a driver's message asks for, in its transaction. `is_proven`: it is certain whose word it is."""
    match meaning:
        case Meaning.STOP:
            _stop(row, driver)
        case Meaning.MAYBE_STOP:
            keep_thread(driver.pk)
            Thread.objects.filter(driver=driver).update(holds_automation=True)
        case Meaning.START if is_proven:
            _start(row, driver)
        case Meaning.YES if is_proven and _answers_welcome(row):
            _agree(row, driver)
        case _:
            pass


def _stop(row: Communication, driver: Driver) -> None:
    """Everything, everywhere; what waits is taken back; one confirmation on that channel, and nothing after it."""
    before = consents.states([driver.pk])[driver.pk]
    stands = any(state != ConsentState.WITHDRAWN for state in before.values()) or not before
    consent.withdraw(
        driver,
        source="message",
        by=KEYWORDS,
        evidence=f"Message of {row.sent_at:%Y-%m-%d %H:%M} UTC",
        at=min(row.sent_at, clock.now()),
    )
    _handled(row)
    after = consents.states([driver.pk])[driver.pk]
    if ConsentState.GRANTED in after.values():
        return  # a yes that was said later was learned of first
    clear(driver.pk, reason="opted_out", words="The driver wrote STOP", by=KEYWORDS)
    if stands:
        _confirm(row, driver, STOPPED, f"{STOP_CAUSE}{row.pk}")


def _start(row: Communication, driver: Driver) -> None:
    consent.grant(
        driver,
        channels=[row.channel],
        purposes=Purpose.values,
        source="message",
        evidence=f"Message of {row.sent_at:%Y-%m-%d %H:%M} UTC",
        by=KEYWORDS,
        at=min(row.sent_at, clock.now()),
    )
    _confirm(row, driver, STARTED, f"start:{row.pk}")
    _handled(row)


def _agree(row: Communication, driver: Driver) -> None:
    """YES to the welcome: consent, and the invitation goes out (spec §3)."""
    consent.grant(
        driver,
        channels=[row.channel],
        purposes=Purpose.values,
        source="message",
        evidence=f"YES of {row.sent_at:%Y-%m-%d %H:%M} UTC",
        wording=row.answers.message_body if row.answers else "",
        by=KEYWORDS,
        at=min(row.sent_at, clock.now()),
    )
    template = template_for("invitation", row.channel, driver.language)
    if template is not None:
        _invite(row, driver, template)
        _handled(row)


def _invite(row: Communication, driver: Driver, template: MessageTemplate) -> None:
    filled = fill(template, driver)
    try:
        queue(
            driver,
            message_type=MessageType.ONBOARDING,
            channel=row.channel,
            body=filled.body,
            subject=filled.subject,
            template=template,
            values=filled.values,
            ground=Ground.CONSENT,
            by=KEYWORDS,
            cause=f"yes:{row.pk}",
        )
    except Refused:
        return  # a person sees the YES in the inbox, where nobody has answered it


def _answers_welcome(row: Communication) -> bool:
    return row.answers is not None and row.answers.message_type == MessageType.WELCOME


def _confirm(row: Communication, driver: Driver, text: str, cause: str) -> None:
    try:
        queue(
            driver,
            message_type=MessageType.SUPPORT,
            channel=row.channel,
            body=text,
            ground=Ground.CONFIRMATION,
            by=KEYWORDS,
            cause=cause,
        )
    except Refused:
        return  # they wrote from where nothing can be sent


def _handled(row: Communication) -> None:
    """Automation has dealt with it fully: it waits for nobody (spec §5.6)."""
    row.is_handled = True
    row.save(update_fields=["is_handled"])
