"""The REST API: every room's routes behind one door (spec §9; docs/api.md).

The door comes before everything else: who is asking, may they, how often, and was this POST made before. A route
without a permission does not start.
"""

import json
import time
from collections.abc import Callable, Iterator
from functools import wraps
from importlib.metadata import version
from threading import Lock
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.urls import URLPattern, re_path
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import HttpError
from ninja.parser import Parser
from ninja.renderers import BaseRenderer
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf
from pydantic_core import to_json

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.api import router as accounts_router
from drivercrm.accounts.permissions import Access, Can, Request, public
from drivercrm.communications.api import router as communications_router
from drivercrm.config import idempotency
from drivercrm.config.problems import PROBLEM_JSON, PROBLEM_SCHEMA, not_found, problem, register
from drivercrm.consent.api import router as consent_router
from drivercrm.core.errors import Refused
from drivercrm.drivers.api import router as drivers_router
from drivercrm.imports.api import router as imports_router

# From below to above; a room that has an API stands here and nowhere else.
ROUTERS = (accounts_router, drivers_router, consent_router, communications_router, imports_router)

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PREFIX = "/api/v1/"

Run = Callable[..., HttpResponse]


class JSONRenderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return to_json(data)


class CarefulParser(Parser):
    """JSON that every database can keep: no NUL, no half of a surrogate pair."""

    def parse_body(self, request: HttpRequest) -> Any:
        try:
            data = json.loads(request.body, parse_constant=_no_constant)
            if b"\\u" in request.body:
                for text in _texts(data):
                    text.encode()
                    if "\0" in text:
                        raise ValueError("NUL")
        except (ValueError, RecursionError) as error:
            raise HttpError(400, "Cannot parse request body") from error
        return data

    def parse_querydict(self, data: Any, list_fields: list[str], request: HttpRequest) -> Any:
        if any("\0" in value for key in data for value in (key, *data.getlist(key))):
            raise Refused("nul", "An address cannot hold NUL.", field="query")
        return super().parse_querydict(data, list_fields, request)


def _texts(data: Any) -> Iterator[str]:
    """Every text in a piece of JSON, names of fields included."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, list):
        for one in data:
            yield from _texts(one)
    elif isinstance(data, dict):
        for name, one in data.items():
            yield name
            yield from _texts(one)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class Bearer(HttpBearer):
    """An API token: `Authorization: Bearer dcrm_…`."""

    def authenticate(self, request: HttpRequest, token: str) -> Access | None:
        return cast(Request, request).access


class Session(APIKeyCookie):
    """The session of a signed-in person; changes need the CSRF token, as on the pages."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self) -> None:
        super().__init__(csrf=False)  # the door has checked it

    def authenticate(self, request: HttpRequest, key: str | None) -> Access | None:
        return cast(Request, request).access


