"""A worker in a process of its own; its options come as JSON on the command line."""

import json
import sys
from datetime import timedelta

import django
from django.conf import settings

if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    settings.JOBS_SCHEDULE = "tests.jobs.probe_schedule"
    django.setup()

    from drivercrm.jobs import workflow as jobs  # app ready
    from tests.jobs import probes  # noqa: F401  # app ready

    worker = jobs.worker(
        threads=options["threads"],
        queues=options["queues"],
        lease=timedelta(seconds=options["lease"]),
        poll=timedelta(seconds=0.05),
        clockwork=options["clockwork"],
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    worker.run(grace=timedelta(seconds=options["grace"]))
