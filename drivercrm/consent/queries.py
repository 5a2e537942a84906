"""Reads of the ledger and its projection."""

import hashlib
import hmac
from collections.abc import Iterable
from uuid import UUID

from django.conf import settings

from drivercrm.consent.enums import ConsentEventKind, ConsentState
from drivercrm.consent.models import Consent, ConsentEvent, SuppressedAddress

State = dict[tuple[str, str], str]


def states(driver_ids: Iterable[UUID]) -> dict[UUID, State]:
    """(channel, purpose) → state of each driver, in one query; what is not there was never asked."""
    found: dict[UUID, State] = {pk: {} for pk in driver_ids}
    for row in Consent.objects.filter(driver_id__in=list(found)):
        found[row.driver_id][row.channel, row.purpose] = row.state
    return found


def state_of(states_of_driver: State, channel: str, purpose: str) -> str:
    """One state, *never asked* where the ledger is silent."""
    return states_of_driver.get((channel, purpose), ConsentState.NEVER_ASKED)


def from_ledger(driver_ids: Iterable[UUID]) -> dict[UUID, dict[tuple[str, str], ConsentEvent]]:
    """The event that decides each state, worked out from the ledger: the last grant or withdrawal by the time

    it happened (then by the time it was recorded), else the last question.
    """
    found: dict[UUID, dict[tuple[str, str], ConsentEvent]] = {pk: {} for pk in driver_ids}
    for event in ConsentEvent.objects.filter(driver_id__in=list(found)).order_by("at", "recorded_at", "id"):
        place = found[event.driver_id]
        key = (event.channel, event.purpose)
        if (
            event.kind == ConsentEventKind.ASKED
            and key in place
            and place[key].kind != ConsentEventKind.ASKED
        ):
            continue
        place[key] = event
    return found


def address_hash(kind: str, value: str) -> str:
    """A keyed hash: it recognises an address, and gives none away to whoever reads the table."""
    key = settings.ADDRESS_KEY.encode()
    return hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()


def suppressed(addresses: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these (kind, value) addresses belong to somebody who said stop (spec §4)."""
    hashes = {address_hash(kind, value): (kind, value) for kind, value in addresses}
    rows = SuppressedAddress.objects.filter(address_hash__in=list(hashes)).values_list(
        "address_hash", flat=True
    )
    return {hashes[row] for row in rows}
