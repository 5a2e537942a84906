"""Filters by consent, added to every list of drivers."""

from django.db.models import OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import In, IsNull

from drivercrm.consent.enums import ConsentChannel, ConsentState, Purpose
from drivercrm.consent.models import Consent
from drivercrm.drivers.filters import Choices, Field, Viewer, add_field

STATES: Choices = ConsentState.choices


def _on(channel: str) -> Field:
    """The state of one channel for the driver's own matters (service), as the list's icons show it."""
    # one value looked up per driver: unlike EXISTS, no planner turns it into a reading of the whole ledger
    rows = Consent.objects.filter(driver_id=OuterRef("pk"), channel=channel, purpose=Purpose.SERVICE)
    state = Coalesce(Subquery(rows.values("state")[:1]), Value(ConsentState.NEVER_ASKED))

    def where(op: str, values: tuple[str, ...], viewer: Viewer) -> Q:
        condition = Q(In(state, values))
        return ~condition if op == "not" else condition

    def seek(op: str, values: tuple[str, ...], viewer: Viewer) -> Q:
        if op == "not" or ConsentState.NEVER_ASKED in values:
            return where(op, values, viewer)
        return Q(consents__channel=channel, consents__purpose=Purpose.SERVICE, consents__state__in=values)

    label = ConsentChannel(channel).label
    return Field(f"consent_{channel}", f"Consent on {label}", "choice", where, STATES, seek=seek)


def _anywhere(op: str, values: tuple[str, ...], viewer: Viewer) -> Q:
    """A state on at least one channel for any purpose; never asked means on none."""
    rows = Consent.objects.filter(driver_id=OuterRef("pk"))
    condition = Q(pk__in=[])
    kept = [value for value in values if value != ConsentState.NEVER_ASKED]
    if kept:
        condition |= Q(IsNull(Subquery(rows.filter(state__in=kept).values("pk")[:1]), False))
    if len(kept) < len(values):
        condition |= Q(IsNull(Subquery(rows.values("pk")[:1]), True))
    return ~condition if op == "not" else condition


add_field(Field("consent", "Consent on any channel", "choice", _anywhere, STATES))
for _channel in (ConsentChannel.WHATSAPP, ConsentChannel.TELEGRAM, ConsentChannel.EMAIL):
    add_field(_on(_channel))
