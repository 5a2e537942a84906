"""Threads that take jobs from an engine's table, keep their claims alive, and wind the clockwork."""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing.util import Finalize
from types import FrameType
from typing import Any, Generic, Protocol, TypeVar

import structlog
from django.db import connections
from django.db.utils import Error as DatabaseError

from drivercrm.jobs import clockwork as clockworks
from drivercrm.jobs import leases, workflow
from drivercrm.jobs.port import patient

log = structlog.get_logger("drivercrm.jobs")

GRACE = timedelta(seconds=8)  # container hosts kill ten seconds after SIGTERM
# a job given back by a stopping process starts elsewhere only after that process has ended
HANDOVER = timedelta(seconds=2)


class Claim(Protocol):
    """A job that a worker holds; `attempts` counts this run."""

    pk: Any
    task: Any
    args: Any
    attempts: Any
    max_attempts: Any


C = TypeVar("C", bound=Claim)


class Moves(Protocol[C]):
    """What an engine does to a job. False says that the claim was lost: another worker answers for the job."""

    def claim(self, queues: Sequence[str] | None, lease: timedelta) -> C | None: ...

    def renew(self, job: C, lease: timedelta) -> bool: ...

    def finish(self, job: C) -> bool: ...

    def give_back(self, job: C, after: timedelta) -> bool: ...

    def fail(self, job: C, error: BaseException, pause: timedelta | None) -> bool: ...

    def keep(self, lease: timedelta) -> None:
        """Called with every beat of the heart, before the claims are renewed."""

    def leave(self) -> None:
        """Called last: this worker claims nothing more."""


class ThreadedWorker(Generic[C]):
    """The worker of both engines (see port.Worker). Any number may run, in any number of processes.

    `ears` waits about a second for news of a new job, again and again, in a thread of its own.
    """

    def __init__(
        self,
        moves: Moves[C],
        *,
        threads: int,
        queues: Sequence[str] | None,
        lease: timedelta,
        poll: timedelta,
        clockwork: bool,
        ears: Callable[[], object] | None = None,
    ) -> None:
        self.moves, self.queues, self.lease, self.poll = moves, queues, lease, poll
        self._clockwork = clockworks.Clockwork(clockworks.schedule()) if clockwork else None
        self._stopping = threading.Event()  # take no more jobs
        self._ended = threading.Event()  # stop renewing
        self._held: dict[int, C] = {}
        self._lock = threading.Lock()
        self._at_exit: Finalize | None = None
        self._takers = [self._thread(f"jobs-{n}", self._take, self._stopping) for n in range(1, threads + 1)]
        self._others = [self._thread("jobs-heartbeat", self._beat, self._ended)]
        if self._clockwork:
            self._others.append(self._thread("jobs-clock", self._wind, self._stopping))
        if ears:
            self._others.append(self._thread("jobs-ears", ears, self._stopping))

    def start(self) -> None:
        for thread in self._others + self._takers:
            thread.start()
        # unlike atexit, this also runs at the end of a child process that a web server forked
        self._at_exit = Finalize(None, self.stop, exitpriority=1)

    def stop(self, grace: timedelta = GRACE) -> None:
        self._stopping.set()
        leases.wake.set()
        deadline = time.monotonic() + grace.total_seconds()
        for thread in self._takers:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            left, self._held = list(self._held.values()), {}
        self._ended.set()
        for job in left:
            if self.moves.give_back(job, HANDOVER):
                log.warning("job given back", job=job.pk, task=job.task)
        self.moves.leave()
        if self._at_exit:
            self._at_exit.cancel()

    def run(self, grace: timedelta = GRACE) -> None:
        told: list[int] = []

        def tell(number: int, frame: FrameType | None) -> None:
            told.append(number)

        before = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
        self.start()
        while not told:
            time.sleep(0.1)
        self.stop(grace)
        for number, handler in before.items():
            signal.signal(number, handler)

    def drain(self) -> int:
        runs = 0
        while job := self.moves.claim(self.queues, self.lease):
            self._settle(job, self._work(job))
            runs += 1
        self.moves.leave()
        return runs

    def _thread(self, name: str, turn: Callable[[], object], until: threading.Event) -> threading.Thread:
        def body() -> None:
            while not until.is_set():
                try:
                    turn()
                except Exception as error:  # a worker outlives a database that is down or busy
                    self._pause(error)
            connections.close_all()

        return threading.Thread(target=body, name=name, daemon=True)

    def _pause(self, error: Exception) -> None:
        log.warning("jobs pause", error=type(error).__name__, where=leases.place(error))
        connections.close_all()
        self._ended.wait(min(1.0, self.lease.total_seconds() / 6))

    def _take(self) -> None:
        leases.wake.clear()
        if self._stopping.is_set():  # stop() wakes the idle threads once
            return
        job = self.moves.claim(self.queues, self.lease)
        if job is None:
            leases.wake.wait(self.poll.total_seconds())
            return
        error = self._work(job)
        if error:
            connections.close_all()  # a failed task may have left its connection in any state
        while not self._ended.is_set():
            try:
                return self._settle(job, error)
            except DatabaseError as trouble:
                self._pause(trouble)

    def _beat(self) -> None:
        if self._ended.wait(self.lease.total_seconds() / 6):
            return
        self.moves.keep(self.lease)
        with self._lock:
            held = list(self._held.values())
        for job in held:
            if self.moves.renew(job, self.lease):
                continue
            with self._lock:
                lost = self._held.get(job.pk) is job and self._held.pop(job.pk)
            if lost:
                log.warning("lease lost", job=job.pk, task=job.task)

    def _wind(self) -> None:
        if self._clockwork and not self._stopping.wait(0.5):
            self._clockwork.tick()

    def _work(self, job: C) -> BaseException | None:
        """Runs a claimed job and returns its error, if it raised one."""
        with self._lock:
            self._held[job.pk] = job
        with structlog.contextvars.bound_contextvars(job=job.pk, task=job.task):
            try:
                if job.attempts > job.max_attempts:
                    raise leases.WorkerLost("The worker was lost in the middle of the last attempt.")
                workflow.known_task(job.task).run(**job.args)
            except (Exception, SystemExit) as error:
                return error
        return None

    def _settle(self, job: C, error: BaseException | None) -> None:
        """Deletes a job that was done, or records its failure; until then its lease is kept alive."""
        with self._lock:
            self._held.pop(job.pk, None)
        try:
            settled = self.moves.fail(job, error, self._back_off(job)) if error else self.moves.finish(job)
        except DatabaseError:
            with self._lock:
                self._held[job.pk] = job
            raise
        words = {"job": job.pk, "task": job.task, "attempt": job.attempts}
        if not settled:
            log.warning("job settled elsewhere", **words)
        elif error:
            # the message and the arguments may hold a person's details: the class and the place do not
            log.warning("job failed", **words, error=type(error).__name__, where=leases.place(error))

    @staticmethod
    def _back_off(job: C) -> timedelta | None:
        if job.attempts >= job.max_attempts:
            return None
        try:
            return workflow.known_task(job.task).back_off(job.attempts)
        except LookupError:  # enqueued by a newer release
            return patient(job.attempts)
