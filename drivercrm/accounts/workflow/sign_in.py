"""Wrong passwords, counted exactly over every process: five, and that mail address rests (spec §11).

An attempt is counted before the password is looked at, so that many at once cannot slip past the limit; a right
password gives its attempt back. The three counts hold for a mail address from one network address, so that a
stranger cannot lock a colleague out; and, far higher, for a mail address and for a network address alone.
"""

from collections.abc import Iterator
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils.crypto import salted_hmac

from drivercrm.accounts.events import MemberLockedOut
from drivercrm.accounts.models import SignInCount, User
from drivercrm.core import clock
from drivercrm.core.actors import automation
from drivercrm.core.errors import Refused
from drivercrm.journal import workflow as journal

LIMITS = {"mail and address": 5, "mail": 50, "address": 100}
REST = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(days=1)
FORGOTTEN_AT_ONCE = 500


def begin_attempt(email: str, address: str) -> None:
    """Counts an attempt before it is made. Raises Refused while the limit is reached, whoever the mail belongs to."""
    with transaction.atomic():
        counts = [(_held(key), limit) for key, limit in _keys(email, address)]
        for count, limit in counts:
            if count.attempts >= limit:
                raise Refused(
                    "locked_out",
                    f"Too many wrong passwords. Sign-in rests until {count.ends_at.astimezone(clock.zone()):%H:%M}. "
                    "An admin can help if the password is lost.",
                )
        for count, _ in counts:
            count.attempts += 1
            count.ends_at = clock.now() + REST
            count.save(update_fields=["attempts", "ends_at"])


def attempt_succeeded(email: str, address: str) -> None:
    """Forgets the wrong passwords of this mail address from here, and gives back what the attempt took elsewhere."""
    pair, *others = [key for key, _ in _keys(email, address)]
    with transaction.atomic():
        # set to nothing, not deleted: another attempt may have found the row and wait for it
        SignInCount.objects.filter(key=pair).update(attempts=0, is_noted=False)
        for key in others:
            SignInCount.objects.filter(key=key, attempts__gt=0).update(attempts=F("attempts") - 1)


def attempt_failed(email: str, address: str) -> None:
    """Journals the wrong password that starts a rest, when the mail address is a member's; forgets old counts."""
    (pair, limit), *_ = _keys(email, address)
    reached = SignInCount.objects.filter(key=pair, attempts__gte=limit, is_noted=False)
    with transaction.atomic():
        if reached.update(is_noted=True):
            member = User.objects.filter(email__iexact=email).first()
            if member:
                journal.announce(MemberLockedOut(member.pk), by=automation("sign-in"))
        old = SignInCount.objects.filter(ends_at__lt=clock.now() - FORGOTTEN_AFTER)
        # a row that somebody holds is not old for long, and waiting for it here could be waiting in a circle
        free = old.select_for_update(skip_locked=True).values_list("key", flat=True)[:FORGOTTEN_AT_ONCE]
        SignInCount.objects.filter(key__in=list(free)).delete()


def _keys(email: str, address: str) -> Iterator[tuple[str, int]]:
    """Hashed, so that the table holds no address. Always in this order: two attempts never wait for each other."""
    mail = email.strip().lower()
    parts = {"mail and address": f"{mail}\n{address}", "mail": mail, "address": address}
    for rule, limit in LIMITS.items():
        yield (
            salted_hmac("drivercrm.sign_in", f"{rule}\n{parts[rule]}", algorithm="sha256").hexdigest(),
            limit,
        )


def _held(key: str) -> SignInCount:
    now = clock.now()
    count = None
    while count is None:  # an old row may be forgotten between the two
        SignInCount.objects.get_or_create(key=key, defaults={"ends_at": now + REST})
        count = SignInCount.objects.select_for_update().filter(key=key).first()
    if count.ends_at <= now:
        count.attempts, count.is_noted = 0, False
        count.save(update_fields=["attempts", "is_noted"])
    return count