class Allowance:
    """How many requests each token may make in this process: a bucket that fills evenly (429 when it is empty)."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._lock = Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, who: str) -> float:
        """Takes one; the seconds to wait when there is none, else 0."""
        if not self.per_minute:
            return 0.0
        now = time.monotonic()
        with self._lock:
            left, at = self._left.get(who, (float(self.per_minute), now))
            left = min(self.per_minute, left + (now - at) * self.per_minute / 60)
            if left < 1:
                self._left[who] = (left, now)
                return (1 - left) * 60 / self.per_minute
            self._left[who] = (left - 1, now)
        return 0.0


allowance = Allowance(settings.API_PER_MINUTE)


def door(run: Run) -> Run:
    """Wraps an operation: sign-in, permission, allowance, idempotency, then the operation itself."""
    operation = run.__self__  # type: ignore[attr-defined]
    needed: Can | None = getattr(operation.view_func, "needs", None)
    if needed is None:
        raise ImproperlyConfigured(f"The API operation {operation.view_func.__name__} has no permission.")

    @wraps(run)
    def guarded(request: Request, **values: Any) -> HttpResponse:
        try:
            who = _who(request)
            request.access = who
            who.check(needed)
            if wait := allowance.take(str(who.actor)) if not who.actor.is_person else 0.0:
                return problem(
                    429,
                    "too_many_requests",
                    "This token asks too often. Wait a moment.",
                    headers={"Retry-After": str(int(wait) + 1)},
                )
            if request.method == "POST" and request.headers.get(idempotency.HEADER) is not None:
                return idempotency.once(request, who, lambda: run(request, **values))
        except Exception as error:
            return _stranger(error) if isinstance(error, NotSignedIn) else api.on_exception(request, error)
        return run(request, **values)

    return guarded


class NotSignedIn(Exception):
    """Neither a token that opens something nor a signed-in person."""


def _stranger(error: NotSignedIn) -> HttpResponse:
    return problem(
        401, "not_signed_in", str(error), headers={"WWW-Authenticate": 'Bearer realm="Driver CRM"'}
    )


def _who(request: Request) -> Access:
    """The token's access, or the signed-in person's. Raises NotSignedIn; refuses a change without CSRF token."""
    given = request.headers.get("Authorization", "")
    scheme, _, secret = given.partition(" ")
    if given:
        if scheme.lower() != "bearer":
            raise NotSignedIn("Use “Authorization: Bearer” and a token.")
        found = accounts.authenticate_token(secret.strip())
        if found is None:
            raise NotSignedIn("This token is unknown, revoked or too old.")
        return found
    if not request.user.is_authenticated:
        raise NotSignedIn("Sign in, or send a token.")
    if request.method not in SAFE and check_csrf(request):
        raise CsrfMissing()
    return request.access


class CsrfMissing(Refused):
    """A session may change something only with the page's CSRF token."""

    def __init__(self) -> None:
        super().__init__("csrf", "Send the CSRF token as X-CSRFToken, or use an API token.")


class Api(NinjaAPI):
    """Ninja's API with our errors in its schema."""

    def get_openapi_schema(self, **words: Any) -> Any:
        schema = super().get_openapi_schema(**words)
        for methods in schema["paths"].values():
            for method, operation in methods.items():
                _complete(method, operation)
        schema["components"]["schemas"]["Problem"] = PROBLEM_SCHEMA
        schema["components"]["securitySchemes"] = SECURITY
        schema["security"] = [{"Bearer": []}, {"Session": []}]
        schema["servers"] = [{"url": "/"}]
        return schema


SECURITY = {
    "Bearer": {"type": "http", "scheme": "bearer", "description": "An API token."},
    "Session": {
        "type": "apiKey",
        "in": "cookie",
        "name": settings.SESSION_COOKIE_NAME,
        "description": "A signed-in person; changes need X-CSRFToken.",
    },
}
ERRORS = {
    "400": "The body cannot be read",
    "401": "Not signed in",
    "403": "Not allowed",
    "404": "Not found",
    "409": "The state of affairs is in the way",
    "412": "Changed since it was read",
    "422": "An input does not fit",
    "429": "Too many requests",
    "500": "An error on our side",
}


