"""Reading a mailbox by IMAP: what is new since a cursor, without touching a flag."""

import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from imaplib import IMAP4
from typing import TypeVar

from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError

from drivercrm.channels.email.inbound import Kept, wrap
from drivercrm.channels.email.settings import Encryption, Settings
from drivercrm.channels.provider import Failure, Fetched, NotReached

MOST_MAILS = 50  # of one reading; the next goes on behind them
MOST_BYTES = 25_000_000
LONGEST_MAIL = 30_000_000  # of a larger one only the beginning is read
BEGINNING = 300_000
# rounds of waiting grow: a notice that comes between question and wait is lost, and mails come together; the longest
# is short, because a dead line looks like a quiet one
FIRST_ROUND = timedelta(seconds=0.5)
LONGEST_ROUND = timedelta(seconds=60)
ROUND_WITHOUT_IDLE = timedelta(seconds=20)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_LOST = (IMAP4.abort, OSError)
_LATER = re.compile(r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG|ALERT\] Too many)", re.IGNORECASE)

Answer = TypeVar("Answer")


class Mailbox:
    """One connection to the server that keeps our mail; opened when first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._box: BaseMailBox | None = None
        self._validity = 0
        self._next = 0

    def fetch(self, cursor: str, wait: timedelta) -> Fetched:
        """Mails behind the cursor (`uidvalidity:uid`), each wrapped; waits for the first. Raises NotReached.

        Without a cursor, and when the server has numbered the folder anew, it begins as far back as the settings say:
        keys keep what is read twice from counting twice.
        """
        return self._guarded(lambda box: self._fetch(box, cursor, time.monotonic() + wait.total_seconds()))

    def knock(self) -> bool:
        """Signs in and opens the folder; whether the server tells of new mail by itself. Raises NotReached."""
        return self._guarded(_has_idle)

    def close(self) -> None:
        """Signs out."""
        if self._box is not None:
            with suppress(ImapToolsError, IMAP4.error, OSError):
                self._box.logout()
            self._box = None

    def _guarded(self, work: Callable[[BaseMailBox], Answer]) -> Answer:
        """The work, on the kept connection; that one may have ended, then on a new one."""
        try:
            if self._box is not None:
                try:
                    return work(self._box)
                except _LOST:
                    self._drop()
            return work(self._open())
        except NotReached:
            self._drop()
            raise
        except (*_LOST, IMAP4.error, ImapToolsError) as error:
            self._drop()
            raise _not_reached(error) from None

    def _drop(self) -> None:
        if self._box is not None:
            with suppress(OSError):
                self._box.client.shutdown()
            self._box = None

    def _open(self) -> BaseMailBox:
        settings, timeout = self._settings, self._settings.timeout.total_seconds()
        kind = {
            Encryption.TLS: MailBox,
            Encryption.STARTTLS: MailBoxStartTls,
            Encryption.NONE: MailBoxUnencrypted,
        }
        secured = (
            {}
            if settings.imap_encryption is Encryption.NONE
            else {"ssl_context": ssl.create_default_context()}
        )
        box = kind[settings.imap_encryption](
            settings.imap_host, settings.imap_port, timeout=timeout, **secured
        )
        self._box = box
        is_plain = (settings.imap_user + settings.imap_password).isascii()
        sign_in = box.login if is_plain else box.login_utf8
        try:
            sign_in(settings.imap_user, settings.imap_password, initial_folder=None)
        except IMAP4.error as error:
            if isinstance(error, IMAP4.abort):
                raise
            raise _refused("the sign-in", error) from None
        box.folder.set(settings.imap_folder, readonly=True)
        self._validity, self._next = _number(box, "UIDVALIDITY"), _number(box, "UIDNEXT")
        return box

    def _fetch(self, box: BaseMailBox, cursor: str, until: float) -> Fetched:
        known, _, last = cursor.partition(":")
        if known == str(self._validity) and last.isdigit():
            start = int(last)
            uids = _behind(box, start)
        else:
            uids = self._recent(box)
            start = 0 if uids else max(self._next - 1, 0)
        turn = FIRST_ROUND
        while not uids and (left := until - time.monotonic()) > 0:
            _wait(box, min(timedelta(seconds=left), turn))
            turn = min(turn * 2, LONGEST_ROUND)
            uids = _behind(box, start)
        bodies = []
        for uid, body in self._read(box, uids):
            start = uid
            bodies.append(body)
        return Fetched(tuple(bodies), f"{self._validity}:{start}")

    def _recent(self, box: BaseMailBox) -> list[int]:
        # the day is the server's, wherever that is
        first = (datetime.now(UTC) - self._settings.backlog - timedelta(days=1)).date()
        return _uids(box, f"SINCE {first.day}-{_MONTHS[first.month - 1]}-{first.year}")

    def _read(self, box: BaseMailBox, uids: list[int]) -> Iterator[tuple[int, bytes]]:
        sizes = _sizes(box, uids[:MOST_MAILS])
        total = 0
        for uid in uids[:MOST_MAILS]:
            if uid not in sizes:  # gone meanwhile
                yield uid, wrap(Kept(b"", place=f"{self._validity}:{uid}"))
                continue
            is_cut = sizes[uid] > LONGEST_MAIL
            total += BEGINNING if is_cut else sizes[uid]
            if total > MOST_BYTES and total > sizes[uid]:
                return
            raw, at = _mail(box, uid, f"BODY.PEEK[]<0.{BEGINNING}>" if is_cut else "BODY.PEEK[]")
            yield uid, wrap(Kept(raw, at, f"{self._validity}:{uid}", is_cut))


def _number(box: BaseMailBox, name: str) -> int:
    """A number that the server has told when the folder was opened."""
    _, told = box.client.response(name)
    return int(told[-1]) if told and told[-1] and told[-1].isdigit() else 0


def _has_idle(box: BaseMailBox) -> bool:
    return "IDLE" in box.client.capabilities


def _wait(box: BaseMailBox, most: timedelta) -> None:
    if _has_idle(box):
        box.idle.wait(timeout=most.total_seconds())
    else:
        time.sleep(min(most, ROUND_WITHOUT_IDLE).total_seconds())
        box.client.noop()


def _uids(box: BaseMailBox, criteria: str) -> list[int]:
    box.client.noop()  # on an open connection a search sees only what the server has announced before
    return sorted(int(uid) for uid in box.uids(criteria, charset=None) if uid.isdigit())


def _behind(box: BaseMailBox, uid: int) -> list[int]:
    # `n:*` always names the last mail, also when it stands before n
    return [found for found in _uids(box, f"UID {uid + 1}:*") if found > uid]


def _sizes(box: BaseMailBox, uids: list[int]) -> dict[int, int]:
    if not uids:
        return {}
    _, lines = box.client.uid("FETCH", ",".join(map(str, uids)), "(UID RFC822.SIZE)")
    sizes = {}
    for line in lines:
        text = line.decode("ascii", "replace") if isinstance(line, bytes) else ""
        uid, size = re.search(r"\bUID (\d+)", text), re.search(r"RFC822\.SIZE (\d+)", text)
        if uid and size:
            sizes[int(uid[1])] = int(size[1])
    return sizes


def _mail(box: BaseMailBox, uid: int, what: str) -> tuple[bytes, datetime | None]:
    """The bytes of a mail, and when the server took it. A mail that the server cannot give is empty."""
    _, items = box.client.uid("FETCH", str(uid), f"(UID INTERNALDATE {what})")
    raw, told = b"", ""
    for item in items:
        if isinstance(item, tuple):
            raw = raw or item[1]
        told += (item[0] if isinstance(item, tuple) else item or b"").decode("ascii", "replace")
    found = re.search(r'INTERNALDATE "([^"]+)"', told)
    try:
        at = parsedate_to_datetime(found[1].strip()) if found else None
    except (ValueError, TypeError):
        at = None
    return raw, at if at and at.tzinfo else None


def _refused(what: str, error: Exception) -> NotReached:
    words = " ".join(str(error).split())[:500]
    failure = Failure.TEMPORARY if _LATER.search(words) else Failure.ACCOUNT
    return NotReached(failure, f"The mailbox refuses {what}: {words}")


def _not_reached(error: Exception) -> NotReached:
    words = " ".join(str(error).split())[:500]
    if isinstance(error, MailboxLoginError):
        return _refused("the sign-in", error)
    if isinstance(error, MailboxFolderSelectError):
        return _refused("to open the folder", error)
    if isinstance(error, ssl.SSLError):
        reason = error.reason or "its certificate is not trusted"
        return NotReached(Failure.ACCOUNT, f"No protected connection to the mailbox: {reason}")
    return NotReached(Failure.TEMPORARY, f"The mailbox did not answer: {words or type(error).__name__}")
