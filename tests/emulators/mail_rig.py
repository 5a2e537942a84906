"""Postfix and Dovecot on loopback, started by `scripts/mail_rig`: a real mail server for the tests that need one.

As a process: `scripts/mail_rig start FOLDER`, then `scripts/mail_rig stop FOLDER`.
"""

import json
import smtplib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imap_tools import MailBoxUnencrypted

from drivercrm.channels.email.settings import Encryption, Settings

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "mail_rig"
CANNOT = 3  # the script's word for: not on this machine


class Impossible(Exception):
    """There can be no mail server here; the text says why."""


@dataclass(frozen=True)
class Rig:
    """A running one. Mailboxes are crm@, sipho@ and nandi@rig.test, all with the same password."""

    host: str
    smtp_port: int
    imap_port: int
    password: str
    mailboxes: list[str]

    def settings(self, address: str, **more: object) -> Settings:
        """The account of one of its mailboxes."""
        given: dict[str, object] = {
            "smtp_host": self.host,
            "smtp_port": self.smtp_port,
            "from_address": address,
            "from_name": "Driver CRM",
            "smtp_encryption": Encryption.NONE,
            "smtp_user": address,
            "smtp_password": self.password,
            "imap_host": self.host,
            "imap_port": self.imap_port,
            "imap_encryption": Encryption.NONE,
            "imap_user": address,
            "imap_password": self.password,
        }
        return Settings(**(given | more))  # type: ignore[arg-type]

    def hand_in(self, sender: str, recipient: str, raw: bytes) -> None:
        """Somebody else sends a mail."""
        with smtplib.SMTP(self.host, self.smtp_port, "localhost", timeout=10) as client:
            client.sendmail(sender, [recipient], raw)

    @contextmanager
    def inside(self, address: str) -> Iterator[MailBoxUnencrypted]:
        """The mailbox, opened by another client."""
        with MailBoxUnencrypted(self.host, self.imap_port, timeout=10).login(address, self.password) as box:
            yield box


@contextmanager
def running(folder: Path) -> Iterator[Rig]:
    """A rig of its own in a folder. Raises Impossible where it cannot be installed or started."""
    started = subprocess.run([SCRIPT, "start", folder], capture_output=True, text=True, check=False)
    if started.returncode == CANNOT:
        raise Impossible(started.stderr.strip())
    assert started.returncode == 0, started.stderr
    try:
        yield Rig(**json.loads(started.stdout))
    finally:
        subprocess.run([SCRIPT, "stop", folder], check=True)
