"""`serve`, `worker` and `migrate`."""

import gc
import sys
from typing import Annotated

import django
from cyclopts import Parameter

from drivercrm.config import environment


def _at_least_one(kind: type, value: int | None) -> None:
    if value is not None and value < 1:
        raise ValueError("Use a whole number, at least 1.")


AtLeastOne = Parameter(validator=_at_least_one)


def serve(
    *,
    bind: str = "",
    processes: Annotated[
        int | None, AtLeastOne, Parameter(help="Web processes; more than one needs PostgreSQL.")
    ] = None,
    threads: Annotated[
        int | None, AtLeastOne, Parameter(help="Requests that one process answers at once.")
    ] = None,
    jobs: Annotated[bool, Parameter(help="Do background work in this process too.")] = True,
    reload: Annotated[bool, Parameter(help="Start again when the code changes (for developers).")] = False,
) -> int:
    """Serves pages and API and does the background work, until it is told to stop.

    An SQLite database is backed up and brought to this version first. On PostgreSQL a terminal is asked;
    without one, run `drivercrm migrate` before.

    Parameters
    ----------
    bind
        Address and port (DRIVERCRM_BIND, else 127.0.0.1:8000).
    """
    if reload:
        from drivercrm.config import processes as running  # slow import

        return running.run_reloading(sys.argv[1:])
    gc.disable()  # nothing of what is loaded now becomes garbage: looking for it is a tenth of the start
    django.setup()
    from drivercrm.config import server, upgrade  # app ready

    options = server.Options(
        bind=server.read_bind(bind or environment.text("DRIVERCRM_BIND") or "127.0.0.1:8000"),
        threads=threads or environment.whole_number("DRIVERCRM_THREADS", 4, least=1),
        has_jobs=jobs,
    )
    count = processes or environment.whole_number("DRIVERCRM_PROCESSES", 1, least=1)
    server.load_pages()
    gc.freeze()
    gc.enable()
    upgrade.before_serving(ask=_ask if sys.stdin.isatty() else None, say=_say)
    return server.run(options) if count == 1 else server.run_many(options, count)


def worker(
    *,
    threads: Annotated[int, AtLeastOne, Parameter(help="Jobs that run at once.")] = 2,
    queue: Annotated[list[str] | None, Parameter(help="Only this queue; may be given again.")] = None,
) -> int:
    """Does background work until it is told to stop. Any number may run, on any number of machines."""
    django.setup()
    from drivercrm.config import server, upgrade  # app ready

    upgrade.refuse_unless_migrated()
    server.work(threads=threads, queues=queue or None)
    return 0


def carry_jobs() -> int:
    """Moves what waits and what failed from the other engine into the one that DRIVERCRM_JOBS names.

    Stop every server and worker first: while one of them holds a job, nothing is moved.
    """
    django.setup()
    from django.conf import settings  # app ready

    from drivercrm.config import upgrade  # app ready
    from drivercrm.jobs import workflow as jobs  # app ready

    upgrade.refuse_unless_migrated()
    count = jobs.carry_over()
    _say(f"Carried {count} {'job' if count == 1 else 'jobs'} into the engine {settings.JOBS_ENGINE}.")
    return 0


def migrate(
    *, check: Annotated[bool, Parameter(help="Change nothing; exit 1 when something is pending.")] = False
) -> int:
    """Brings the database to this version. An SQLite file is backed up first."""
    django.setup()
    from drivercrm.config import upgrade  # app ready

    pending = upgrade.pending()
    if check:
        _say(f"{len(pending)} pending: {', '.join(pending)}" if pending else "The database is up to date.")
        return 1 if pending else 0
    upgrade.migrate(say=_say)
    return 0


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _ask(question: str) -> bool:
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
