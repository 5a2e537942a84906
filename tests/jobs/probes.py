"""Tasks that leave a trace in a file, so that the tests see what ran in which process, and when."""

import json
import os
import signal
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from drivercrm.core.errors import Refused
from drivercrm.jobs import workflow as jobs


def soon(attempt: int) -> timedelta:
    return timedelta(seconds=0.2)


@dataclass(frozen=True)
class Trace:
    name: str
    what: str
    pid: int
    at: float


def note(file: str, name: str, what: str) -> None:
    line = json.dumps([name, what, os.getpid(), time.monotonic()]) + "\n"
    descriptor = os.open(file, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def traces(file: Path) -> list[Trace]:
    if not file.exists():
        return []
    return [Trace(*json.loads(line)) for line in file.read_text().splitlines()]


@jobs.task("probe.work", back_off=soon)
def work(file: str, name: str, seconds: float = 0) -> None:
    note(file, name, "began")
    time.sleep(seconds)
    note(file, name, "ended")


@jobs.task("probe.hang_once", back_off=soon)
def hang_once(file: str, name: str) -> None:
    first = not any(trace.name == name for trace in traces(Path(file)))
    note(file, name, "began")
    time.sleep(60 if first else 0)
    note(file, name, "ended")


@jobs.task("probe.fail_once", back_off=soon)
def fail_once(file: str, name: str) -> None:
    first = not any(trace.name == name for trace in traces(Path(file)))
    note(file, name, "began")
    if first:
        raise RuntimeError("not yet")
    note(file, name, "ended")


@jobs.task("probe.poison", max_attempts=3, back_off=soon)
def poison(file: str, name: str) -> None:
    note(file, name, "began")
    raise ValueError(
        f"no row for thandi@example.org with '{name}' and +27 82 555 0101 in line 7\nDETAIL: {name}"
    )


@jobs.task("probe.refuse", max_attempts=1)
def refuse() -> None:
    raise Refused("closed", "The office is closed.")


@jobs.task("probe.kill_worker", max_attempts=2, back_off=soon)
def kill_worker(file: str, name: str) -> None:
    note(file, name, "began")
    os.kill(os.getpid(), signal.SIGKILL)


@jobs.task("probe.tick", back_off=soon)
def tick() -> None:
    note(os.environ["PROBE_FILE"], "tick", "began")
