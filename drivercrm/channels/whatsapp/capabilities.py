"""What WhatsApp can do, by either provider; apart from the adapter, so that asking loads nothing (channels.md §1.2)."""

from datetime import timedelta

from drivercrm.channels.provider import Capabilities

MEGABYTE = 1024 * 1024
LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024

CAPABILITIES = Capabilities(
    has_delivery=True,
    has_read=True,
    window=timedelta(hours=24),
    has_templates=True,
    longest_text=LONGEST_TEXT,
    longest_caption=LONGEST_CAPTION,
    attachments={
        "image/jpeg": 5 * MEGABYTE,
        "image/png": 5 * MEGABYTE,
        "video/mp4": 16 * MEGABYTE,
        "video/3gpp": 16 * MEGABYTE,
        "audio/*": 16 * MEGABYTE,
        "*/*": 100 * MEGABYTE,  # as a document
    },
    per_second=80.0,
    recipient_pause=timedelta(seconds=6),  # in the long run; short bursts are allowed
)
