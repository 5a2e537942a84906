"""Filters by consent, added to every list of drivers."""

from django.db.models import Exists, OuterRef, Q

from drivercrm.consent.enums import ConsentChannel, ConsentState, Purpose
from drivercrm.consent.models import Consent
from drivercrm.drivers.filters import Choices, Field, Viewer, add_field

STATES: Choices = ConsentState.choices


def _held(channel: str = "", states: tuple[str, ...] = ()) -> Exists:
    rows = Consent.objects.filter(driver_id=OuterRef("pk"))
    if channel:
        rows = rows.filter(channel=channel, purpose=Purpose.SERVICE)
    if states:
        rows = rows.filter(state__in=states)
    return Exists(rows)


def _on(channel: str) -> Field:
    """The state of one channel for the driver's own matters (service), as the list's icons show it."""

    def where(op: str, values: tuple[str, ...], viewer: Viewer) -> Q:
        kept = tuple(value for value in values if value != ConsentState.NEVER_ASKED)
        condition = Q(_held(channel, kept)) if kept else Q(pk__in=[])
        if ConsentState.NEVER_ASKED in values:
            condition |= ~Q(_held(channel))
        return ~condition if op == "not" else condition

    def seek(op: str, values: tuple[str, ...], viewer: Viewer) -> Q:
        if op == "not" or ConsentState.NEVER_ASKED in values:
            return where(op, values, viewer)
        return Q(consents__channel=channel, consents__purpose=Purpose.SERVICE, consents__state__in=values)

    label = ConsentChannel(channel).label
    return Field(f"consent_{channel}", f"Consent on {label}", "choice", where, STATES, seek=seek)


def _anywhere(op: str, values: tuple[str, ...], viewer: Viewer) -> Q:
    kept = tuple(value for value in values if value != ConsentState.NEVER_ASKED)
    condition = Q(_held(states=kept)) if kept else Q(pk__in=[])
    if ConsentState.NEVER_ASKED in values:
        condition |= ~Q(_held())
    return ~condition if op == "not" else condition


add_field(Field("consent", "Consent on any channel", "choice", _anywhere, STATES))
for _channel in (ConsentChannel.WHATSAPP, ConsentChannel.TELEGRAM, ConsentChannel.EMAIL):
    add_field(_on(_channel))
