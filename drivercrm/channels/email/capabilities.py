"""What a mail account can do; apart from the adapter, so that asking costs no library."""

from drivercrm.channels.email.settings import Settings
from drivercrm.channels.provider import Capabilities

LONGEST_TEXT = 100_000


def capabilities_of(settings: Settings) -> Capabilities:
    """Says `sent` and `failed`, never delivered or read: mail knows neither."""
    return Capabilities(
        has_delivery=False,
        has_read=False,
        window=None,
        has_templates=False,
        longest_text=LONGEST_TEXT,
        attachments={"*/*": settings.most_attachment},
        most_files=100,
        has_subject=True,
        per_second=settings.per_second,
    )
