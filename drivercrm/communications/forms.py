"""What people write down about a call."""

from datetime import datetime
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from drivercrm.communications.enums import CALLS_IN, CALLS_OUT
from drivercrm.core.ids import uuid7


class CallForm(forms.Form):
    """Who called whom and how it ended (`outbound:answered`), how long, what was said, when."""

    # made with the form, so that sending it twice logs one call
    call_id = forms.UUIDField(required=False, initial=uuid7)
    call = forms.ChoiceField(
        choices=[*CALLS_OUT, *CALLS_IN],
        error_messages={
            "required": "Choose how the call went.",
            "invalid_choice": "Choose how the call went.",
        },
    )
    minutes = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=24 * 60,
        error_messages={
            "invalid": "Write whole minutes.",
            "min_value": "A call lasts between 0 and 24 hours.",
            "max_value": "A call lasts between 0 and 24 hours.",
        },
    )
    note = forms.CharField(required=False, max_length=20_000)
    at = forms.DateTimeField(
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        error_messages={"invalid": "This is not a day and time."},
    )

    def clean_at(self) -> datetime | None:
        """A moment that a calendar of these centuries has."""
        at: datetime | None = self.cleaned_data["at"]
        if at and not 2000 <= at.year <= 2100:
            raise ValidationError("Use a day between 2000 and 2100.")
        return at

    @property
    def values(self) -> dict[str, str | int | datetime | UUID | None]:
        """What logging a call takes."""
        direction, outcome = self.cleaned_data["call"].split(":")
        minutes: int | None = self.cleaned_data["minutes"]
        return {
            "direction": direction,
            "outcome": outcome,
            "seconds": None if minutes is None else minutes * 60,
            "note": self.cleaned_data["note"],
            "at": self.cleaned_data["at"],
            "call_id": self.cleaned_data["call_id"],
        }
