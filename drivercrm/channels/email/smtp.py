"""Handing a mail over by SMTP, and knowing at every step what a lost connection means."""

import re
import smtplib
import ssl

from drivercrm.channels.email.bounces import status_in, why
from drivercrm.channels.email.settings import Encryption, Settings
from drivercrm.channels.provider import Failure, SendFailed

_LOST = (OSError,)  # what smtplib raises when nobody answers any more; its own errors are such, too


class Courier:
    """One connection to the server that sends our mail; opened when first needed, kept for the mails after."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: smtplib.SMTP | None = None

    def knock(self) -> None:
        """Signs in and asks whether the server listens. Raises SendFailed."""
        client = self._client or self._connect()
        try:
            code, words = client.noop()
        except _LOST as error:
            self._drop()
            raise SendFailed(Failure.TEMPORARY, _lost_words(error)) from None
        if code >= 400:
            raise _refused(code, words, Failure.TEMPORARY)

    def deliver(self, sender: str, recipient: str, content: bytes) -> str:
        """Hands one mail over and returns the server's words. Raises SendFailed; IN_DOUBT only after the last dot."""
        try:
            client = self._opened(sender, content)
            code, words = client.rcpt(recipient)
            if code not in {250, 251, 252}:
                self._reset(client)
                raise _refused(code, words, Failure.UNKNOWN_CODE)
            client.putcmd("data")
            code, words = client.getreply()
            if code != 354:
                self._reset(client)
                raise _refused(code, words, Failure.UNKNOWN_CODE, to_recipient=False)
            # the dot stands in the last bytes: when they cannot be handed to the system, no server has seen it
            client.send(_with_dots(content))
        except _LOST as error:
            self._drop()
            raise SendFailed(Failure.TEMPORARY, _lost_words(error)) from None
        return self._after_the_dot(client)

    def _after_the_dot(self, client: smtplib.SMTP) -> str:
        doubt = "The connection ended before the server said whether it has taken the mail."
        try:
            if client.sock:
                client.sock.settimeout(self._settings.patience.total_seconds())
            code, words = client.getreply()
            if client.sock:
                client.sock.settimeout(self._settings.timeout.total_seconds())
        except _LOST:
            self._drop()
            raise SendFailed(Failure.IN_DOUBT, doubt) from None
        if 200 <= code < 300:
            return words.decode("utf-8", "replace")
        if not 400 <= code < 600:
            self._drop()
            raise SendFailed(Failure.IN_DOUBT, doubt)
        if code == 421:
            self._drop()
        raise _refused(code, words, Failure.CONTENT, to_recipient=False)

    def _opened(self, sender: str, content: bytes) -> smtplib.SMTP:
        """A connection that has taken the envelope's sender. A kept one may have ended: then a new one, once."""
        kept = self._client
        if kept is not None:
            try:
                code, words = self._begin(kept, sender, content)
            except _LOST:
                code, words = 421, b""
            if code == 250:
                return kept
            if code != 421:
                self._reset(kept)
                raise _refused_sender(code, words)
            self._drop()
        client = self._connect()
        code, words = self._begin(client, sender, content)
        if code != 250:
            self._reset(client)
            raise _refused_sender(code, words)
        return client

    def _begin(self, client: smtplib.SMTP, sender: str, content: bytes) -> tuple[int, bytes]:
        options = [f"size={len(content)}"] if client.has_extn("size") else []
        if client.has_extn("8bitmime") and not content.isascii():
            options.append("body=8bitmime")
        return client.mail(sender, options)

    def _connect(self) -> smtplib.SMTP:
        settings, timeout = self._settings, self._settings.timeout.total_seconds()
        client: smtplib.SMTP | None = None
        try:
            if settings.smtp_encryption is Encryption.TLS:
                client = smtplib.SMTP_SSL(
                    settings.smtp_host,
                    settings.smtp_port,
                    settings.domain,
                    timeout=timeout,
                    context=ssl.create_default_context(),
                )
            else:
                client = smtplib.SMTP(
                    settings.smtp_host, settings.smtp_port, settings.domain, timeout=timeout
                )
            client.ehlo_or_helo_if_needed()
            if settings.smtp_encryption is Encryption.STARTTLS:
                client.starttls(context=ssl.create_default_context())
                client.ehlo_or_helo_if_needed()
            if settings.smtp_user:
                client.login(settings.smtp_user, settings.smtp_password)
        except Exception as error:
            if client is not None:
                client.close()
            raise _no_connection(error) from None
        self._client = client
        return client

    def _reset(self, client: smtplib.SMTP) -> None:
        try:
            client.rset()
        except _LOST:
            self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def close(self) -> None:
        """Says goodbye."""
        if self._client is not None:
            try:
                self._client.quit()
            except _LOST:
                self._client.close()
            self._client = None


def _with_dots(content: bytes) -> bytes:
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    lines = re.sub(rb"^\.", b"..", lines, flags=re.MULTILINE)
    return lines + (b"" if lines.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def _no_connection(error: Exception) -> SendFailed:
    """Nothing was sent, that is certain; whether trying again helps is the question."""
    words = str(error)
    if isinstance(error, smtplib.SMTPResponseException):
        words = _text(error.smtp_error)
        is_for_now = 400 <= error.smtp_code < 500 or error.smtp_code < 200
        return SendFailed(
            Failure.TEMPORARY if is_for_now else Failure.ACCOUNT,
            f"The mail server refused the connection: {words}",
            code=str(error.smtp_code),
        )
    if isinstance(error, ssl.SSLError):
        failure = Failure.ACCOUNT
        words = "No protected connection to the mail server: " + (
            error.reason or "its certificate is not trusted"
        )
    elif isinstance(error, smtplib.SMTPServerDisconnected) or (
        isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException)
    ):
        failure, words = Failure.TEMPORARY, _lost_words(error)
    else:  # no STARTTLS, no sign-in that we know, a password with letters that SMTP does not have
        failure, words = (
            Failure.ACCOUNT,
            f"The mail server cannot be used with these settings: {type(error).__name__}",
        )
    return SendFailed(failure, words)


def _lost_words(error: Exception) -> str:
    named = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return f"The mail server did not answer: {named}"


def _text(words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return " ".join(text.split())[:500]


def _refused(code: int, words: bytes, otherwise: Failure, *, to_recipient: bool = True) -> SendFailed:
    text = _text(words)
    status = status_in(text)
    if not 400 <= code < 600:
        return SendFailed(Failure.TEMPORARY, text or "The server gave no sense.", code=str(code))
    if (status[:1] or str(code)[0]) != str(code)[0]:
        status = ""  # the reply code is what counts
    failure = why(status, code, text, to_recipient=to_recipient)
    return SendFailed(
        otherwise if failure is Failure.UNKNOWN_CODE else failure, text, code=f"{code} {status}".strip()
    )


def _refused_sender(code: int, words: bytes) -> SendFailed:
    """Who may not send as this address sends nothing at all; only the size is the mail's own fault."""
    failed = _refused(code, words, Failure.ACCOUNT, to_recipient=False)
    is_size = code == 552 or failed.code.endswith("5.3.4")
    if failed.failure is Failure.TEMPORARY or is_size:
        return failed
    return SendFailed(Failure.ACCOUNT, failed.words, code=failed.code)
