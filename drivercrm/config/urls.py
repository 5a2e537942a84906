"""Every address of the application."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("drivercrm.desk.urls")),
    path("", include("drivercrm.accounts.urls")),
    path("", include("drivercrm.drivers.urls")),
    path("", include("drivercrm.consent.urls")),
    path("", include("drivercrm.communications.urls")),
    path("imports/", include("drivercrm.imports.urls")),
]
