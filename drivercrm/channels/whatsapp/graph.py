"""The way to Meta's Graph API: pywa over one connection pool, and what every failure on that way means.

What decides after a send is only whether Meta may have taken the message. There is no idempotency key, so a message
that may have been taken is IN_DOUBT and is never sent again by itself; everything else says for certain that it was
not:

- No connection (name, TCP, TLS, proxy, no free connection in the pool): nothing of the request was written.
- An answer with a code of Meta's that we know: the application itself has refused, whatever the HTTP status.
- Any other 4xx: something before the application has refused. 408 is left out: who sends it has seen a part.

In doubt are a timeout and a broken connection after that, since httpx cannot tell how much of the request has arrived
(a failed write may have followed a complete one into the kernel, and the answer of a taken message gets lost in the
same way); an answer below 400 that names no message; and a 5xx without a known code: balancers say 502, 503 and 504
also when the application had the request and did not answer in time.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from ssl import SSLContext
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from pywa import WhatsApp
from pywa.api import GraphAPI

from drivercrm.channels.provider import Failure, NotReached, SendFailed
from drivercrm.channels.whatsapp.errors import PAUSES, code_of, failure_of, words_of

T = TypeVar("T")

HOST = "graph.facebook.com"
TIMEOUT = httpx.Timeout(connect=5, read=30, write=30, pool=10)
# Meta closes idle connections; one that is closed while we write on it would be in doubt for nothing
LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=5)
# raised before a byte of the request is written
UNSENT = (
    *(httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout),
    *(httpx.ProxyError, httpx.UnsupportedProtocol),
)

# they write addresses, bodies and answers at DEBUG and INFO: phone numbers and texts do not belong in a log
for _name in ("pywa", "httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@cache
def _tls() -> SSLContext:
    """Loading the certificates takes longer than a send; all accounts share them."""
    return httpx.create_ssl_context()


class Graph:
    """One account's connections. Safe for several threads."""

    def __init__(self, *, token: str, version: str, elsewhere: str = "") -> None:
        """`elsewhere` is another place for the Graph API, as tests have it; it gets the token too."""
        self._here = threading.local()
        self._elsewhere = httpx.URL(elsewhere) if elsewhere else None
        self.client = httpx.Client(
            timeout=TIMEOUT,
            limits=LIMITS,
            verify=_tls(),
            trust_env=not elsewhere,  # an operator's proxy is for the real one only
            follow_redirects=False,  # the token goes where we send it, and nowhere else
            event_hooks={"request": [self._leave], "response": [self._arrive]},
        )
        # no server: pywa is the way out only, webhooks are read by inbound.py
        self.api: GraphAPI = WhatsApp(token=token, session=self.client, api_version=version).api

    def _leave(self, request: httpx.Request) -> None:
        """The last moment before a request goes to the network."""
        self._here.has_left = True
        if self._elsewhere is not None and request.url.host == HOST:
            request.url = request.url.copy_with(
                scheme=self._elsewhere.scheme, host=self._elsewhere.host, port=self._elsewhere.port
            )
            request.headers["Host"] = request.url.netloc.decode()

    def _arrive(self, response: httpx.Response) -> None:
        """Keeps the answer for the case that pywa stumbles over it."""
        self._here.answer = response

    def is_trusted(self, url: str) -> bool:
        """Whether a file's address is one of Meta's, so that the token may go there: it came in a webhook."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            return False
        there = self._elsewhere
        if there is not None and (parts.scheme, host, port) == (there.scheme, there.host, there.port):
            return True
        is_metas = host in (HOST, "lookaside.fbsbx.com") or host.endswith(".fbcdn.net")
        return parts.scheme == "https" and port in (None, 443) and is_metas and "@" not in parts.netloc

    def hand_over(self, call: Callable[[], Any]) -> Mapping[str, Any]:
        """Sends a message. Raises SendFailed by the rules above."""
        self._here.has_left, self._here.answer = False, None
        try:
            answer = call()
        except UNSENT as error:
            raise SendFailed(
                Failure.TEMPORARY, "WhatsApp could not be reached", code=type(error).__name__
            ) from None
        except Exception as error:
            name, response = type(error).__name__, self._here.answer
            if response is not None and response.status_code >= 400:
                raise _refused(response) from None
            if not self._here.has_left:  # it could not even be written down: the message is at fault
                raise SendFailed(
                    Failure.CONTENT, "The message could not be put into words", code=name
                ) from None
            raise SendFailed(
                Failure.IN_DOUBT, "WhatsApp did not answer in a way that can be read", code=name
            ) from None
        if not isinstance(answer, dict):
            raise SendFailed(Failure.IN_DOUBT, "WhatsApp's answer names no message")
        return answer

    def ask(self, call: Callable[[], T]) -> T:
        """Asks a question, or does what may safely be done twice. Raises NotReached."""
        self._here.answer = None
        try:
            return call()
        except NotReached:
            raise
        except Exception as error:
            response = self._here.answer
            failure, words, code = (
                response is not None and response.status_code >= 400 and _certain(response)
            ) or (Failure.TEMPORARY, "WhatsApp could not be reached", type(error).__name__)
            raise NotReached(failure, words, code=code) from None

    def close(self) -> None:
        """Gives connections back."""
        self.client.close()


def _certain(response: httpx.Response) -> tuple[Failure, str, str] | None:
    """What an error answer says for certain: failure, words, code. None when it may also come after a success.

    pywa puts the HTTP status where Meta's code should be when the answer is no JSON, so it is read again here.
    """
    status = response.status_code
    error: Any = None
    try:
        body = response.json()
        error = body.get("error") if isinstance(body, dict) else None
    except (ValueError, RecursionError, httpx.StreamError):  # no JSON, or broken off in the middle
        pass
    code = code_of(error)
    words = words_of(error) or f"WhatsApp answered {status}"
    failure = failure_of(code)
    if failure != Failure.UNKNOWN_CODE:
        return failure, words, str(code)
    if status >= 500 or status == 408:
        return None
    shown = f"HTTP {status}" if code is None else str(code)
    if status == 429:
        return Failure.RATE, words, shown
    if code is None and status in (401, 403):
        return Failure.ACCOUNT, words, shown
    if isinstance(error, dict) and error.get("is_transient") is True:
        return Failure.TEMPORARY, words, shown
    return Failure.UNKNOWN_CODE, words, shown


def _refused(response: httpx.Response) -> SendFailed:
    certain = _certain(response)
    if certain is None:
        return SendFailed(
            Failure.IN_DOUBT,
            "WhatsApp broke off while it had the message",
            code=f"HTTP {response.status_code}",
        )
    failure, words, code = certain
    return SendFailed(failure, words, code=code, wait=_retry_after(response) or PAUSES.get(failure))


def _retry_after(response: httpx.Response) -> timedelta | None:
    """The pause that an answer asks for, an hour at most."""
    value = response.headers.get("Retry-After", "")
    return timedelta(seconds=min(int(value), 3600)) if value.isascii() and value.isdigit() else None
