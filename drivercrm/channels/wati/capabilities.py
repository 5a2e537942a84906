"""What WATI can do: what WhatsApp can, at its own pace (channels.md §1.9)."""

from dataclasses import replace

from drivercrm.channels.whatsapp.capabilities import CAPABILITIES as WHATSAPP

CAPABILITIES = replace(WHATSAPP, per_second=3.0)  # the smallest plan takes 30 template messages in 10 seconds
