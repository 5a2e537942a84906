"""A schedule for the tests."""

from drivercrm.jobs.clockwork import every

SCHEDULE = [every("1 second", "probe.tick")]
