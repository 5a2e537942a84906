from django.urls import URLPattern, path

from drivercrm.communications import views

urlpatterns: list[URLPattern] = [
    path("drivers/<uuid:pk>/calls/", views.driver_calls, name="driver_calls"),
]
