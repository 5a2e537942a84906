"""The driver for programs: the same verbs and queries as the pages (spec §9), one file for each noun.

A file begins with what its routes take and answer; a route fetches, calls one verb and answers.
"""

from ninja import Router

from drivercrm.drivers.api import drivers, follow_ups, saved_views, status_changes, steps

router = Router()
for noun in (drivers, status_changes, steps, follow_ups, saved_views):
    router.add_router("", noun.router)
