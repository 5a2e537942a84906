from django.urls import URLPattern, path

from drivercrm.communications import views, webhooks

urlpatterns: list[URLPattern] = [
    path("hooks/<str:token>", webhooks.hook, name="hook"),
    path("drivers/<uuid:pk>/calls/", views.driver_calls, name="driver_calls"),
]
