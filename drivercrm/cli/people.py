"""`create-user` and `create-token`."""

import getpass
import json as jsons
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import django
from cyclopts import Parameter

if TYPE_CHECKING:
    from drivercrm.core.actors import Actor

MOST_DAYS = 3650


def create_user(
    email: str,
    *,
    name: str = "",
    role: Annotated[str, Parameter(help="viewer, operations, support, finance, manager or admin.")] = "admin",
    json: Annotated[bool, Parameter(name="--json", help="Print the new person as JSON.")] = False,
) -> int:
    """Adds a member of staff. The first one must be an admin.

    The password is asked on a terminal, else read from the first line of standard input: it never stands in
    the command.

    Parameters
    ----------
    name
        How colleagues know them; without it, the part of the mail before the @.
    """
    django.setup()
    from drivercrm.accounts import workflow as accounts  # app ready
    from drivercrm.config import upgrade  # app ready

    upgrade.refuse_unless_migrated()
    user = accounts.create_user(
        email, name=name or email.partition("@")[0], password=_password(), role=role, by=operator()
    )
    if json:
        print(jsons.dumps({"id": str(user.pk), "email": user.email, "name": user.name, "role": user.role}))
    else:
        print(f"{user.email} can sign in as {user.role}.")
    return 0


def create_token(
    name: Annotated[str, Parameter(help="What the token is for.")] = "",
    *,
    role: Annotated[str, Parameter(help="viewer, operations, support, finance, manager or admin.")],
    scope: Annotated[list[str] | None, Parameter(help="Only this permission; may be given again.")] = None,
    days: Annotated[int | None, Parameter(help="Days until it ends; without it, never.")] = None,
    json: Annotated[bool, Parameter(name="--json", help="Print the token as JSON.")] = False,
) -> int:
    """Makes an API token and prints its secret, once: only a hash of it is kept."""
    django.setup()
    from drivercrm.accounts import workflow as accounts  # app ready
    from drivercrm.config import upgrade  # app ready
    from drivercrm.core import clock  # app ready
    from drivercrm.core.errors import Refused  # app ready

    if days is not None and not 1 <= days <= MOST_DAYS:
        raise Refused("bad_days", f"A token lasts from 1 to {MOST_DAYS} days, or for ever without --days.")
    upgrade.refuse_unless_migrated()
    now = clock.now()
    token, secret = accounts.create_token(
        name or f"Command line {now:%Y-%m-%d %H:%M:%S}",
        role=role,
        scopes=scope or [],
        expires_at=now + timedelta(days=days) if days is not None else None,
        by=operator(),
    )
    if json:
        print(
            jsons.dumps(
                {
                    "id": str(token.pk),
                    "name": token.name,
                    "role": token.role,
                    "scopes": token.scopes,
                    "token": secret,
                }
            )
        )
    else:
        print(secret)
    return 0


def _password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\r\n")


def operator() -> "Actor":
    """Whoever runs the command on this machine."""
    from drivercrm.core.actors import Actor  # app ready

    return Actor("automation", "command-line", "cli")
