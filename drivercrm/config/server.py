"""The web server and the worker in one process (docs/adr/0004): granian in threads, beside the jobs' threads."""

import logging
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.db import connection
from django.urls import get_resolver
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import MTServer

from drivercrm.config.processes import COMMAND, stop, told_to_stop
from drivercrm.config.restore import in_use
from drivercrm.config.wsgi import application
from drivercrm.core.errors import Refused
from drivercrm.jobs import workflow as jobs

log = structlog.get_logger("drivercrm.server")


@dataclass(frozen=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@dataclass(frozen=True)
class Options:
    """How one web process runs."""

    bind: Address
    threads: int = 4
    has_jobs: bool = True


class InProcess(MTServer):
    """Granian's threaded server on an interpreter with its lock.

    Granian itself would start a second process for the pages. One process is half the memory, and the jobs'
    threads live beside the pages, so that an enqueued job starts at once. The threads wait for Python's lock
    either way.
    """

    def _check_gil(self) -> None:
        """Ours is on, and that is fine: see above."""


def read_bind(text: str) -> Address:
    """`host:port`, `:port` or a port alone; refuses anything else."""
    host, _, port = text.strip().rpartition(":")
    host = host.strip("[]") or ("127.0.0.1" if ":" not in text else "0.0.0.0")  # noqa: S104 - “:8000” says so
    if not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise Refused("bad_bind", f"“{text}” is no address to serve on. Use one such as 127.0.0.1:8000.")
    return Address(host, int(port))


def load_pages() -> None:
    """Loads every page now, not at the first request."""
    get_resolver().url_patterns  # noqa: B018 - looking is loading


def run(options: Options) -> int:
    """Serves until SIGTERM or SIGINT: requests in flight are answered, then the jobs stop gracefully."""
    if not _is_sharing():
        refuse_if_taken(options.bind)
    server = InProcess(
        target="drivercrm",
        address=options.bind.host,
        port=options.bind.port,
        interface=Interfaces.WSGI,
        blocking_threads=options.threads,
        backlog=1024,
        log_level=LogLevels.warning,
        log_dictconfig=_quiet(),
    )
    worker = jobs.worker() if options.has_jobs else None
    with in_use():
        if worker:
            worker.start()
        log.info("serving", address=str(options.bind), threads=options.threads, jobs=options.has_jobs)
        try:
            # past MTServer's own warning, which is meant for interpreters without a lock
            super(MTServer, server).serve(target_loader=lambda: application, wrap_loader=False)
        finally:
            if worker:
                worker.stop()
    log.info("stopped")
    return 0


def work(*, threads: int, queues: Sequence[str] | None) -> None:
    """Runs jobs until SIGTERM or SIGINT."""
    log.info("working", threads=threads, queues=queues or "all")
    with in_use():
        jobs.worker(threads=threads, queues=queues).run()
    log.info("stopped")


def run_many(options: Options, count: int) -> int:
    """Several web processes on one port, started again when one dies; refuses on SQLite, which has one writer."""
    if connection.vendor == "sqlite":
        raise Refused("one_process", "SQLite has one writer, so one process serves it. Use more threads.")
    refuse_if_taken(options.bind)
    command = [*COMMAND, "serve", "--bind", str(options.bind).removeprefix("http://"), "--processes", "1"]
    command += ["--threads", str(options.threads), "--jobs" if options.has_jobs else "--no-jobs"]
    return _supervise([command] * count, dict(os.environ, DRIVERCRM_SHARES_PORT="yes"))


def refuse_if_taken(bind: Address) -> None:
    """Refuses an address that cannot be served on. Granian shares ports, so it would not notice by itself."""
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind.host, bind.port))
        except OSError as error:
            raise Refused(
                "address_taken", f"Cannot serve on {bind}: {str(error.strerror).lower()}."
            ) from None


def _is_sharing() -> bool:
    return bool(os.environ.get("DRIVERCRM_SHARES_PORT"))


def _quiet() -> dict[str, object]:
    """Granian's few words go the way of all others; requests are logged by our own middleware, without paths."""
    return {"version": 1, "disable_existing_loggers": False, "formatters": {}, "handlers": {}, "loggers": {}}


def _supervise(commands: Sequence[Sequence[str]], environment: dict[str, str]) -> int:
    children = [subprocess.Popen(command, env=environment) for command in commands]
    with told_to_stop() as told:
        while not told:
            time.sleep(0.2)
            for place, child in enumerate(children):
                if child.poll() is not None and not told:
                    log.error("web process ended", code=child.returncode)
                    time.sleep(1)
                    children[place] = subprocess.Popen(commands[place], env=environment)
    stop(children)
    return 0


logging.getLogger("_granian").propagate = True
