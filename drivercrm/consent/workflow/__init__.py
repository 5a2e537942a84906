"""The verbs of consent: only they open the door to opted out and back (spec §4)."""

from drivercrm.consent.workflow.addresses import bound_drivers, sharers_of
from drivercrm.consent.workflow.answers import carry_over_suppression, grant, withdraw
from drivercrm.consent.workflow.imports import grant_by_import, grant_to_new, take_back_import
from drivercrm.consent.workflow.ledger import ALL_CHANNELS, ALL_PURPOSES, project, rebuild
from drivercrm.consent.workflow.welcoming import let_welcome_leave, note_asked, take_welcome_back

__all__ = [
    "ALL_CHANNELS",
    "ALL_PURPOSES",
    "bound_drivers",
    "carry_over_suppression",
    "grant",
    "grant_by_import",
    "grant_to_new",
    "let_welcome_leave",
    "note_asked",
    "project",
    "rebuild",
    "sharers_of",
    "take_back_import",
    "take_welcome_back",
    "withdraw",
]
