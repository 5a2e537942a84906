"""Every address of the application × every role, from the one table (spec §1, §11).

The list of addresses is read from the running application: a page that carries no mark fails here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.accounts.middleware import FOR_STAFF, FOR_STRANGERS
from drivercrm.accounts.models import User
from drivercrm.accounts.permissions import MAY, PERSONS_ONLY, SAYS, Can, granted
from drivercrm.config.api import PREFIX, api
from tests.factories import NANDI, make_driver

# Pages that need no sign-in. Adding one here is a decision: say why it is safe.
PUBLIC = {
    "first_run",  # shut for good once there is anybody
    "invitation",  # the link's secret is the key
    "password_link",  # the same
    "hook",  # the vendor's signature is the key, and nothing is kept without it
    "api_schema",  # describes, and holds no data
    "api_docs",
    "healthz",  # say that the process lives, in one word
    "readyz",
    "metrics",  # asks for its own token
    "gallery",  # debug mode only; holds no data
}

OK, REFUSED = 200, 403
# What a page answers a role that may open it: itself, another page, “POST only”, or “choose something first”.
FINE = {OK, 302, 303, 405, 409}


@dataclass(frozen=True)
class Door:
    """One address: its name, the view behind it, and the converters of its parts."""

    name: str
    view: Any
    parts: dict[str, Any] = field(hash=False, compare=False)

    def path(self, driver: str) -> str:
        """The address with made-up parts; every key is that of a driver, who exists."""
        made_up = {"UUIDConverter": driver, "RowNumber": 1}
        return reverse(
            self.name,
            kwargs={name: made_up.get(type(part).__name__, "nothing") for name, part in self.parts.items()},
        )


@dataclass(frozen=True)
class Operation:
    """One operation of the API."""

    method: str
    path: str
    needs: Can | None


def doors(patterns: list[Any], prefix: str = "") -> Iterator[Door]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "ninja":  # the API signs in by itself; see below
                assert not pattern.namespace, "a namespace changes the names: teach this walk about it"
                yield from doors(pattern.url_patterns, prefix)
        elif isinstance(pattern, URLPattern):
            yield Door(str(pattern.name), pattern.callback, pattern.pattern.converters)


def operations() -> Iterator[Operation]:
    for router in api._get_bound_routers():
        for path, view in router.path_operations.items():
            for operation in view.operations:
                for method in operation.methods:
                    whole = "/".join(
                        part.strip("/") for part in (PREFIX, router.prefix, path) if part.strip("/")
                    )
                    yield Operation(method, f"/{whole}", getattr(operation.view_func, "needs", None))


DOORS = list(doors(get_resolver().url_patterns))
MARKED = [door for door in DOORS if getattr(door.view, "needs", None)]
OPERATIONS = list(operations())


def named(door: Door) -> str:
    return door.name


@cache
def hashed() -> str:
    return make_password("a long password")


@pytest.fixture
def driver(db: None) -> str:
    return str(make_driver().pk)


@pytest.fixture
def people(db: None) -> dict[str, User]:
    """One of each role, all with one password: hashing six for every address is slow."""
    return {
        role: User.objects.create(
            email=f"{role}@example.org", name=f"The {role}", role=role, password=hashed()
        )
        for role in Role
    }


def signed_in(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def test_every_address_has_a_name_of_its_own() -> None:
    names = [door.name for door in DOORS]

    assert sorted(names) == sorted(set(names))
    assert "None" not in names


def test_every_address_is_marked_public_or_in_the_list_of_third_parties() -> None:
    unmarked = {
        door.name
        for door in DOORS
        if not getattr(door.view, "needs", None)
        and not getattr(door.view, "is_public", False)
        and door.name not in FOR_STRANGERS | FOR_STAFF
    }

    assert unmarked == set()


def test_the_public_pages_are_these() -> None:
    public = {door.name for door in DOORS if getattr(door.view, "is_public", False)}

    assert public - PUBLIC == set()
    assert PUBLIC - public <= {"gallery"}


def test_the_list_of_third_parties_names_addresses_that_exist() -> None:
    assert {door.name for door in DOORS} >= FOR_STRANGERS | FOR_STAFF


def test_the_table_knows_every_permission_and_an_admin_has_them_all() -> None:
    assert set(MAY) == set(SAYS) == set(Can)
    assert granted(Role.ADMIN) == frozenset(Can)
    assert granted("nobody") == frozenset()


@pytest.mark.parametrize(
    ("role", "left_out"),
    [
        (
            Role.VIEWER,
            {
                Can.READ_MESSAGES,
                Can.CONTACT_DRIVER,
                Can.RECORD_CONSENT,
                Can.EDIT_DRIVERS,
                Can.IMPORT,
                Can.EXPORT,
            },
        ),
        (Role.OPERATIONS, {Can.EXPORT}),
        (Role.SUPPORT, {Can.EDIT_DRIVERS, Can.IMPORT, Can.EXPORT}),
        (
            Role.FINANCE,
            {
                Can.READ_MESSAGES,
                Can.CONTACT_DRIVER,
                Can.RECORD_CONSENT,
                Can.EDIT_DRIVERS,
                Can.IMPORT,
                Can.EXPORT,
            },
        ),
        (Role.MANAGER, set()),
    ],
)
def test_the_table_says_what_the_specification_says(role: Role, left_out: set[Can]) -> None:
    admins_own = {Can.SETTINGS, Can.TEAM, Can.TOKENS, Can.AUDIT}

    assert frozenset(Can) - granted(role) == left_out | admins_own


@pytest.mark.parametrize("door", MARKED, ids=named)
def test_a_page_opens_for_the_roles_that_may_and_for_nobody_else(
    door: Door, driver: str, people: dict[str, User]
) -> None:
    path, can = door.path(driver), door.view.needs
    wrong = {}
    for role, user in people.items():
        client = signed_in(user)
        got = client.get(path).status_code
        if role not in MAY[can]:
            # whichever of the two the address takes, the check refuses; the other may be no method of it
            answers = {got, client.post(path).status_code}
            if not {REFUSED} <= answers <= {REFUSED, 405}:
                wrong[str(role)] = sorted(answers)
        elif got not in FINE | ({404} if door.parts else set()):
            wrong[str(role)] = [got]

    assert wrong == {}


@pytest.mark.parametrize("door", [*MARKED, *(door for door in DOORS if door.name in FOR_STAFF)], ids=named)
def test_strangers_are_sent_to_sign_in(door: Door, driver: str, people: dict[str, User]) -> None:
    path = door.path(driver)

    answers = [Client().get(path), Client().post(path)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert all(answer["Location"].startswith("/sign-in/?next=") for answer in answers)


@pytest.mark.parametrize("name", sorted(FOR_STAFF))
def test_pages_of_third_parties_open_for_every_role(name: str, people: dict[str, User]) -> None:
    answers = {role: signed_in(user).get(reverse(name)).status_code for role, user in people.items()}

    # 302: first confirm that it is you; 404: two-step sign-in is off
    assert set(answers.values()) <= {OK, 302, 404}


def test_a_page_without_a_mark_opens_for_nobody(people: dict[str, User], rf: Any) -> None:
    from django.http import HttpRequest, HttpResponse  # noqa: PLC0415

    from drivercrm.accounts.middleware import Doorman  # noqa: PLC0415
    from drivercrm.core.errors import NotAllowed  # noqa: PLC0415

    def forgotten(request: HttpRequest) -> HttpResponse:
        return HttpResponse("open")

    request = rf.get("/forgotten/")
    request.user = people[Role.ADMIN]
    request.resolver_match = None

    with pytest.raises(NotAllowed, match="no permission set"):
        Doorman(forgotten).process_view(request, forgotten, (), {})


def test_every_operation_of_the_api_has_a_mark() -> None:
    assert {f"{one.method} {one.path}" for one in OPERATIONS if one.needs is None} == set()
    assert len(OPERATIONS) > 5


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_an_operation_opens_for_the_roles_that_may_and_for_nobody_else(one: Operation, driver: str) -> None:
    path = one.path
    while "{" in path:
        path = path[: path.index("{")] + driver + path[path.index("}") + 1 :]
    wrong = {}
    for role in Role:
        _, secret = accounts.create_token(f"Token of {role}", role=role, by=NANDI)
        client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {secret}"})
        got = client.generic(one.method, path, "{}", content_type="application/json").status_code
        may = role in MAY[one.needs] and one.needs not in PERSONS_ONLY
        if (got == REFUSED) == may or got in {401, 405} or got >= 500:
            wrong[str(role)] = got

    assert wrong == {}
    assert Client().generic(one.method, path, "{}", content_type="application/json").status_code == 401
