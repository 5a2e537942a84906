"""The provider of an account, made from its sealed settings; vendors' libraries are loaded at the first use."""

import json
from collections.abc import Callable
from typing import Any

from drivercrm.channels.provider import Provider
from drivercrm.communications.enums import ProviderKind
from drivercrm.communications.models import ChannelAccount

Make = Callable[[ChannelAccount, dict[str, Any]], Provider]


def provider_of(account: ChannelAccount) -> Provider:
    """Ready to send, parse and ask; whoever gets it closes it. Raises Unreadable, ValueError for unfit settings."""
    return MAKERS[ProviderKind(account.provider)](account, json.loads(account.read_settings()))


def _cloud(account: ChannelAccount, settings: dict[str, Any]) -> Provider:
    from drivercrm.channels.whatsapp.adapter import Settings, WhatsApp  # noqa: PLC0415  # slow import

    return WhatsApp(Settings(**settings))


def _wati(account: ChannelAccount, settings: dict[str, Any]) -> Provider:
    from drivercrm.channels.wati.adapter import Settings, Wati  # noqa: PLC0415  # slow import

    return Wati(Settings(**settings, path_token=account.hook_token))


def _bot(account: ChannelAccount, settings: dict[str, Any]) -> Provider:
    from drivercrm.channels.telegram.adapter import Telegram  # noqa: PLC0415  # slow import
    from drivercrm.channels.telegram.settings import Settings  # noqa: PLC0415  # slow import

    return Telegram(Settings(**settings))


def _mail(account: ChannelAccount, settings: dict[str, Any]) -> Provider:
    from drivercrm.channels.email.adapter import Provider as Mail  # noqa: PLC0415  # slow import
    from drivercrm.channels.email.settings import Settings  # noqa: PLC0415  # slow import

    return Mail(Settings(**settings))


def _sandbox(account: ChannelAccount, settings: dict[str, Any]) -> Provider:
    from drivercrm.channels.sandbox.adapter import Sandbox  # noqa: PLC0415  # slow import
    from drivercrm.channels.sandbox.endings import Channel as SandboxChannel  # noqa: PLC0415  # slow import

    return Sandbox(SandboxChannel(account.channel))


MAKERS: dict[ProviderKind, Make] = {
    ProviderKind.CLOUD: _cloud,
    ProviderKind.WATI: _wati,
    ProviderKind.BOT: _bot,
    ProviderKind.MAIL: _mail,
    ProviderKind.SANDBOX: _sandbox,
}
