"""One plain factory per model: what a test does not name has a sensible value."""

from itertools import count
from typing import Any

from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import User
from drivercrm.accounts.permissions import Access, granted
from drivercrm.core.actors import Actor
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver

_numbers = count(1)

NANDI = Actor("user", "00000000-0000-7000-8000-000000000001", "web")


def make_user(role: str = Role.ADMIN, **fields: Any) -> User:
    """A member of staff with the password “a long password”."""
    number = next(_numbers)
    fields.setdefault("email", f"staff{number}@example.org")
    fields.setdefault("name", f"Staff Member{number}")
    return User.objects.create_user(password="a long password", role=role, **fields)


def actor_of(user: User) -> Actor:
    return Actor("user", str(user.pk), "web")


def access_as(role: str) -> Access:
    return Access(NANDI, granted(role))


def make_driver(name: str = "", *, by: Actor = NANDI, **values: Any) -> Driver:
    """A driver who was added by hand; numbers are South African mobiles that differ."""
    number = next(_numbers)
    values.setdefault("phone", f"+2782{number:07d}")
    return drivers.create({"name": name or f"Driver {number}", **values}, source="person", by=by)
