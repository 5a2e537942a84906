"""The wire to the Bot API below python-telegram-bot: keeps its connection, its answers and its mouth shut."""

import json
import logging
import warnings
from typing import Any

import httpx
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData
from telegram.warnings import PTBDeprecationWarning

UPLOAD_SECONDS = 60.0  # the longest silence while a file goes out

# none of these has written a byte of the request
NOT_WRITTEN = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


def _is_silent(_: logging.LogRecord) -> bool:
    return False


def _is_trouble(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


# Addresses hold the token, and the library's records quote messages. What goes wrong is told by exceptions.
logging.getLogger("httpx").addFilter(_is_trouble)
for _name in ("telegram.Bot", "telegram.BaseRequest", "telegram.request.BaseRequest"):
    logging.getLogger(_name).addFilter(_is_silent)
# of the pause after a 429, which is read from the answer itself
warnings.filterwarnings("ignore", category=PTBDeprecationWarning, message=".*retry_after")


class Line(BaseRequest):
    """Carries one call of the library over a client that may serve many, and remembers what came of it.

    It blocks, which the library cannot tell: each call runs alone in a loop of its own.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.was_written = False  # the request may have arrived
        self.fault = ""  # what broke the connection, by its name
        self.status = 0
        self.answer: dict[str, Any] = {}

    @property
    def read_timeout(self) -> float | None:
        """Seconds."""
        return self._client.timeout.read

    async def initialize(self) -> None:
        """The client is ready."""

    async def shutdown(self) -> None:
        """The client outlives the call."""

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Sends one request. Raises the library's errors without an address in them."""
        files = request_data.multipart_data if request_data else None
        usual = self._client.timeout
        reading = usual.read if read_timeout is BaseRequest.DEFAULT_NONE else read_timeout
        timeout = httpx.Timeout(
            connect=usual.connect,
            read=max(reading or 0, UPLOAD_SECONDS) if files else reading,
            write=UPLOAD_SECONDS if files else usual.write,
            pool=usual.pool,
        )
        request = self._client.build_request(
            method,
            url,
            files=files,
            data=request_data.json_parameters if request_data else None,
            timeout=timeout,
        )
        self.was_written = True
        try:
            answer = self._client.send(request)
        except httpx.HTTPError as error:
            self.was_written = not isinstance(error, NOT_WRITTEN)
            self.fault = type(error).__name__
            kind = TimedOut if isinstance(error, httpx.TimeoutException) else NetworkError
            raise kind(self.fault) from None
        self.status = answer.status_code
        self.answer = _read(answer.content)
        return answer.status_code, answer.content

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The library's own writes what it cannot read into the log."""
        answer = _read(payload)
        if not answer:
            raise TelegramError("not an answer of the Bot API")
        return answer


def _read(payload: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
