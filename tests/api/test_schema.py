"""The description of the API is true: no undocumented answer, and nothing falls over odd input."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from drivercrm.config import api as apis
from drivercrm.config.wsgi import application
from tests.api.conftest import Api
from tests.factories import make_driver

load_all_checks()
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    allow_header_conformance,
]


# the description is public and needs no database
schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
OPERATIONS = [found.ok() for found in schema.get_all_operations()]


@contextmanager
def connection_kept() -> Iterator[None]:
    """Requests past Django's own client leave the test's connection open."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_every_answer_is_as_described(operation: Any, api: Api) -> None:
    driver = make_driver()
    made = api.post(f"/drivers/{driver.pk}/follow-ups", {"due_on": "2026-12-01"})
    known = {"driver_id": str(driver.pk), "follow_up_id": made.json()["items"][0]["id"]}

    @given(case=operation.as_strategy())
    @settings(
        max_examples=10,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case) -> None:
        case.path_parameters = {
            **(case.path_parameters or {}),
            **{name: value for name, value in known.items() if name in (case.path_parameters or {})},
        }
        case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {api.secret}"})

    with connection_kept():
        ask()


@pytest.mark.django_db
def test_the_description_is_openapi_3_1_and_names_every_post_s_key() -> None:
    body = json.loads(Client().get("/api/v1/openapi.json").content)

    assert body["openapi"] == "3.1.0"
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            headers = {one["name"] for one in operation["parameters"] if one["in"] == "header"}
            wanted = {"post": {"Idempotency-Key"}, "patch": {"If-Match"}}.get(method, set())
            assert headers == wanted, (method, path)
            assert {"401", "403", "500"} <= set(operation["responses"])


@pytest.mark.django_db
def test_the_docs_page_needs_nothing_from_elsewhere() -> None:
    page = Client().get("/api/v1/docs")
    text = page.content.decode()

    assert page.status_code == 200
    assert "https://" not in text
    assert "<script>" not in text
    for operation in [one for methods in apis.schema()["paths"].values() for one in methods.values()]:
        assert f'<details id="{operation["operationId"]}">' in text
