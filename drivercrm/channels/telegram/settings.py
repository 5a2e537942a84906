"""What an operator says about a bot."""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True)
class Settings:
    """One bot. `base_url` is the official Bot API, or a server of one's own."""

    token: str = field(repr=False)  # from BotFather
    webhook_secret: str = field(
        default="", repr=False
    )  # letters, digits, _ and -; empty: no webhook is genuine
    base_url: str = "https://api.telegram.org"
    connect_timeout: timedelta = timedelta(seconds=5)
    read_timeout: timedelta = timedelta(seconds=20)
