"""What the sign-in and settings pages ask for beside their own content."""

from dataclasses import dataclass

from django import template
from django.template.context import Context
from django.urls import NoReverseMatch, reverse

from drivercrm.accounts.models import Organisation
from drivercrm.accounts.permissions import Can

register = template.Library()

SETTINGS = (
    ("Organisation", "settings_organisation", "gear", Can.SETTINGS),
    ("Team", "settings_team", "users", Can.TEAM),
    ("Audit log", "settings_audit", "log", Can.AUDIT),
    ("Jobs", "settings_jobs", "bolt", Can.SETTINGS),
    ("API tokens", "settings_tokens", "key", Can.TOKENS),
)


@dataclass(frozen=True)
class Tab:
    """One settings page in the list beside them all."""

    label: str
    url: str
    icon: str
    current: bool


@register.simple_tag
def organisation_name() -> str:
    """The organisation's own name, for pages that need no sign-in."""
    return Organisation.current().name


@register.simple_tag(takes_context=True)
def settings_tabs(context: Context) -> list[Tab]:
    """The settings pages that exist and that this person may open."""
    request = context["request"]
    tabs = []
    for label, name, icon, can in SETTINGS:
        try:
            url = reverse(name)
        except NoReverseMatch:
            continue
        if request.access.may(can):
            tabs.append(Tab(label, url, icon, request.path.startswith(url)))
    return tabs
