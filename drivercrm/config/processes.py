"""Child processes: stopping them, and starting the server again when a developer saves a file."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

PACKAGE = Path(__file__).resolve().parent.parent
# the same interpreter, wherever its script lies
COMMAND = (sys.executable, "-m", "drivercrm.cli")
WATCHED = {".py", ".html", ".json"}


def run_reloading(words: Sequence[str]) -> int:
    """For developers: serves in a child process and starts it again whenever a file of the package changes."""
    command = [*COMMAND, *(word for word in words if word != "--reload")]
    with told_to_stop() as told:
        while not told:
            seen, child = _snapshot(), subprocess.Popen(command)
            while not told and child.poll() is None and _snapshot() == seen:
                time.sleep(0.7)
            while not told and child.poll() is not None and _snapshot() == seen:
                time.sleep(0.7)  # it fell over an error: wait for the next change
            stop([child])
    return 0


def _snapshot() -> dict[str, float]:
    files = (file for file in PACKAGE.rglob("*") if file.suffix in WATCHED)
    found: dict[str, float] = {}
    for file in files:
        with contextlib.suppress(OSError):  # an editor swaps files while we look
            found[str(file)] = file.stat().st_mtime
    return found


def stop(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Asks all of them to stop, then waits for each."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    for child in children:
        child.wait()


@contextlib.contextmanager
def told_to_stop() -> Iterator[list[int]]:
    """A list that stays empty until SIGTERM or SIGINT comes."""
    told: list[int] = []

    def tell(number: int, frame: FrameType | None) -> None:
        told.append(number)

    before = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
