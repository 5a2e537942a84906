"""Email: out by SMTP, in by IMAP (channels.md §3)."""

from datetime import UTC, datetime, timedelta

from drivercrm.channels.email import inbound
from drivercrm.channels.email.capabilities import capabilities_of
from drivercrm.channels.email.mailbox import Mailbox
from drivercrm.channels.email.outbound import build, recipient
from drivercrm.channels.email.settings import Encryption, Settings, Tagging
from drivercrm.channels.email.smtp import Courier
from drivercrm.channels.provider import (
    Accepted,
    Attachment,
    Event,
    Failure,
    Fetched,
    Knock,
    NotReached,
    Outgoing,
    RemoteFile,
    SendFailed,
    Standing,
)

__all__ = ["Encryption", "Provider", "Settings", "Tagging"]


class Provider:
    """One mail account. Says `sent` and `failed`, never delivered or read: mail knows neither."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._courier = Courier(settings)
        self._mailbox = Mailbox(settings)
        self.capabilities = capabilities_of(settings)

    def send(self, message: Outgoing) -> Accepted:
        """Hands a mail over. Its id is our Message-ID without brackets. Raises SendFailed."""
        mail = build(message, self._settings)
        content = mail.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]
        self._courier.deliver(mail.from_email, recipient(message), content)
        return Accepted(self._settings.message_id(message.id), datetime.now(UTC))

    def is_genuine(self, knock: Knock) -> bool:
        """Mail does not knock."""
        return False

    def greeting(self, knock: Knock) -> str | None:
        """Mail does not knock."""
        return None

    def parse(self, body: bytes, received_at: datetime) -> list[Event]:
        """The event of a mail: one that `poll` brought, or a bare one. Never raises."""
        return inbound.parse(body, received_at, self._settings)

    def html(self, body: bytes, images: dict[str, str] | None = None) -> str:
        """A mail's HTML, safe to show; `images` gives the addresses of its own pictures by their file ids."""
        return inbound.html_of(body, self._settings, images=images)

    def fetch(self, file: RemoteFile, most: int) -> Attachment:
        """A file of a mail; it came with the mail. Raises NotReached: CONTENT when it is too large."""
        if file.content is None or len(file.content) > most:
            raise NotReached(Failure.CONTENT, "The file is too large to be kept; it is in the mailbox.")
        return Attachment(file.name, file.media_type, file.content)

    def poll(self, cursor: str, wait: timedelta) -> Fetched:
        """New mails since the cursor, 50 at most, waiting for the first. Raises NotReached."""
        if not self._settings.imap_host:
            return Fetched((), cursor)
        return self._mailbox.fetch(cursor, wait)

    def check(self) -> Standing:
        """Signs in to both servers and opens the folder. Raises NotReached."""
        try:
            self._courier.knock()
        except SendFailed as error:
            raise NotReached(error.failure, error.words, code=error.code) from None
        words = "No mailbox is read: answers and bounces stay unseen."
        if self._settings.imap_host:
            words = (
                ""
                if self._mailbox.knock()
                else "The mailbox tells nothing by itself: it is asked every 20 seconds."
            )
        return Standing(self._settings.from_name, self._settings.from_address, words=words)

    def close(self) -> None:
        """Signs out of both servers."""
        self._courier.close()
        self._mailbox.close()
