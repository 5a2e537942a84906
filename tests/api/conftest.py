import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from tests.factories import actor_of, make_user


class Api:
    """A program with a token: JSON out, JSON in."""

    def __init__(self, secret: str) -> None:
        self.secret, self.client = secret, Client(raise_request_exception=False)

    def get(self, path: str, **query: Any) -> HttpResponse:
        return self.client.get(f"/api/v1{path}", query, headers=self._headers())

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self._send("post", path, body, headers)

    def patch(self, path: str, body: Any, **headers: str) -> HttpResponse:
        return self._send("patch", path, body, headers)

    def delete(self, path: str) -> HttpResponse:
        return self._send("delete", path, None, {})

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> HttpResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return getattr(self.client, method)(
            f"/api/v1{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers=self._headers() | named,
        )

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}


@pytest.fixture
def api_as(db: None) -> Callable[..., Api]:
    """A program whose token has a role, and only some scopes if they are named."""

    def make(role: str = Role.ADMIN, **options: Any) -> Api:
        by = actor_of(make_user(Role.ADMIN))
        _, secret = accounts.create_token(f"{role} {by.id}", role=role, by=by, **options)
        return Api(secret)

    return make


@pytest.fixture
def api(api_as: Callable[..., Api]) -> Api:
    return api_as()


def problem(response: HttpResponse) -> tuple[int, str, str | None]:
    """Status, code and field of a problem, after looking at its shape."""
    body = response.json()
    assert response["Content-Type"] == "application/problem+json"
    assert body["type"] == "about:blank"
    assert body["status"] == response.status_code
    assert body["detail"]
    return response.status_code, body["code"], body.get("field")
