"""Everything that recurs, one line each, readable aloud. Times are the organisation's (house §10)."""

from drivercrm.jobs.clockwork import Line

SCHEDULE: list[Line] = []
