"""A mail server's sending side on loopback: takes mails, or fails at the step that a test names.

In a test: `with MailServer() as server: …`. As a process: `python -m tests.emulators.mail --port 8025`, which prints a
line for each mail that it has taken. It keeps mails, it delivers none; that is the work of `scripts/mail_rig`.
"""

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

STEPS = ("greeting", "ehlo", "auth", "mail", "rcpt", "data", "end", "noop")


@dataclass
class Fault:
    """What goes wrong, once, at a step: `end` is the answer to the whole mail."""

    at: str
    status: str = ""  # instead of the true answer
    drops: bool = False  # closes the connection instead of answering
    hold: threading.Event | None = None  # answers when it is set
    takes: bool = False  # at `end`: the mail counts as taken all the same
    only_to: str = ""  # at `rcpt`: this address

    def __post_init__(self) -> None:
        if self.at not in STEPS:
            raise ValueError(f"There is no step {self.at}.")


@dataclass(frozen=True)
class Taken:
    """One mail as it came."""

    sender: str
    recipient: str
    raw: bytes
    at: float

    @property
    def mail(self) -> EmailMessage:
        """Read by the standard library."""
        return BytesParser(policy=default).parsebytes(self.raw)  # type: ignore[return-value]


class MailServer:
    """A server on a port of its own, with its faults and what it has taken."""

    def __init__(
        self,
        port: int = 0,
        *,
        user: str = "",
        password: str = "",
        note: Callable[[Taken], None] | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._taken: list[Taken] = []
        self._tries = 0
        self._user, self._password, self._note = user, password, note
        self._loop = asyncio.new_event_loop()
        self.port = port

    def fail(self, at: str, status: str = "", **more: Any) -> None:
        """The next time at this step, this goes wrong."""
        with self._lock:
            self._faults.append(Fault(at, status, **more))

    @property
    def taken(self) -> list[Taken]:
        """Every mail that was taken, in order."""
        with self._lock:
            return list(self._taken)

    @property
    def tries(self) -> int:
        """How many whole mails have come, taken or not."""
        with self._lock:
            return self._tries

    def next_fault(self, at: str, address: str = "") -> Fault | None:
        """Takes the next fault of a step off the list."""
        with self._lock:
            for fault in self._faults:
                if fault.at == at and fault.only_to in {"", address}:
                    self._faults.remove(fault)
                    return fault
        return None

    def keep(self, envelope: Envelope, *, is_taken: bool) -> None:
        """Counts a whole mail."""
        content = envelope.original_content or b""
        for recipient in envelope.rcpt_tos:
            taken = Taken(str(envelope.mail_from), recipient, content, time.time())
            with self._lock:
                self._tries += 1
                if is_taken:
                    self._taken.append(taken)
            if is_taken and self._note:
                self._note(taken)

    def may_sign_in(self, *_: Any) -> AuthResult:
        """Whether the name and the password are right."""
        given = _[-1]
        right = isinstance(given, LoginPassword) and given == LoginPassword(
            self._user.encode(), self._password.encode()
        )
        return AuthResult(success=right, handled=right)

    def __enter__(self) -> Self:
        asyncio.set_event_loop(self._loop)
        listening = self._loop.run_until_complete(
            self._loop.create_server(
                lambda: _Connection(self, self._loop, self._user), "127.0.0.1", self.port
            )
        )
        asyncio.set_event_loop(None)
        self.port = listening.sockets[0].getsockname()[1]
        self._listening = listening
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class _Connection(SMTP):
    def __init__(self, server: MailServer, loop: asyncio.AbstractEventLoop, user: str) -> None:
        signs_in = {"authenticator": server.may_sign_in, "auth_require_tls": False}
        super().__init__(self, hostname="mail.test", ident="test", loop=loop, **(signs_in if user else {}))
        self._server = server

    async def _fails(self, at: str, address: str = "") -> bool:
        """Whether the step has been answered by a fault."""
        fault = self._server.next_fault(at, address)
        if fault is None:
            return False
        if fault.hold:
            await asyncio.to_thread(fault.hold.wait, 60)
        if fault.drops and self.transport is not None:
            self.transport.abort()
            return True
        if fault.status:
            await self.push(fault.status)
            return True
        return False

    async def _handle_client(self) -> None:
        if await self._fails("greeting"):
            if self.transport is not None:
                self.transport.close()
            return
        await super()._handle_client()

    async def smtp_EHLO(self, hostname: str) -> None:
        if not await self._fails("ehlo"):
            await super().smtp_EHLO(hostname)

    async def smtp_AUTH(self, arg: str) -> None:
        if not await self._fails("auth"):
            await super().smtp_AUTH(arg)

    async def smtp_NOOP(self, arg: str) -> None:
        if not await self._fails("noop"):
            await super().smtp_NOOP(arg)

    async def smtp_MAIL(self, arg: str) -> None:
        if not await self._fails("mail"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str) -> None:
        address = (arg or "").partition("<")[2].partition(">")[0]
        if not await self._fails("rcpt", address):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        if not await self._fails("data"):
            await super().smtp_DATA(arg)

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:
        fault = self._server.next_fault("end")
        self._server.keep(envelope, is_taken=fault is None or fault.takes)
        if fault and fault.hold:
            await asyncio.to_thread(fault.hold.wait, 60)
        if fault and fault.drops and self.transport is not None:
            self.transport.abort()
        return (fault and fault.status) or "250 2.0.0 taken"


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(description="A mail server that keeps what it takes, on loopback")
    parser.add_argument("--port", type=int, default=8025)
    given = parser.parse_args()

    def note(taken: Taken) -> None:
        print(json.dumps({"to": taken.recipient, "id": taken.mail["Message-ID"]}), flush=True)  # noqa: T201

    with MailServer(given.port, note=note) as server:
        print(server.port, flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
