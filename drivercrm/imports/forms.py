"""HTML input of the import pages → clean values. The rules are the verbs'; forms only read."""

from typing import Any

from django import forms
from django.http import QueryDict

from drivercrm.consent.enums import ConsentChannel, Purpose
from drivercrm.core.errors import Refused
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.imports.headings import Target

ACCEPTED = ".xlsx,.csv,.txt,text/csv,application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class PlainForm(forms.Form):
    """A form in the look of the house; a refusal lands on the field it names."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            is_ticks = isinstance(field.widget, forms.CheckboxSelectMultiple)
            field.widget.attrs.setdefault("class", "check" if is_ticks else "input")

    def refuse(self, refusal: Refused) -> None:
        """Shows a verb's refusal at its field, or above the form."""
        self.add_error(refusal.field if refusal.field in self.fields else None, refusal.sentence)


class UploadForm(PlainForm):
    """A list, and what cannot be seen from it."""

    file = forms.FileField(
        label="List of drivers",
        widget=forms.FileInput(attrs={"accept": ACCEPTED, "class": "drop-input"}),
        error_messages={"required": "Choose a file first.", "empty": "The file is empty."},
        max_length=255,
    )
    sheet = forms.CharField(
        label="Sheet", required=False, max_length=100, help_text="Only if the workbook has several lists."
    )
    id_heading = forms.CharField(
        label="Column of Timo driver IDs",
        required=False,
        max_length=200,
        help_text="Only if its heading looks like an identity number. Such columns are left out otherwise.",
    )

    def refuse(self, refusal: Refused) -> None:
        """A refusal about the columns belongs to the heading, any other to the file."""
        place = {"map": "id_heading"}.get(refusal.field or "", "file")
        self.add_error("sheet" if refusal.code == "no_such_sheet" else place, refusal.sentence)

    @property
    def mapping(self) -> dict[str, str]:
        heading = self.cleaned_data["id_heading"].strip()
        return {heading: Target.TIMO_ID.value} if heading else {}


class BasisForm(PlainForm):
    """What the opt-in rests on. Nothing chosen: drivers are never asked."""

    wording = forms.CharField(
        label="What the drivers agreed to",
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"placeholder": "TimoRides driver agreement, 2025-11"}),
    )
    evidence = forms.CharField(
        label="Where the proof is",
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"placeholder": "Signed agreements, office folder 3"}),
    )
    purposes = forms.MultipleChoiceField(
        label="It covers messages for",
        required=False,
        choices=[
            (Purpose.SERVICE.value, "Service: their own onboarding, tickets and rewards"),
            (Purpose.MARKETING.value, "Marketing: invitations, competitions and promotion"),
        ],
        widget=forms.CheckboxSelectMultiple,
    )
    channels = forms.MultipleChoiceField(
        label="On",
        required=False,
        choices=ConsentChannel.choices,
        widget=forms.CheckboxSelectMultiple,
    )

    @property
    def is_empty(self) -> bool:
        return not any(self.cleaned_data.get(name) for name in self.fields)


def targets_of(data: QueryDict, count: int) -> list[str]:
    """What each column was chosen to be, in order."""
    return [data.get(f"target-{index}", Target.IGNORE.value) for index in range(count)]


def status_values_of(data: QueryDict, words: list[str]) -> dict[str, str | None]:
    """What each word of the status column was chosen to mean; a word left at “choose” is not there."""
    chosen: dict[str, str | None] = {}
    for index, word in enumerate(words):
        value = data.get(f"status-{index}", "")
        if value in OnboardingStatus.values:
            chosen[word] = value
        elif value == Target.IGNORE.value:
            chosen[word] = None
    return chosen


def fixes_of(data: QueryDict) -> dict[int, str]:
    """The corrected cells of one row, by column."""
    fixes = {}
    for name, text in data.items():
        prefix, _, index = name.partition("-")
        if prefix == "cell" and index.isdecimal() and isinstance(text, str):
            fixes[int(index)] = text
    return fixes


def picks_of(data: QueryDict) -> dict[str, str]:
    """The picked fields of a merge: field → "file" or "kept"."""
    return {
        name.removeprefix("pick-"): str(value)
        for name, value in data.items()
        if name.startswith("pick-") and value
    }
