"""What people type about one driver."""

from contextlib import suppress
from datetime import date, datetime, time
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.drivers.enums import PreferredChannel
from drivercrm.drivers.models import Driver, FollowUp
from drivercrm.drivers.queries import staff

DETAILS = (
    "name",
    "given_name",
    "phone",
    "whatsapp_number",
    "email",
    "telegram_username",
    "preferred_channel",
    "area",
    "language",
    "timo_driver_id",
    "pathpulse_account_id",
)


class StatusForm(forms.Form):
    """Where to, and why."""

    to = forms.CharField(error_messages={"required": "Choose a status."})
    reason = forms.CharField(
        max_length=500, error_messages={"required": "Say why: the reason stays in the driver's history."}
    )


class FieldsForm(forms.Form):
    """Some columns of a driver, each with the value the person saw when the form was opened (`seen_…`)."""

    columns: tuple[str, ...] = ()

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data)
        self.conflicts: dict[str, str] = {}

    def seen(self) -> dict[str, str]:
        """What the person saw, by column."""
        return {column: self.data.get(f"seen_{column}", "") for column in self.columns}

    def changes(self) -> dict[str, str]:
        """The columns whose typed value differs from the one that was seen."""
        seen = self.seen()
        typed = {column: self._wanted(column) for column in self.columns}
        return {column: value for column, value in typed.items() if value != _one_line_ends(seen[column])}

    def _wanted(self, column: str) -> str:
        """The typed value, or after a Compare the stored one, if the person chose that."""
        if self.data.get(f"keep_{column}") == "stored":
            return self.seen()[column]
        return _one_line_ends(str(self.cleaned_data[column] or ""))

    def note_conflicts(self, stored: Driver) -> None:
        """Remembers where the stored value is neither what was seen nor what was typed."""
        changes = self.changes()
        for column, seen in self.seen().items():
            now = stored_text(stored, column)
            if column in changes and now not in {_one_line_ends(seen), changes[column]}:
                self.conflicts[column] = now


class DetailsForm(FieldsForm):
    """Who the driver is and how to reach them."""

    columns = DETAILS

    name = forms.CharField(max_length=200, error_messages={"required": "A driver needs a name."})
    given_name = forms.CharField(required=False, max_length=100)
    phone = forms.CharField(required=False, max_length=40)
    whatsapp_number = forms.CharField(required=False, max_length=150)
    email = forms.CharField(required=False, max_length=254)
    telegram_username = forms.CharField(required=False, max_length=65)
    preferred_channel = forms.ChoiceField(choices=PreferredChannel.choices)
    area = forms.CharField(required=False, max_length=120)
    language = forms.CharField(required=False, max_length=20)
    timo_driver_id = forms.CharField(required=False, max_length=64)
    pathpulse_account_id = forms.CharField(required=False, max_length=64)


class NotesForm(FieldsForm):
    """What the team remembers about a driver."""

    columns = ("notes",)

    notes = forms.CharField(required=False, max_length=20_000)


class OwnerForm(forms.Form):
    """Who looks after the driver; empty for nobody."""

    owner = forms.ModelChoiceField(
        staff(),
        required=False,
        error_messages={"invalid_choice": "This person cannot look after drivers."},
    )


class FollowUpForm(forms.Form):
    """A day, perhaps an hour, and what for."""

    on = forms.DateField(error_messages={"required": "Choose a day.", "invalid": "This is not a day."})
    at = forms.TimeField(required=False, error_messages={"invalid": "This is not a time of day."})
    reason = forms.CharField(
        required=False,
        max_length=200,
        error_messages={"max_length": "Keep the reason under 200 letters."},
    )

    def clean_on(self) -> date:
        """A day that a calendar of these centuries has."""
        on: date = self.cleaned_data["on"]
        if not 2000 <= on.year <= 2100:
            raise ValidationError("Use a day between 2000 and 2100.")
        return on

    @property
    def due_at(self) -> datetime:
        """The moment; for a whole day its first instant."""
        return datetime.combine(
            self.cleaned_data["on"], self.cleaned_data["at"] or time.min, tzinfo=clock.zone()
        )

    @property
    def is_all_day(self) -> bool:
        return self.cleaned_data["at"] is None


class EditFollowUpForm(FollowUpForm):
    """The same for one that stands, with what the person saw when the form was opened (`seen_…`)."""

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data)
        self.told: tuple[str, ...] = ()

    def seen(self) -> dict[str, Any]:
        """What the person saw, as stored; nothing of a part that the form did not say."""
        seen: dict[str, Any] = {}
        with suppress(ValueError):
            due_at = datetime.fromisoformat(self.data.get("seen_due", ""))
            if due_at.tzinfo:
                seen = {"due_at": due_at, "is_all_day": bool(self.data.get("seen_all_day"))}
        if "seen_reason" in self.data:
            seen["reason"] = self.data["seen_reason"]
        return seen

    def changes(self) -> dict[str, Any]:
        """The moment and the reason, each only if what was typed differs from what was seen."""
        seen = self.seen()
        changes: dict[str, Any] = {}
        typed = self.cleaned_data["on"], self.cleaned_data["at"]
        if "due_at" not in seen or typed != _day_and_hour(seen["due_at"], seen["is_all_day"]):
            changes = {"due_at": self.due_at, "is_all_day": self.is_all_day}
        if self.cleaned_data["reason"] != seen.get("reason"):
            changes["reason"] = self.cleaned_data["reason"]
        return changes

    def refuse_stale(self, refusal: Refused) -> None:
        """Says at its part what somebody else stored meanwhile; saved again, what is typed replaces it."""
        field = "on" if refusal.field == "due_at" else "reason"
        self.told = ("due_at", "is_all_day") if field == "on" else ("reason",)
        self.add_error(field, f"{refusal.sentence} Save again to replace it.")

    def shown(self, stored: FollowUp) -> dict[str, Any]:
        """What the form sends along as seen: what it was opened with, and what it has told since."""
        seen = self.seen() if self.is_bound else {}
        fresh = {"due_at": stored.due_at, "is_all_day": stored.is_all_day, "reason": stored.reason}
        return {name: value if name in self.told else seen.get(name, value) for name, value in fresh.items()}


def _day_and_hour(due_at: datetime, is_all_day: bool) -> tuple[date, time | None]:
    """A moment as the form shows it: to the minute."""
    local = due_at.astimezone(clock.zone())
    return local.date(), None if is_all_day else local.time().replace(second=0, microsecond=0)


class NewFollowUpForm(FollowUpForm):
    """A new one also says whose it is."""

    owner = forms.ModelChoiceField(
        staff(),
        required=False,
        error_messages={"invalid_choice": "This person cannot look after drivers."},
    )


def stored_text(driver: Driver, column: str) -> str:
    """A column as the form shows it."""
    value: Any = getattr(driver, column)
    return _one_line_ends(str(value or ""))


def _one_line_ends(text: str) -> str:
    """Browsers send line ends their own way; the same text is the same text."""
    return text.replace("\r\n", "\n").strip()
