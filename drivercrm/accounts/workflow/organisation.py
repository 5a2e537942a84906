"""The organisation's settings: one row, every change journalled (spec §1)."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from drivercrm.accounts.events import OrganisationChanged
from drivercrm.accounts.models import ORGANISATION_ID, Organisation
from drivercrm.accounts.workflow import people
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.journal import workflow as journal

FIELDS = (
    "name",
    "pilot_starts_on",
    "inactive_after_days",
    "sign_up_goal",
    "sign_up_by",
    "metrics_complete_through",
    "onboarding_steps",
)
MOST_DAYS = 365
MOST_STEPS = 30
LONGEST_LABEL = 60

Keeper = Callable[[str], bool]
_keepers: list[Keeper] = []


def step_keeper(is_done: Keeper) -> Keeper:
    """Registers who knows whether a step of the checklist was ever done: accounts cannot look up to that room."""
    _keepers.append(is_done)
    return is_done


def save_organisation(values: Mapping[str, Any], *, by: Actor, expected: datetime | None = None) -> list[str]:
    """Saves the given settings and returns the names of those that changed.

    `expected` is the `updated_at` that the person saw; a later change by somebody else is refused, not lost.
    """
    unknown = set(values) - set(FIELDS)
    if unknown:
        raise Refused("unknown_setting", f"There is no setting {', '.join(sorted(unknown))}.")
    with people.team_lock() as settings:
        if expected is not None and settings.updated_at != expected:
            raise Refused(
                "stale",
                "Somebody changed these settings meanwhile. Load the page again and repeat your change.",
            )
        before = _as_json(settings)
        for field, value in values.items():
            setattr(settings, field, _checked(field, value, settings))
        changes = journal.changed_fields(ORGANISATION_ID, before, _as_json(settings))
        if not changes:
            return []
        settings.updated_at = clock.now()
        settings.save()
        fields = [change.field for change in changes]
        journal.announce(OrganisationChanged(fields), by=by, changes=changes)
    return fields


def _checked(field: str, value: Any, settings: Organisation) -> Any:
    if field == "name":
        return people.checked_name(str(value))
    if field == "inactive_after_days" and not (isinstance(value, int) and 1 <= value <= MOST_DAYS):
        raise Refused("bad_days", f"Give a number of days from 1 to {MOST_DAYS}.", field=field)
    if field == "sign_up_goal" and value is not None and value < 1:
        raise Refused("bad_goal", "A goal is at least 1 driver.", field=field)
    if field == "metrics_complete_through" and isinstance(value, date) and value > clock.today():
        raise Refused("future", "Usage cannot be complete beyond today.", field=field)
    if field == "onboarding_steps":
        return _tidy_steps(value, settings.onboarding_steps)
    return value


def _tidy_steps(wanted: list[dict[str, Any]], current: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The list as it is stored: known steps keep their key under any label, new ones get one from their label."""
    known = {step["key"] for step in current}
    taken = set(known)
    steps: list[dict[str, Any]] = []
    for step in wanted:
        label = " ".join(str(step["label"]).split())
        if not label or len(label) > LONGEST_LABEL:
            raise _bad_steps(f"A step needs a name of at most {LONGEST_LABEL} letters.")
        if label.casefold() in {other["label"].casefold() for other in steps}:
            raise _bad_steps(f"There are two steps named “{label}”.")
        key = step.get("key") or _new_key(label, taken)
        if step.get("key") and key not in known:
            raise _bad_steps(f"There is no step “{key}”.")
        if key in {other["key"] for other in steps}:
            raise _bad_steps(f"The step “{key}” is in the list twice.")
        taken.add(key)
        steps.append({"key": key, "label": label, "required": bool(step["required"])})
    if len(steps) > MOST_STEPS:
        raise _bad_steps(f"A checklist has at most {MOST_STEPS} steps.")
    if not any(step["required"] for step in steps):
        raise _bad_steps("Keep at least one required step, else nobody can complete onboarding.")
    kept = {step["key"] for step in steps}
    for step in current:
        if step["key"] not in kept and _is_used(step["key"]):
            raise _bad_steps(f"Drivers have done “{step['label']}”, so it stays. It can be made optional.")
    return steps


def _new_key(label: str, taken: set[str]) -> str:
    stem = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:36] or "step"
    number, key = 1, stem
    while key in taken or _is_used(key):
        number += 1
        key = f"{stem}_{number}"
    return key


def _is_used(key: str) -> bool:
    return any(is_done(key) for is_done in _keepers)


def _bad_steps(sentence: str) -> Refused:
    return Refused("bad_steps", sentence, field="onboarding_steps")


def _as_json(settings: Organisation) -> dict[str, Any]:
    return {
        field: value.isoformat() if isinstance(value, date) else value
        for field in FIELDS
        for value in (getattr(settings, field),)
    }
