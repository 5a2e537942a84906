"""What Telegram can do; apart from the adapter, so that asking costs no library (channels.md §2)."""

from datetime import timedelta

from drivercrm.channels.provider import Capabilities

LONGEST_TEXT = 4096  # in units of UTF-16: an emoji counts two
LONGEST_CAPTION = 1024
MOST_FILES = 10  # in one album
LARGEST_UPLOAD = 50_000_000
LARGEST_PHOTO = 10_000_000  # a larger one goes out as a document
LARGEST_DOWNLOAD = 20_000_000

CAPABILITIES = Capabilities(
    has_delivery=False,  # bots get no receipts, ever
    has_read=False,
    window=None,
    has_templates=False,
    longest_text=LONGEST_TEXT,
    longest_caption=LONGEST_CAPTION,
    most_files=MOST_FILES,
    attachments={"*/*": LARGEST_UPLOAD},
    per_second=30.0,
    recipient_pause=timedelta(seconds=1),
)


def length_of(text: str) -> int:
    """How long Telegram finds a text: in units of UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
