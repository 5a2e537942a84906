"""What every way onto the team has in common: a name, a mail address, a password, and one lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.contrib.auth import password_validation
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import transaction

from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import Organisation, User
from drivercrm.core.addresses import read_mail
from drivercrm.core.errors import Refused

LONGEST_NAME = 120


@dataclass(frozen=True)
class Newcomer:
    """A person whose details passed every check; the password is hashed already."""

    name: str
    email: str
    password: str


@contextmanager
def team_lock() -> Iterator[Organisation]:
    """One change of the team at a time, so that “the last admin” and “the first one” are true when they are used."""
    with transaction.atomic():
        Organisation.current()
        yield Organisation.objects.select_for_update().get(id=1)


def newcomer(name: str, email: str, password: str) -> Newcomer:
    """Checks and hashes before any lock is taken: the hash is slow on purpose. Raises Refused."""
    tidy_name, address = checked_name(name), checked_email(email)
    return Newcomer(tidy_name, address, hashed(password, User(name=tidy_name, email=address)))


def checked_name(name: str) -> str:
    """A name that can stand in lists. Raises Refused."""
    tidy = " ".join(name.split())
    if not tidy:
        raise Refused("no_name", "Enter a name.", field="name")
    if len(tidy) > LONGEST_NAME:
        raise Refused("long_name", f"A name has at most {LONGEST_NAME} letters.", field="name")
    return tidy


def checked_email(email: str) -> str:
    """A mail address that can work, in small letters. Raises Refused."""
    reading = read_mail(email)
    if reading.address is None:
        raise Refused("bad_email", f"{reading.problem or 'Enter an email'}.", field="email")
    return reading.address.lower()


def checked_role(role: str) -> Role:
    """One of the roles of the table. Raises Refused."""
    if role not in Role.values:
        raise Refused("unknown_role", f"“{role}” is no role. Use {', '.join(Role.values)}.", field="role")
    return Role(role)


def hashed(password: str, user: User) -> str:
    """The password's hash, when the policy of the settings accepts it. Raises Refused."""
    try:
        password_validation.validate_password(password, user)
    except ValidationError as weak:
        raise Refused("weak_password", " ".join(weak.messages), field="password") from weak
    return make_password(password)


def add(person: Newcomer, role: str) -> User:
    """Puts a person on the team; the caller holds the team lock. Raises Refused when the mail is taken."""
    refuse_taken(person.email)
    return User.objects.create(name=person.name, email=person.email, password=person.password, role=role)


def refuse_taken(email: str) -> None:
    """Raises Refused when somebody on the team has this mail address."""
    if User.objects.filter(email__iexact=email).exists():
        raise Refused("email_taken", "Somebody with this email is on the team already.", field="email")
