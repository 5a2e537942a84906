"""What an operator says about a mail account, and the addresses that follow from it."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from uuid import UUID


class Encryption(StrEnum):
    """How a connection is protected."""

    TLS = "tls"  # from the first byte: 465, 993
    STARTTLS = "starttls"  # asked for, and insisted on: 587, 143
    NONE = "none"  # a server on the same machine only


class Tagging(StrEnum):
    """How an address of ours carries a token, so that an answer can be matched by where it was sent."""

    PLUS = "plus"  # crm+r-token@example.com
    CATCH_ALL = "catch_all"  # r-token@example.com: every address of the domain arrives
    NONE = "none"  # only In-Reply-To and References tell


@dataclass(frozen=True)
class Settings:
    """One mail account: where mail is handed over, and the folder where answers and bounces arrive."""

    smtp_host: str
    smtp_port: int
    from_address: str
    from_name: str = ""
    smtp_encryption: Encryption = Encryption.STARTTLS
    smtp_user: str = ""  # empty: the server asks for no sign-in
    smtp_password: str = field(default="", repr=False)
    imap_host: str = ""  # empty: nothing is read
    imap_port: int = 993
    imap_encryption: Encryption = Encryption.TLS
    imap_user: str = ""
    imap_password: str = field(default="", repr=False)
    imap_folder: str = "INBOX"
    reply_address: str = ""  # of the mailbox that is read, where it is not the sender's
    tagging: Tagging = Tagging.PLUS
    delimiter: str = "+"
    most_attachment: int = 10 * 1024 * 1024  # bytes of one file, out and in
    backlog: timedelta = timedelta(days=30)  # how far back the first reading of a mailbox goes
    timeout: timedelta = timedelta(seconds=30)  # for an answer of either server
    patience: timedelta = timedelta(
        minutes=2
    )  # for the answer to a whole mail: a lost one leaves us in doubt
    per_second: float = 5.0

    def __post_init__(self) -> None:
        """Settings that were kept as JSON hold words and seconds. Raises ValueError for words that we do not know."""
        # a frozen dataclass is filled this way only
        object.__setattr__(self, "smtp_encryption", Encryption(self.smtp_encryption))
        object.__setattr__(self, "imap_encryption", Encryption(self.imap_encryption))
        object.__setattr__(self, "tagging", Tagging(self.tagging))
        for name in ("backlog", "timeout", "patience"):
            given = getattr(self, name)
            if not isinstance(given, timedelta):
                object.__setattr__(self, name, timedelta(seconds=float(given)))

    @property
    def domain(self) -> str:
        """Where our message ids are at home, in small letters."""
        return self.from_address.rpartition("@")[2].strip().lower()

    @property
    def mailbox(self) -> str:
        """The address that answers and bounces go to."""
        return self.reply_address or self.from_address

    def tagged(self, tag: str) -> str:
        """Our address with a tag in it; the plain one where the account cannot carry tags."""
        local, _, domain = self.mailbox.rpartition("@")
        match self.tagging:
            case Tagging.PLUS:
                return f"{local}{self.delimiter}{tag}@{domain}"
            case Tagging.CATCH_ALL:
                return f"{tag}@{domain}"
            case _:
                return self.mailbox

    def tag_in(self, address: str) -> str:
        """The tag of one of our addresses, or nothing. Case of the tag is kept, of the rest it does not count."""
        local, _, domain = address.strip().rpartition("@")
        home, _, our_domain = self.mailbox.rpartition("@")
        if domain.lower() != our_domain.lower():
            return ""
        if self.tagging is Tagging.CATCH_ALL:
            return local
        before, found, tag = local.partition(self.delimiter or "\0")
        ours = self.tagging is Tagging.PLUS and found and before.lower() == home.lower()
        return tag if ours else ""

    def message_id(self, id: UUID) -> str:
        """The id that a message of ours carries, without brackets. Always the same for the same message."""
        return f"m.{id.hex}@{self.domain}"

    def our_id(self, message_id: str) -> UUID | None:
        """Which message of ours an id names; None for a foreign one."""
        found = re.fullmatch(r"m\.([0-9a-f]{32})@(.+)", message_id.strip().strip("<>").lower())
        return UUID(found[1]) if found and found[2] == self.domain else None

    def bounce_tag(self, id: UUID) -> str:
        """The tag of the envelope's sender: a bounce comes back to it, and names its message so."""
        return f"b-{id.hex}"

    def our_id_in_tag(self, tag: str) -> UUID | None:
        """Which message of ours a bounce's tag names."""
        found = re.fullmatch(r"b-([0-9a-f]{32})", tag.lower())
        return UUID(found[1]) if found else None

    def reply_token(self, tag: str) -> str:
        """The token of an address that an answer was sent to."""
        return tag[2:] if tag[:2].lower() == "r-" else ""
