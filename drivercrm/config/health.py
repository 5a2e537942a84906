"""What tells operators and their machines how the installation is: doctor, /healthz, /readyz, /metrics."""

import os
import secrets
import shutil
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from drivercrm.accounts.models import DEMO_DOMAIN, Organisation, User
from drivercrm.accounts.permissions import public
from drivercrm.config import metrics, upgrade
from drivercrm.core import clock
from drivercrm.drivers.models import Driver
from drivercrm.jobs import queries as jobs

State = Literal["right", "note", "wrong"]

LEAST_DISK = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One check: *right*, a *note* worth knowing, or *wrong*, with what to do."""

    check: str
    state: State
    says: str


def examine() -> list[Finding]:
    """Every check of `drivercrm doctor`, in order. Without a database the ones that need it are left out."""
    reached = _database()
    findings = [reached]
    if reached.state == "right":
        findings.append(_migrations())
        if findings[-1].state == "right":
            findings += [_jobs(), _left_behind(), _dead_letters(), _team(), _demo(), _held()]
    findings += [
        _assets(),
        _time_zone(),
        _disk(),
        _key("DRIVERCRM_SECRET_KEY"),
        _key("DRIVERCRM_ADDRESS_KEY"),
        _encryption(),
    ]
    return findings


def _database() -> Finding:
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        first_line = next(iter(str(error).splitlines()), type(error).__name__)
        return Finding("Database", "wrong", f"cannot be reached: {first_line}")
    if connection.vendor == "sqlite":
        return Finding("Database", "right", f"SQLite file {connection.settings_dict['NAME']}")
    return Finding("Database", "right", f"PostgreSQL {connection.pg_version // 10000}")  # type: ignore[attr-defined]


def _migrations() -> Finding:
    pending = upgrade.pending()
    if pending:
        return Finding("Version", "wrong", f"{len(pending)} changes are pending. Run “drivercrm migrate”.")
    return Finding("Version", "right", "the database is of this version")


def _jobs() -> Finding:
    depths, age = jobs.depths(), jobs.oldest_waiting_age()
    waiting = sum(depth.waiting for depth in depths)
    running = sum(depth.running for depth in depths)
    if age and age > jobs.LATE:
        minutes = int(age.total_seconds() // 60)
        return Finding(
            "Background work",
            "wrong",
            f"a job has waited for {minutes} minutes, of {waiting} that wait. Is a server or worker running?",
        )
    late = f"the oldest due for {age.total_seconds():.0f} s" if age else "none is overdue"
    return Finding(
        "Background work", "right", f"{waiting} jobs wait, {running} run, {late} ({settings.JOBS_ENGINE})"
    )


def _left_behind() -> Finding:
    count = jobs.left_behind()
    if count:
        return Finding(
            "Other engine",
            "wrong",
            f"{count} jobs stand in an engine where nobody works. Run “drivercrm carry-jobs”.",
        )
    return Finding("Other engine", "right", f"all jobs are in the engine {settings.JOBS_ENGINE}")


def _dead_letters() -> Finding:
    dead = sum(depth.dead for depth in jobs.depths())
    if dead:
        latest = jobs.dead_letters(1)[0]
        return Finding(
            "Failed jobs",
            "wrong",
            f"{dead} gave up; the latest is {latest.task}: {latest.error.rstrip('.')}. See Settings, Jobs.",
        )
    return Finding("Failed jobs", "right", "none")


def _team() -> Finding:
    if not User.objects.filter(is_active=True, role="admin").exists():
        return Finding(
            "Team", "note", "nobody is an admin yet. Open the pages, or run “drivercrm create-user”."
        )
    return Finding("Team", "right", "there is an admin")


def _demo() -> Finding:
    """Everybody knows the password of the demo's accounts: they may stand beside nobody real (spec §9)."""
    accounts = User.objects.filter(email__endswith=DEMO_DOMAIN, is_active=True)
    count = accounts.count()
    if not count:
        return Finding("Demo", "right", "no account has the demo’s password")
    others = User.objects.filter(is_active=True).exclude(email__endswith=DEMO_DOMAIN)
    if others.exists() or Driver.objects.filter(is_demo=False).exists():
        return Finding(
            "Demo",
            "wrong",
            f"{count} accounts with a published password stand beside real people. Run “drivercrm demo --clear”.",
        )
    return Finding("Demo", "note", f"{count} accounts have a published password. Serve it on loopback only.")


def _held() -> Finding:
    organisation = Organisation.objects.filter(held_since__isnull=False).first()
    if organisation is None:
        return Finding("Hold", "right", "the database is not held")
    return Finding("Hold", "note", f"nothing is sent or exported. {organisation.held_because}.")


def _assets() -> Finding:
    manifest = settings.STATIC_ROOT / "built" / "manifest.json"
    if not manifest.exists():
        return Finding("Pages", "wrong", "their styles and scripts are not built. Run “make setup”.")
    return Finding("Pages", "right", "styles and scripts are built")


def _time_zone() -> Finding:
    now = clock.now().astimezone(clock.zone())
    return Finding("Time zone", "right", f"{settings.TIME_ZONE}, where it is {now:%H:%M} on {now:%-d %B %Y}")


def _disk() -> Finding:
    free = shutil.disk_usage(settings.DATA_DIR).free
    state: State = "right" if free >= LEAST_DISK else "wrong"
    return Finding("Disk", state, f"{free / 1e9:.1f} GB free in {settings.DATA_DIR}")


def _key(name: str) -> Finding:
    if os.environ.get(name, "").strip():
        return Finding(name, "right", "from the environment")
    return Finding(name, "right", "from a file in the data folder; keep that folder safe")


def _encryption() -> Finding:
    if settings.ENCRYPTION_KEYS:
        return Finding("DRIVERCRM_ENCRYPTION_KEYS", "right", "stored secrets have keys of their own")
    return Finding(
        "DRIVERCRM_ENCRYPTION_KEYS",
        "note",
        "not set: stored secrets are sealed with a key made from DRIVERCRM_SECRET_KEY.",
    )


@public
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Touches nothing else, so that a slow database does not get it killed."""
    return JsonResponse({"status": "ok"})


@public
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """The process can do its work: the database answers and is of this version. Else 503 with the reason."""
    try:
        pending = _once_ready()
    except DatabaseError:
        return JsonResponse({"status": "unready", "reason": "The database cannot be reached."}, status=503)
    if pending:
        return JsonResponse({"status": "unready", "reason": "The database needs a migration."}, status=503)
    return JsonResponse({"status": "ready"})


_known_ready = False


def _once_ready() -> list[str]:
    """What is pending. The plan is worked out until it is empty; after that one question a call is enough."""
    global _known_ready  # noqa: PLW0603 - one fact about this process
    if _known_ready:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return []
    pending = upgrade.pending()
    _known_ready = not pending
    return pending


@public
@require_safe
def metrics_page(request: HttpRequest) -> HttpResponse:
    """Numbers for Prometheus. With DRIVERCRM_METRICS_TOKEN set, only its bearer reads them."""
    token = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and not secrets.compare_digest(given.encode(), token.encode()):
        return HttpResponse("Unauthorized\n", status=401, content_type="text/plain")
    return HttpResponse(metrics.exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")
