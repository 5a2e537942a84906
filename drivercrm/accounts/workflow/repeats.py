"""Answers that are kept so that a program may ask again (docs/api.md)."""

from datetime import timedelta

from drivercrm.accounts.models import IdempotencyKey
from drivercrm.core import clock

KEPT = timedelta(hours=24)


def forget_answers() -> int:
    """Deletes the idempotency keys of more than a day ago, with the answers they hold. Returns how many."""
    return IdempotencyKey.objects.filter(created_at__lt=clock.now() - KEPT).delete()[0]
