"""A worker in a process of its own, or in threads of one that a web server forked; its options come as JSON."""

import json
import multiprocessing
import signal
import sys
import time
from datetime import timedelta
from typing import Any

import django
from django.conf import settings

from drivercrm.jobs import workflow as jobs
from tests.jobs import probes  # noqa: F401


def work(options: dict[str, Any]) -> None:
    settings.JOBS_SCHEDULE = "tests.jobs.probe_schedule"
    django.setup()

    worker = jobs.worker(
        threads=options["threads"],
        queues=options["queues"],
        lease=timedelta(seconds=options["lease"]),
        poll=timedelta(seconds=0.05),
        clockwork=options["clockwork"],
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if options["as_web"]:
        told: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
        worker.start()
        while not told:
            time.sleep(0.05)
    else:
        worker.run(grace=timedelta(seconds=options["grace"]))


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if given["as_web"]:
        child = multiprocessing.get_context("fork").Process(target=work, args=(given,))
        child.start()
        child.join()
        sys.exit(child.exitcode)
    work(given)
