"""What people type about many drivers, about a new one, and about a view."""

from typing import Any

from django import forms

from drivercrm.accounts.models import User
from drivercrm.drivers.enums import OnboardingStatus, PreferredChannel
from drivercrm.drivers.forms.one import FollowUpForm
from drivercrm.drivers.queries import staff

INPUT = {"class": "input"}
SELECT = {"class": "select"}
STATUSES = [
    (value, label) for value, label in OnboardingStatus.choices if value != OnboardingStatus.OPTED_OUT
]


class ManyStatusForm(forms.Form):
    """Where to, and why."""

    to = forms.ChoiceField(
        label="Status",
        choices=[("", "Choose a status"), *STATUSES],
        widget=forms.Select(SELECT),
        error_messages={"required": "Choose a status."},
    )
    reason = forms.CharField(
        max_length=500,
        widget=forms.TextInput(INPUT),
        help_text="It stays in each driver's history.",
        error_messages={"required": "Say why: the reason stays in the driver's history."},
    )


class _Colleague(forms.ModelChoiceField):
    def label_from_instance(self, user: User) -> str:
        return user.name


class ManyOwnerForm(forms.Form):
    """Who looks after them; empty for nobody."""

    owner = _Colleague(
        staff(),
        required=False,
        empty_label="Nobody",
        widget=forms.Select(SELECT),
        error_messages={"invalid_choice": "This person cannot look after drivers."},
    )


class ManyFollowUpForm(FollowUpForm):
    """A day, perhaps an hour, and what for; the same for each driver."""

    field_order = ("on", "at", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label, kind in (
            ("on", "Day", "date"),
            ("at", "Time", "time"),
            ("reason", "What for", "text"),
        ):
            self.fields[name].label = label
            self.fields[name].widget = forms.TextInput({"class": "input", "type": kind})


class NewDriverForm(forms.Form):
    """A driver added by hand: a name and one way to reach them are enough."""

    name = forms.CharField(
        max_length=200, widget=forms.TextInput(INPUT), error_messages={"required": "A driver needs a name."}
    )
    phone = forms.CharField(
        required=False,
        max_length=40,
        widget=forms.TextInput({**INPUT, "type": "tel", "autocomplete": "off"}),
        help_text="As people write it: 082 123 4567.",
    )
    email = forms.CharField(
        required=False,
        max_length=254,
        widget=forms.TextInput({**INPUT, "inputmode": "email", "autocomplete": "off"}),
    )
    telegram_username = forms.CharField(
        label="Telegram username", required=False, max_length=65, widget=forms.TextInput(INPUT)
    )
    area = forms.CharField(required=False, max_length=120, widget=forms.TextInput(INPUT))
    preferred_channel = forms.ChoiceField(
        label="Preferred channel",
        required=False,
        choices=[("", "WhatsApp with a mobile number, else email"), *PreferredChannel.choices],
        widget=forms.Select(SELECT),
    )
    timo_driver_id = forms.CharField(
        label="Timo driver ID", required=False, max_length=64, widget=forms.TextInput(INPUT)
    )
    notes = forms.CharField(
        required=False, max_length=20_000, widget=forms.Textarea({"class": "area", "rows": 3})
    )


class ViewForm(forms.Form):
    """A list's name, and who sees it where."""

    name = forms.CharField(
        max_length=60,
        widget=forms.TextInput({**INPUT, "autofocus": True}),
        error_messages={"required": "Give the view a name."},
    )
    is_shared = forms.BooleanField(
        label="Show it to everybody", required=False, widget=forms.CheckboxInput({"class": "check"})
    )
    is_pinned = forms.BooleanField(
        label="Pin it to my sidebar", required=False, widget=forms.CheckboxInput({"class": "check"})
    )
    takes_list = forms.BooleanField(
        label="Keep the filters, order and columns as they are now",
        required=False,
        widget=forms.CheckboxInput({"class": "check"}),
    )
