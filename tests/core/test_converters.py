"""Numbers in addresses: one that no row can have leads nowhere, on either database."""

import pytest
from django.test import Client
from django.urls import Resolver404, get_resolver, resolve
from django.urls.converters import IntConverter
from django.urls.resolvers import RoutePattern, URLPattern, URLResolver

from drivercrm.core.converters import RowNumber
from drivercrm.imports.models import Import
from tests.factories import make_driver, make_user
from tests.imports.lists import many, staged

HUGE = "9999999999999999999999999"
LARGEST = "999999999999999999"


def patterns(of: URLResolver) -> list[URLPattern]:
    found: list[URLPattern] = []
    for one in of.url_patterns:
        found += patterns(one) if isinstance(one, URLResolver) else [one]
    return found


def test_no_page_takes_numbers_that_no_row_can_have() -> None:
    own = [one for one in patterns(get_resolver()) if one.callback.__module__.startswith("drivercrm.")]
    routes = [one.pattern for one in own if isinstance(one.pattern, RoutePattern)]

    converters = [converter for route in routes for converter in route.converters.values()]
    numbers = [converter for converter in converters if isinstance(converter, IntConverter)]
    assert len(numbers) == 7
    assert {type(one) for one in numbers} == {RowNumber}


@pytest.mark.parametrize("number", [HUGE, "1" * 5000, "-1", "1.5"])
def test_a_number_too_long_is_no_address(number: str) -> None:
    with pytest.raises(Resolver404):
        resolve(f"/drivers/owner/{number}/undo/")


@pytest.mark.django_db
@pytest.mark.parametrize(("number", "status"), [(HUGE, 404), (LARGEST, 409)])
def test_undoing_what_never_was_is_refused(number: str, status: int) -> None:
    client, driver = Client(), make_driver()
    client.force_login(make_user())
    hx = {"HX-Request": "true"}

    for address in (f"/drivers/{driver.pk}/details/{number}/undo/", f"/drivers/owner/{number}/undo/"):
        assert client.post(address, headers=hx).status_code == status


@pytest.mark.django_db
@pytest.mark.parametrize(("number", "status"), [(HUGE, 404), (LARGEST, 409)])
def test_a_row_that_no_list_has_is_refused(number: str, status: int) -> None:
    client = Client()
    client.force_login(make_user())
    of: Import = staged(many(1))

    for path, data in {
        f"rows/{number}/": {"cell-0": "Thandi"},
        f"rows/{number}/decision/": {"decision": "leave_out"},
        f"duplicates/{number}/": {"decision": "leave_out"},
    }.items():
        answer = client.post(f"/imports/{of.pk}/{path}", data, headers={"HX-Request": "true"})
        assert answer.status_code == status, path


@pytest.mark.django_db
def test_a_huge_number_beside_an_address_is_ignored() -> None:
    client = Client()
    client.force_login(make_user())
    of = staged(many(1))

    for path in ("rows/", "duplicates/"):
        answer = client.get(f"/imports/{of.pk}/{path}", {"row": "1" * 5000, "after": "1" * 5000}, follow=True)
        assert answer.status_code == 200, path
