"""Two processes at one moment: nothing leaves twice (spec §4, §5.2)."""

import time

import pytest

from drivercrm.communications import workflow as communications
from drivercrm.communications.models import ChannelAccount, OutboxMessage
from drivercrm.consent import workflow as consent
from drivercrm.consent.models import Welcome
from tests.factories import NANDI, make_driver
from tests.processes import run_together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CLAIM = """
from datetime import timedelta
from drivercrm.communications.models import ChannelAccount
from drivercrm.communications.workflow.sending import Claimed, Pace, claim
account = ChannelAccount.objects.get(channel="{channel}")
pace = Pace(1_000_000, timedelta(0))
found = []
while (one := claim(account, pace)) is not None:
    if isinstance(one, Claimed):
        found.append(str(one.message.pk))
print(" ".join(found))
"""


def account(channel: str) -> ChannelAccount:
    return ChannelAccount.objects.create(
        channel=channel, provider="sandbox", hook_token=f"hook-{channel}", created_by="test"
    )


def test_two_senders_at_once_take_every_message_once() -> None:
    account("email")
    wanted = set()
    for number in range(12):
        driver = make_driver(email=f"race{number}@example.org")
        consent.grant(
            driver, channels=["email"], purposes=["service"], source="person", evidence="paper", by=NANDI
        )
        message = communications.queue(driver, message_type="support", channel="email", body="Hi", by=NANDI)
        wanted.add(str(message.pk))

    program = CLAIM.format(channel="email")
    first, second = (printed.split() for printed in run_together(program, program, at=time.time() + 2))

    assert set(first) & set(second) == set()
    assert set(first) | set(second) == wanted
    assert set(OutboxMessage.objects.values_list("state", "attempts", "fence")) == {("sending", 1, 1)}


def test_of_two_welcomes_on_two_channels_at_once_one_leaves() -> None:
    account("email")
    account("whatsapp")
    for number in range(3):
        driver = make_driver(email=f"new{number}@example.org")
        for channel in ("email", "whatsapp"):
            communications.queue(driver, message_type="welcome", channel=channel, body="May we?", by=NANDI)

    run_together(CLAIM.format(channel="email"), CLAIM.format(channel="whatsapp"), at=time.time() + 2)

    states = sorted(OutboxMessage.objects.values_list("state", flat=True))
    assert states == ["cancelled"] * 3 + ["sending"] * 3
    assert Welcome.objects.count() == 3
    assert set(OutboxMessage.objects.filter(state="cancelled").values_list("reason", flat=True)) == {
        "welcomed"
    }
