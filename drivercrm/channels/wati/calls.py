"""The way to WATI, and what every failure on it means.

WATI says itself that neither its broadcast names nor its local ids make a request safe to repeat, and that a timeout,
a lost connection and a 5xx leave the outcome open. So the rules are those of the Cloud API (`whatsapp/graph.py`), but
no 5xx is certain here: WATI has no error codes of its own that would say who has answered.
"""

import logging
from collections.abc import Mapping
from typing import Any

import httpx

from drivercrm.channels.provider import Failure, NotReached, SendFailed
from drivercrm.channels.wati.inbound import failure_in

TIMEOUT = httpx.Timeout(connect=5, read=30, write=30, pool=10)
LIMITS = httpx.Limits(max_connections=10, keepalive_expiry=5)
# raised before a byte of the request is written
UNSENT = (
    *(httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout),
    *(httpx.ProxyError, httpx.UnsupportedProtocol),
)
REFUSALS = {
    401: Failure.ACCOUNT,
    402: Failure.ACCOUNT,  # the quota or the credit is used up
    403: Failure.ACCOUNT,
    429: Failure.RATE,
}

for _name in ("httpx", "httpcore"):  # they write addresses at INFO
    logging.getLogger(_name).setLevel(logging.WARNING)


class Calls:
    """One account's connections."""

    def __init__(self, host: str, token: str) -> None:
        self.client = httpx.Client(
            base_url=host,
            timeout=TIMEOUT,
            limits=LIMITS,
            follow_redirects=False,
            headers={"Authorization": f"Bearer {token}"},
        )

    def hand_over(self, path: str, **content: Any) -> Mapping[str, Any]:
        """Posts a message. Raises SendFailed, IN_DOUBT where it may have been taken."""
        try:
            response = self.client.post(path, **content)
        except UNSENT as error:
            raise SendFailed(
                Failure.TEMPORARY, "WATI could not be reached", code=type(error).__name__
            ) from None
        except Exception as error:
            raise SendFailed(Failure.IN_DOUBT, "WATI did not answer", code=type(error).__name__) from None
        status, answer = response.status_code, _json(response)
        if status >= 500 or status == 408 or (status < 400 and not isinstance(answer, dict)):
            raise SendFailed(
                Failure.IN_DOUBT, "WATI did not answer in a way that can be read", code=f"HTTP {status}"
            )
        if status >= 400:
            words = words_of(answer)
            failure = REFUSALS.get(status) or failure_in(words)
            raise SendFailed(failure, words or f"WATI answered {status}", code=f"HTTP {status}")
        return answer

    def ask(self, path: str, **query: Any) -> Mapping[str, Any]:
        """Asks a question. Raises NotReached."""
        try:
            response = self.client.get(path, params=query)
        except Exception as error:
            raise NotReached(
                Failure.TEMPORARY, "WATI could not be reached", code=type(error).__name__
            ) from None
        answer = _json(response)
        if response.status_code >= 400 or not isinstance(answer, dict):
            raise refusal(response.status_code, words_of(answer))
        return answer

    def close(self) -> None:
        """Gives connections back."""
        self.client.close()


def refusal(status: int, words: str = "") -> NotReached:
    """What an answer to a question says that is none."""
    certain = REFUSALS.get(status, Failure.UNKNOWN_CODE)
    failure = certain if 400 <= status < 500 and status != 408 else Failure.TEMPORARY
    return NotReached(failure, words or f"WATI answered {status}", code=f"HTTP {status}")


def words_of(answer: object) -> str:
    """What WATI says about a failure, wherever it says it."""
    if isinstance(answer, str):
        return answer.strip()[:1000]
    if not isinstance(answer, dict):
        return ""
    return next(
        (found for name in ("error", "message", "info", "errors") if (found := _words(answer.get(name)))), ""
    )


def _words(value: object) -> str:
    if isinstance(value, list):
        return next((found for one in value if (found := words_of(one))), "")
    return words_of(value)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None
