from django.urls import URLPattern, path

from drivercrm.desk import audit

urlpatterns: list[URLPattern] = [
    path("settings/audit/", audit.settings_audit, name="settings_audit"),
]
