"""The accounts that messages leave by: the sandbox of a fresh installation, and those that a person connects."""

import secrets

from django.db import transaction

from drivercrm.communications.enums import AccountState, Channel, ProviderKind
from drivercrm.communications.models import ChannelAccount
from drivercrm.communications.queries import account_of
from drivercrm.core import clock
from drivercrm.core.actors import automation


def sandbox(channel: str) -> ChannelAccount:
    """The account of a channel that nobody has connected: it needs no provider, and behaves like one (spec §5.1)."""
    known = account_of(channel)
    if known is not None:
        return known
    with transaction.atomic():
        made, _ = ChannelAccount.objects.get_or_create(
            channel=channel,
            state=AccountState.CONNECTED,
            defaults={
                "provider": ProviderKind.SANDBOX,
                "name": f"{Channel(channel).label} sandbox",
                "hook_token": secrets.token_urlsafe(32),
                "created_by": str(automation("sandbox")),
            },
        )
    return made


def halt(account: ChannelAccount, because: str) -> None:
    """Nothing leaves by this account until a person has looked: the provider refuses us altogether."""
    ChannelAccount.objects.filter(pk=account.pk, state=AccountState.CONNECTED).update(
        state=AccountState.HALTED, halted_because=because[:300], halted_at=clock.now()
    )


def note_forged(account: ChannelAccount) -> None:
    """Somebody knocked with a wrong signature: shown on the channel's page, and nothing else of it is kept."""
    ChannelAccount.objects.filter(pk=account.pk).update(last_forged_at=clock.now())
