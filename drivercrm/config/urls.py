"""Every address of the application."""

from django.urls import URLPattern, URLResolver, include, path

from drivercrm.config import api, health

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("drivercrm.desk.urls")),
    path("", include("drivercrm.accounts.urls")),
    path("", include("drivercrm.drivers.urls")),
    path("", include("drivercrm.consent.urls")),
    path("", include("drivercrm.communications.urls")),
    path("imports/", include("drivercrm.imports.urls")),
    path("api/v1/openapi.json", api.openapi, name="api_schema"),
    path("api/v1/docs", api.docs, name="api_docs"),
    path("api/v1/", api.urls),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics_page, name="metrics"),
]
