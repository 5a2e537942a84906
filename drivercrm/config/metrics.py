"""Counts of this process and the state of the queues, in Prometheus' text format.

Four families need no library. Each web process counts for itself: scrape each, and let Prometheus add up.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from drivercrm.jobs import queries as jobs

# seconds; the targets of spec §11 lie well inside the first ones
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

METHODS = {"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"}

_lock = threading.Lock()
_requests: dict[tuple[str, str], int] = defaultdict(int)
_buckets: dict[float, int] = dict.fromkeys(BUCKETS, 0)
_seconds = [0.0]


def count_request(method: str, status: int, seconds: float) -> None:
    """Notes one answered request. Labels hold no address and no value of a request."""
    with _lock:
        _requests[method if method in METHODS else "OTHER", f"{status // 100}xx"] += 1
        _seconds[0] += seconds
        for bound in BUCKETS:
            if seconds <= bound:
                _buckets[bound] += 1


def exposition() -> str:
    """The whole page."""
    return "\n".join([*_request_lines(), *_job_lines(), *_process_lines()]) + "\n"


def _request_lines() -> Iterable[str]:
    with _lock:
        requests, buckets, seconds = dict(_requests), dict(_buckets), _seconds[0]
    total = sum(requests.values())
    yield "# HELP drivercrm_requests_total Requests answered by this process."
    yield "# TYPE drivercrm_requests_total counter"
    for (method, status), count in sorted(requests.items()):
        yield f'drivercrm_requests_total{{method="{method}",status="{status}"}} {count}'
    yield "# HELP drivercrm_request_seconds How long requests took in this process."
    yield "# TYPE drivercrm_request_seconds histogram"
    for bound, count in buckets.items():
        yield f'drivercrm_request_seconds_bucket{{le="{bound}"}} {count}'
    yield f'drivercrm_request_seconds_bucket{{le="+Inf"}} {total}'
    yield f"drivercrm_request_seconds_sum {seconds:.6f}"
    yield f"drivercrm_request_seconds_count {total}"


def _job_lines() -> Iterable[str]:
    yield "# HELP drivercrm_jobs Jobs in the shared queues, by what they are doing."
    yield "# TYPE drivercrm_jobs gauge"
    for depth in jobs.depths():
        for state in ("waiting", "running", "dead"):
            yield f'drivercrm_jobs{{queue="{depth.queue}",state="{state}"}} {getattr(depth, state)}'
    age = jobs.oldest_waiting_age()
    yield "# HELP drivercrm_jobs_oldest_seconds How long the most overdue job has been due."
    yield "# TYPE drivercrm_jobs_oldest_seconds gauge"
    yield f"drivercrm_jobs_oldest_seconds {age.total_seconds() if age else 0:.3f}"


def _process_lines() -> Iterable[str]:
    status = Path("/proc/self/status")
    if status.exists():
        found = [line.split() for line in status.read_text().splitlines() if line.startswith("VmRSS:")]
        yield "# HELP process_resident_memory_bytes Memory of this process."
        yield "# TYPE process_resident_memory_bytes gauge"
        yield f"process_resident_memory_bytes {int(found[0][1]) * 1024}"
