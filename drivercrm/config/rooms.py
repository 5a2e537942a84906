"""What every room does the same way, called one after the other from below to above."""

from drivercrm.communications import workflow as communications
from drivercrm.consent import workflow as consent
from drivercrm.drivers import workflow as drivers


def rebuild() -> dict[str, int]:
    """Makes every derived value what the facts say. Returns how many values were wrong, by name (spec §2)."""
    return {**drivers.rebuild(), **consent.rebuild(), **communications.rebuild()}
