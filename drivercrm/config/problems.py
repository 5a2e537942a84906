"""Errors of the API as application/problem+json (RFC 9457): what went wrong, for programs and for people."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from drivercrm.accounts.permissions import public
from drivercrm.core.errors import NotAllowed, Refused, trail

log = structlog.get_logger("drivercrm.api")

PROBLEM_JSON = "application/problem+json"

# Refusals that another state of affairs would have allowed, though they name a field: 409 instead of 422.
CONFLICTS = frozenset({"value_taken", "edited_since", "step_done", "step_not_done"})
STATUS_OF = {"version_changed": 412, "too_many_requests": 429, "bad_cursor": 422, "gone": 404, "csrf": 403}

# The schema of an error, as the OpenAPI page shows it.
PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Always `about:blank`: `code` says what happened."},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "For programs; never changes its meaning."},
        "detail": {"type": "string", "description": "A sentence for people."},
        "field": {"type": "string", "description": "The input that caused it, where one did."},
        "fields": {
            "type": "array",
            "description": "Every input that does not fit the schema.",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    field: str | None = None,
    fields: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """One error as an answer."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if field:
        body["field"] = field
    if fields:
        body["fields"] = list(fields)
    response = HttpResponse(json.dumps(body, ensure_ascii=False), status=status, content_type=PROBLEM_JSON)
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def register(api: NinjaAPI) -> None:
    """Makes every error of the API a problem."""
    api.exception_handler(Refused)(_refused)
    api.exception_handler(Http404)(_not_found)
    api.exception_handler(ValidationError)(_invalid)
    api.exception_handler(HttpError)(_http_error)
    api.exception_handler(Exception)(_unexpected)


def status_of(refusal: Refused) -> int:
    """409 when the state of affairs is in the way, 422 when the input is."""
    if isinstance(refusal, NotAllowed):
        return 403
    if refusal.code in STATUS_OF:
        return STATUS_OF[refusal.code]
    return 409 if refusal.field is None or refusal.code in CONFLICTS else 422


def _refused(request: HttpRequest, refusal: Refused) -> HttpResponse:
    return problem(status_of(refusal), refusal.code, refusal.sentence, field=refusal.field)


def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return problem(404, "not_found", "There is nothing at this address.")


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields = [{"field": _place(one["loc"]), "detail": one["msg"]} for one in error.errors]
    names = ", ".join(dict.fromkeys(one["field"] for one in fields))
    return problem(422, "invalid", f"These inputs do not fit: {names}.", fields=fields)


def _place(loc: Sequence[object]) -> str:
    """The input's name as its sender knows it: without where it came in, and our name for the whole."""
    names = [str(part) for part in loc if part not in {"body", "query", "path", "header", "data"}]
    return ".".join(names) or "body"


def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    if error.status_code == 400:
        return problem(400, "bad_json", "The body cannot be read as JSON.")
    return problem(error.status_code, "error", str(error))


def _unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
    """No detail leaves the house; the log has the traceback, found by the request's id."""
    log.error("unhandled exception", error=type(error).__name__, trail=trail(error))
    return problem(500, "unexpected", "Something went wrong on our side. It has been noted.")


@public
def not_found(request: HttpRequest, path: str = "") -> HttpResponse:
    """Every address under the API that is none."""
    return problem(404, "not_found", "There is nothing at this address.")


not_found.csrf_exempt = True  # type: ignore[attr-defined]
