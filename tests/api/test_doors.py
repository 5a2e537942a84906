"""Every operation of the API, and who may come in."""

import re
from collections.abc import Callable
from uuid import UUID

import pytest
from django.test import Client

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import ApiToken
from drivercrm.accounts.permissions import MAY, PERSONS_ONLY, Can
from drivercrm.config import api as apis
from drivercrm.config import problems
from drivercrm.core.errors import NotAllowed, Refused
from tests.api.conftest import Api, problem
from tests.factories import actor_of, make_user

NOBODY = UUID(int=0)


def operations() -> list[tuple[str, str, Can]]:
    """(method, path, permission) of each operation."""
    found = []
    for bound in apis.api._get_bound_routers():
        for path, view in bound.path_operations.items():
            for operation in view.operations:
                for method in operation.methods:
                    found.append((method, path, operation.view_func.needs))
    return found


def address(path: str) -> str:
    return re.sub(r"\{\w+:\w+\}", str(NOBODY), path).replace("{step}", "app_tested")


def test_every_operation_names_a_permission_that_a_token_may_have() -> None:
    assert len(operations()) >= 27
    assert {can for _, _, can in operations()} <= set(Can) - PERSONS_ONLY


@pytest.mark.parametrize("role", Role.values)
def test_a_token_comes_in_exactly_where_its_role_may(api_as: Callable[..., Api], role: str) -> None:
    api = api_as(role)

    for method, path, can in operations():
        response = getattr(api.client, method.lower())(
            f"/api/v1{address(path)}", content_type="application/json", headers=api._headers()
        )

        is_refused = response.status_code == 403
        assert is_refused == (role not in MAY[can]), (role, method, path, response.status_code)
        assert response.status_code < 500


@pytest.mark.django_db
def test_a_stranger_comes_in_nowhere() -> None:
    for method, path, _ in operations():
        response = getattr(Client(), method.lower())(f"/api/v1{address(path)}")

        assert problem(response) == (401, "not_signed_in", None), (method, path)
        assert response["WWW-Authenticate"] == 'Bearer realm="Driver CRM"'


def test_scopes_narrow_a_token(api_as: Callable[..., Api]) -> None:
    api = api_as(Role.ADMIN, scopes=["read_drivers"])

    assert api.get("/drivers").status_code == 200
    assert problem(api.post("/drivers", {"name": "Zola", "phone": "0821234567"})) == (
        403,
        "not_allowed",
        None,
    )


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["Bearer", "Bearer dcrm_unknown", "Basic abc", "dcrm_unknown"])
def test_an_unknown_token_is_refused(given: str) -> None:
    response = Client().get("/api/v1/drivers", headers={"Authorization": given})

    assert problem(response) == (401, "not_signed_in", None)


def test_a_revoked_token_opens_nothing_even_beside_a_session(api: Api) -> None:
    admin = make_user(Role.ADMIN)
    accounts.revoke_token(ApiToken.objects.get(), by=actor_of(admin))
    api.client.force_login(admin)

    assert problem(api.get("/drivers")) == (401, "not_signed_in", None)


@pytest.mark.django_db
def test_a_session_reads_freely_and_changes_only_with_the_csrf_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(Role.OPERATIONS))
    body = {"name": "Zola Budd", "phone": "0821234567"}

    assert client.get("/api/v1/drivers").json() == {"items": [], "next_cursor": None}
    without = client.post("/api/v1/drivers", body, content_type="application/json")
    assert problem(without) == (403, "csrf", None)

    client.cookies["csrftoken"] = "a" * 32
    made = client.post(
        "/api/v1/drivers", body, content_type="application/json", headers={"X-CSRFToken": "a" * 32}
    )
    assert made.status_code == 201
    assert made.json()["name"] == "Zola Budd"


@pytest.mark.django_db
def test_who_is_asking(api_as: Callable[..., Api]) -> None:
    viewer = make_user(Role.VIEWER, name="Vera Viewer")
    client = Client()
    client.force_login(viewer)

    assert client.get("/api/v1/me").json() == {
        "kind": "user",
        "id": str(viewer.pk),
        "name": "Vera Viewer",
        "permissions": ["own_profile", "read_drivers", "read_reports", "save_views"],
    }
    token = api_as(Role.VIEWER).get("/me").json()
    assert (token["kind"], token["permissions"]) == ("token", ["read_drivers", "read_reports", "save_views"])


def test_unknown_addresses_and_methods_are_problems(api: Api) -> None:
    assert problem(api.get("/nothing")) == (404, "not_found", None)
    assert problem(api.get("/drivers/not-an-id")) == (404, "not_found", None)
    assert problem(api.get(f"/drivers/{NOBODY}")) == (404, "not_found", None)
    assert problem(api.delete("/drivers")) == (405, "method_not_allowed", None)
    assert api.delete("/drivers")["Allow"] in {"GET, POST", "POST, GET"}


def test_what_cannot_be_read_is_a_problem(api: Api) -> None:
    def send(body: str) -> tuple[int, str, str | None]:
        return problem(
            api.client.post("/api/v1/drivers", body, content_type="application/json", headers=api._headers())
        )

    assert send("{") == (400, "bad_json", None)
    assert send('{"name": "a\\u0000b", "phone": "0821234567"}') == (400, "bad_json", None)
    assert send('{"name": "a\\ud800b", "phone": "0821234567"}') == (400, "bad_json", None)
    assert send('{"name": NaN}') == (400, "bad_json", None)
    assert send("[" * 100_000) == (400, "bad_json", None)
    assert send("[]") == (422, "invalid", None)
    assert problem(api.get("/drivers", search="a\0b")) == (422, "nul", "query")
    assert problem(api.get("/drivers", cursor="%%%")) == (422, "bad_cursor", None)


def test_a_backslash_before_u0000_is_only_text(api: Api) -> None:
    made = api.post("/drivers", {"name": "Zola \\u0000", "phone": "0821234567"})

    assert made.json()["name"] == "Zola \\u0000"


def test_what_does_not_fit_is_named_field_by_field(api: Api) -> None:
    response = api.post("/drivers", {"phnoe": "082"})

    assert problem(response) == (422, "invalid", None)
    assert response.json()["fields"] == [
        {"field": "name", "detail": "Field required"},
        {"field": "phnoe", "detail": "Extra inputs are not permitted"},
    ]


def test_an_unexpected_error_tells_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(*args: object, **words: object) -> None:
        raise RuntimeError("0821234567 of Zola")

    monkeypatch.setattr("drivercrm.drivers.api.listing.filters.find", fall)
    response = api.get("/drivers")

    assert problem(response) == (500, "unexpected", None)
    assert "Zola" not in response.content.decode()


def test_a_token_that_asks_too_often_must_wait(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apis, "allowance", apis.Allowance(2))

    assert [api.get("/me").status_code for _ in range(2)] == [200, 200]
    response = api.get("/me")
    assert problem(response) == (429, "too_many_requests", None)
    assert 1 <= int(response["Retry-After"]) <= 31


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (NotAllowed(), 403),
        (Refused("same_status", "…"), 409),
        (Refused("unusable_number", "…", field="phone"), 422),
        (Refused("value_taken", "…", field="phone"), 409),
        (Refused("bad_cursor", "…"), 422),
        (Refused("version_changed", "…"), 412),
    ],
)
def test_refusals_have_the_status_of_their_kind(refusal: Refused, status: int) -> None:
    assert problems.status_of(refusal) == status
