"""HTML input of the accounts pages → clean values. The rules are the verbs'; forms only read."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts

from drivercrm.accounts.enums import Role, Theme
from drivercrm.accounts.permissions import PERSONS_ONLY, SAYS
from drivercrm.core import clock
from drivercrm.core.errors import Refused

LOOKS = {
    forms.CheckboxInput: "check",
    forms.CheckboxSelectMultiple: "check",
    forms.Select: "select",
}


def dressed(form: forms.BaseForm) -> None:
    """Gives every field the class of its look."""
    for field in form.fields.values():
        look = next((name for kind, name in LOOKS.items() if isinstance(field.widget, kind)), "input")
        field.widget.attrs.setdefault("class", look)


class PlainForm(forms.Form):
    """A form in the look of the house; a refusal lands on the field it names."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        dressed(self)

    def refuse(self, refusal: Refused) -> None:
        """Shows a verb's refusal at its field, or above the form."""
        self.add_error(refusal.field if refusal.field in self.fields else None, refusal.sentence)


def _password(label: str, *, is_new: bool) -> forms.CharField:
    return forms.CharField(
        label=label,
        strip=False,
        max_length=256,
        help_text=" ".join(password_validators_help_texts()[1:2]) if is_new else "",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password" if is_new else "current-password"}),
    )


def _name(label: str = "Your name") -> forms.CharField:
    return forms.CharField(
        label=label, max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )


def _email(label: str) -> forms.EmailField:
    return forms.EmailField(
        label=label, max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )


def _day(label: str, hint: str = "") -> forms.DateField:
    return forms.DateField(
        label=label,
        required=False,
        help_text=hint,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )


class FirstRunForm(PlainForm):
    organisation = forms.CharField(
        label="Organisation", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "organization"})
    )
    name = _name()
    email = _email("Your email")
    password = _password("Password", is_new=True)


class JoinForm(PlainForm):
    name = _name()
    password = _password("Password", is_new=True)


class NewPasswordForm(PlainForm):
    password = _password("New password", is_new=True)


class ChangePasswordForm(PlainForm):
    old_password = _password("Present password", is_new=False)
    password = _password("New password", is_new=True)


class ProfileForm(PlainForm):
    name = _name("Name")
    theme = forms.ChoiceField(label="Light or dark", choices=Theme.choices, required=False)
    has_shortcuts = forms.BooleanField(
        label="Single-key shortcuts",
        required=False,
        help_text="J, K, X and the other single keys. The Ctrl keys work either way.",
    )


class InviteForm(PlainForm):
    email = forms.EmailField(label="Email", max_length=254)
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.OPERATIONS)


class RoleForm(PlainForm):
    role = forms.ChoiceField(choices=Role.choices)


class TokenForm(PlainForm):
    name = forms.CharField(
        label="Name", max_length=120, help_text="What it is for, such as “TimoRides sync”."
    )
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.OPERATIONS)
    scopes = forms.MultipleChoiceField(
        label="Can",
        choices=[(can.value, words) for can, words in SAYS.items() if can not in PERSONS_ONLY],
        widget=forms.CheckboxSelectMultiple,
        help_text="Never more than the role may do.",
        error_messages={"required": "Tick at least one thing that the token can do."},
    )
    days = forms.TypedChoiceField(
        label="Ends",
        coerce=int,
        choices=[(30, "In 30 days"), (90, "In 90 days"), (365, "In a year"), (0, "Never")],
        initial=365,
    )

    def expires_at(self) -> datetime | None:
        """The moment the token ends, or None for never."""
        days = self.cleaned_data["days"]
        return clock.now() + timedelta(days=days) if days else None


class OrganisationForm(PlainForm):
    version = forms.CharField(widget=forms.HiddenInput)
    name = forms.CharField(label="Name", max_length=120)
    pilot_starts_on = _day("Pilot starts on", "Usage from this day on makes a driver active.")
    inactive_after_days = forms.IntegerField(
        label="Inactive after",
        min_value=1,
        max_value=365,
        help_text="Days without usage until an active driver is called inactive.",
    )
    metrics_complete_through = _day(
        "Usage complete through",
        "The last day whose usage is fully loaded. Nobody is called inactive beyond it.",
    )
    sign_up_goal = forms.IntegerField(
        label="Sign-up goal", required=False, min_value=1, max_value=10_000_000, help_text="Drivers."
    )
    sign_up_by = _day("Sign-up goal reached by")

    def seen_at(self) -> datetime | None:
        """The version of the settings that the person saw; None when the field was tampered with."""
        try:
            return datetime.fromisoformat(self.cleaned_data["version"])
        except ValueError:
            return None


class StepForm(forms.Form):
    key = forms.CharField(widget=forms.HiddenInput, required=False, max_length=40)
    label = forms.CharField(label="Step", max_length=60, required=False)
    required = forms.BooleanField(label="Required", required=False, initial=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dressed(self)


class StepSet(forms.BaseFormSet):
    """The checklist: every step with its place, and empty rows for new ones."""

    def add_fields(self, form: forms.Form, index: int | None) -> None:
        super().add_fields(form, index)
        dressed(form)

    def as_steps(self) -> list[dict[str, Any]]:
        """The steps in their chosen order; rows that are empty or ticked for removal are left out."""
        rows = []
        for number, form in enumerate(self.forms):
            data = form.cleaned_data
            if not data or not data.get("label", "").strip() or data.get("DELETE"):
                continue
            place = data.get("ORDER")
            rows.append((number + 1 if place is None else place, number, data))
        rows.sort(key=lambda row: row[:2])
        return [{name: data[name] for name in ("key", "label", "required")} for _, _, data in rows]


Steps: type[StepSet] = forms.formset_factory(  # type: ignore[assignment]
    StepForm, formset=StepSet, extra=1, can_order=True, can_delete=True, max_num=40, absolute_max=60
)
