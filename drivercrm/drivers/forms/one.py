"""What people type about one driver."""

from datetime import date, datetime, time
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from drivercrm.core import clock
from drivercrm.drivers.enums import PreferredChannel
from drivercrm.drivers.models import Driver
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

    notes = forms.CharField(required=False, max_length=10_000)


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
