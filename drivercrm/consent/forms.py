"""What people record about a driver's consent."""

from django import forms

from drivercrm.consent.enums import ConsentChannel, Purpose

# How a driver told somebody; the text is kept as the event's source.
SOURCES = [
    ("phone call", "On the phone"),
    ("in person", "In person"),
    ("message", "In a message"),
    ("signed form", "On a signed form"),
    ("other", "Another way"),
]


class ConsentForm(forms.Form):
    """Which channels, what for, and how the driver said it."""

    channels = forms.MultipleChoiceField(
        choices=ConsentChannel.choices, error_messages={"required": "Choose at least one channel."}
    )
    purposes = forms.MultipleChoiceField(
        choices=Purpose.choices, error_messages={"required": "Choose at least one purpose."}
    )
    source = forms.ChoiceField(choices=SOURCES)


class GrantForm(ConsentForm):
    """A grant needs its proof."""

    evidence = forms.CharField(
        max_length=500,
        error_messages={"required": "Say how the driver agreed, for example “phone call, 12 Nov”."},
    )


class WithdrawalForm(ConsentForm):
    """A withdrawal is never refused for want of proof."""

    evidence = forms.CharField(max_length=500, required=False)


class OptOutForm(forms.Form):
    """Everything, everywhere."""

    source = forms.ChoiceField(choices=SOURCES, required=False)
    evidence = forms.CharField(max_length=500, required=False)
