"""What people change about themselves."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from drivercrm.accounts.enums import Theme
from drivercrm.accounts.events import PasswordChanged, ProfileChanged, SessionsEnded, TwoStepChanged
from drivercrm.accounts.models import User
from drivercrm.accounts.workflow import people
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.journal import workflow as journal

FIELDS = ("name", "theme", "has_shortcuts")


def save_profile(user: User, values: Mapping[str, Any], *, by: Actor) -> list[str]:
    """Saves name, theme and shortcuts, as far as they are given. Returns what changed."""
    with transaction.atomic():
        held = User.objects.select_for_update().get(pk=user.pk)
        before = {field: getattr(held, field) for field in FIELDS}
        after = before | {field: values[field] for field in FIELDS if field in values}
        after["name"] = people.checked_name(after["name"])
        if after["theme"] not in Theme.values:
            raise Refused("unknown_theme", "The theme is light, dark or empty.", field="theme")
        changes = journal.changed_fields(held.pk, before, after)
        for change in changes:
            setattr(held, change.field, change.after)
            setattr(user, change.field, change.after)
        if changes:
            fields = [change.field for change in changes]
            held.save(update_fields=fields)
            journal.announce(ProfileChanged(held.pk, fields), by=by, changes=changes)
    return [change.field for change in changes]


def choose_theme(user: User, theme: str) -> None:
    """Keeps the choice of the light switch. A matter of taste, so the journal does not hear of it."""
    if theme not in Theme.values:
        raise Refused("unknown_theme", "The theme is light, dark or empty.", field="theme")
    User.objects.filter(pk=user.pk).update(theme=theme)
    user.theme = theme


def change_password(user: User, password: str, *, by: Actor) -> None:
    """Sets a new password; the caller has checked the old one. Every session ends: sign the present one in again."""
    password_hash = people.hashed(password, user)
    with transaction.atomic():
        held = User.objects.select_for_update().get(pk=user.pk)
        held.password = password_hash
        held.save(update_fields=["password"])
        journal.announce(PasswordChanged(held.pk, "profile"), by=by)
    user.password = password_hash


def sign_out_everywhere(user: User, *, by: Actor) -> None:
    """Ends every session of this person, the present one too unless it is signed in again."""
    with transaction.atomic():
        held = User.objects.select_for_update().get(pk=user.pk)
        held.end_sessions()
        held.save(update_fields=["session_mark"])
        journal.announce(SessionsEnded(held.pk), by=by)
    user.session_mark = held.session_mark


def note_two_step(user: User, to: str, *, by: Actor) -> None:
    """Two-step sign-in of this person is now `on`, `off`, or has `new codes`."""
    with transaction.atomic():
        journal.announce(TwoStepChanged(user.pk, to), by=by)
