"""What is kept of a list, and for how long: its rows only while they can still be of use."""

from datetime import timedelta

from django.db.models import Q

from drivercrm.core import clock
from drivercrm.imports.enums import ImportState
from drivercrm.imports.models import UNDO_DAYS, Import, ImportRow
from drivercrm.imports.workflow.staging import discard

HALF_READ = timedelta(hours=1)


def tidy() -> int:
    """Removes half-read lists, lists that nobody let in for seven days, and the rows of what can no longer be undone.

    Returns how many lists it touched.
    """
    now = clock.now()
    old = now - timedelta(days=UNDO_DAYS)
    left = Import.objects.filter(
        Q(state=ImportState.STAGING, created_at__lt=now - HALF_READ)
        | Q(state__in=[ImportState.STAGED, ImportState.CHECKED, ImportState.CHECKING], progress_at__lt=old)
    )
    count = 0
    for of in left:
        discard(of)
        count += 1
    ended = Import.objects.filter(
        state__in=[ImportState.DONE, ImportState.STOPPED, ImportState.UNDONE], finished_at__lt=old
    )
    for of in ended.filter(rows__isnull=False).distinct():
        ImportRow.objects.filter(of=of).delete()
        count += 1
    return count
