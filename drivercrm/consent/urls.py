from django.urls import URLPattern, path

from drivercrm.consent import views

urlpatterns: list[URLPattern] = [
    path("drivers/<uuid:pk>/consent/", views.driver_consent, name="driver_consent"),
    path("drivers/<uuid:pk>/consent/grant/", views.driver_consent_grant, name="driver_consent_grant"),
    path(
        "drivers/<uuid:pk>/consent/withdrawal/",
        views.driver_consent_withdrawal,
        name="driver_consent_withdrawal",
    ),
    path("drivers/<uuid:pk>/opt-out/", views.driver_opt_out, name="driver_opt_out"),
]