def _complete(method: str, operation: dict[str, Any]) -> None:
    """The errors that an operation can answer with, and the headers it reads."""
    errors = {"401", "403", "422", "429", "500"}
    in_path = any(one["in"] == "path" for one in operation["parameters"])
    errors |= {"404"} if in_path else set()
    errors |= {"400"} if "requestBody" in operation else set()
    errors |= {"409"} if method != "get" else set()
    if method == "patch":
        errors.add("412")
        operation["parameters"].append(
            _header("If-Match", "The ETag of the version that the change is based on.")
        )
    if method == "post":
        operation["parameters"].append(
            _header(
                idempotency.HEADER, "Makes a repeated request safe for 24 hours.", most=idempotency.LONGEST
            )
        )
    for status in sorted(errors):
        operation["responses"][status] = {
            "description": ERRORS[status],
            "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    operation["responses"] = {str(status): said for status, said in operation["responses"].items()}
    operation.pop("security", None)


def _header(name: str, says: str, *, most: int = 500) -> dict[str, Any]:
    return {
        "in": "header",
        "name": name,
        "required": False,
        "description": says,
        "schema": {"type": "string", "minLength": 1, "maxLength": most, "pattern": "^[!-~]+$"},
    }


api = Api(
    title="Driver CRM",
    version=version("drivercrm"),
    description="Drivers, their onboarding, consent and history. Errors are application/problem+json.",
    urls_namespace="api",
    openapi_url=None,
    docs_url=None,
    renderer=JSONRenderer(),
    parser=CarefulParser(),
    auth=[Bearer(), Session()],
)
api.add_decorator(door, mode="view")
register(api)
for router in ROUTERS:
    api.add_router("", router)

_schema: dict[str, Any] = {}


def schema() -> dict[str, Any]:
    """The OpenAPI description, worked out once."""
    if not _schema:
        _schema.update(api.get_openapi_schema(path_prefix=PREFIX))
    return _schema


@public
@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI 3.1 description."""
    return HttpResponse(to_json(schema()), content_type="application/json")


@public
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The same for people: our own page, without scripts and without other people's servers."""
    return render(request, "ui/api.html", {"api": schema(), "groups": _groups()})


def _groups() -> list[tuple[str, list[dict[str, Any]]]]:
    """The operations by their tag, each with its method, address, body and answer."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path, methods in schema()["paths"].items():
        for method, operation in methods.items():
            line = {
                "method": method.upper(),
                "path": path,
                "summary": operation["summary"],
                "description": operation.get("description", ""),
                "id": operation["operationId"],
                "parameters": [_parameter(one) for one in operation["parameters"]],
                "body": _fields(_body(operation)),
                "answers": [
                    {"status": status, "says": said["description"], "is_error": status >= "400"}
                    for status, said in sorted(operation["responses"].items())
                ],
                "fields": _fields(_answer(operation)),
            }
            found.setdefault(operation["tags"][0], []).append(line)
    return list(found.items())


def _parameter(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": one["name"],
        "place": one["in"],
        "type": _type(one["schema"]),
        "is_required": one["required"],
        "says": one.get("description", ""),
    }


def _body(operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    return content.get("application/json", {}).get("schema", {})


def _answer(operation: dict[str, Any]) -> dict[str, Any]:
    for status, said in operation["responses"].items():
        if status < "400":
            return said.get("content", {}).get("application/json", {}).get("schema", {})
    return {}


def _resolved(piece: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in piece:
        return schema()["components"]["schemas"][piece["$ref"].rsplit("/", 1)[-1]]
    return piece


def _fields(piece: dict[str, Any]) -> list[dict[str, Any]]:
    whole = _resolved(piece)
    required = set(whole.get("required", []))
    return [
        {
            "name": name,
            "type": _type(one),
            "is_required": name in required,
            "says": one.get("description", ""),
        }
        for name, one in whole.get("properties", {}).items()
    ]


def _type(piece: dict[str, Any]) -> str:
    """A type in a few words: `string`, `list of Driver`, `one of a, b`, `date-time or null`."""
    if "anyOf" in piece:
        return " or ".join(_type(one) for one in piece["anyOf"])
    if "$ref" in piece:
        resolved = _resolved(piece)
        return _type(resolved) if "enum" in resolved else piece["$ref"].rsplit("/", 1)[-1]
    if "enum" in piece:
        return "one of " + ", ".join(str(value) for value in piece["enum"])
    if "const" in piece:
        return f"“{piece['const']}”"
    if piece.get("type") == "array":
        return f"list of {_type(piece.get('items', {}))}"
    return str(piece.get("format") or piece.get("type") or "any")


def _with_problems(pattern: URLPattern) -> URLPattern:
    """The same address; a method it does not know is a problem too."""
    inner = pattern.callback

    @wraps(inner)
    def view(request: HttpRequest, *args: Any, **values: Any) -> HttpResponse:
        response = inner(request, *args, **values)
        if isinstance(response, HttpResponseNotAllowed):
            return problem(
                405,
                "method_not_allowed",
                f"This address does not take {request.method}.",
                headers={"Allow": response["Allow"]},
            )
        return response

    pattern.callback = view
    return pattern


_patterns, _app, _namespace = api.urls
urls = (
    [
        *(_with_problems(one) for one in _patterns if isinstance(one, URLPattern) and one.name != "api-root"),
        re_path(r"^(?P<path>.*)$", not_found, name="not-found"),
    ],
    _app,
    _namespace,
)
