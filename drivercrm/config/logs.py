"""Structured logs with a request id; values of requests and personal data never enter them (spec §11)."""

import logging
import logging.config
import time
import uuid
from collections.abc import Callable

import structlog
from django.http import Http404, HttpRequest, HttpResponse

from drivercrm.config import metrics
from drivercrm.core.errors import Refused, trail

log = structlog.get_logger("drivercrm.request")


class KindAlone(logging.Handler):
    """Tells that Django refused a request and which of its checks did, never its words: they quote the address."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("refused", check=record.name.removeprefix("django.security."))


def configure(*, as_json: bool) -> None:
    """Sends the standard library's and structlog's records through one renderer to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.format_exc_info,
                        renderer,
                    ],
                }
            },
            "handlers": {
                "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
                "kind alone": {"()": KindAlone},
            },
            "root": {"handlers": ["stderr"], "level": "WARNING"},
            "loggers": {
                "drivercrm": {"level": "INFO"},
                # their messages quote the path, which may hold a search for a person or the secret of a link
                "django.request": {"level": "CRITICAL"},
                "django.server": {"level": "CRITICAL"},
                "django.security": {"handlers": ["kind alone"], "propagate": False},
            },
        }
    )


class RequestLog:
    """Binds a request id and writes one line a request: the view's name, never its address or values."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = uuid.uuid4().hex[:16]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - began
        metrics.count_request(request.method or "", response.status_code, seconds)
        match = request.resolver_match
        log.info(
            "request",
            method=request.method,
            view=match.view_name if match else None,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
        )
        response["X-Request-ID"] = request_id
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """The error's class and the lines it came through, never its words: they may quote a person."""
        if not isinstance(exception, Refused | Http404):
            log.error("unhandled exception", error=type(exception).__name__, trail=trail(exception))
