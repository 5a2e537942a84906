"""Everything that recurs, one line each, readable aloud. Times are the organisation's (house §10)."""

from drivercrm.jobs.clockwork import every, every_day

SCHEDULE = [
    every("30 seconds", "journal.sweep"),
    every("30 seconds", "communications.sweep"),
    every("1 minute", "imports.resume"),
    every("1 hour", "accounts.forget_answers"),
    every_day("03:10", "drivers.mark_inactive"),
    every_day("03:40", "imports.tidy"),
]
