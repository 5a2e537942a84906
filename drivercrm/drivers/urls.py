from django.urls import URLPattern, path

from drivercrm.core import converters  # noqa: F401  makes `<row:…>` known
from drivercrm.drivers.views import many, one, saved_views

urlpatterns: list[URLPattern] = [
    path("drivers/new/", many.driver_new, name="driver_new"),
    path("drivers/status/", many.drivers_status, name="drivers_status"),
    path("drivers/status/<uuid:act>/undo/", many.drivers_status_undo, name="drivers_status_undo"),
    path("drivers/owner/", many.drivers_owner, name="drivers_owner"),
    path("drivers/owner/<row:entry>/undo/", many.drivers_owner_undo, name="drivers_owner_undo"),
    path("drivers/follow-ups/", many.drivers_follow_ups, name="drivers_follow_ups"),
    path("drivers/follow-ups/<uuid:pk>/undo/", many.drivers_follow_ups_undo, name="drivers_follow_ups_undo"),
    path("drivers/views/", saved_views.saved_views, name="saved_views"),
    path("drivers/views/restoration/", saved_views.saved_view_restoration, name="saved_view_restoration"),
    path("drivers/views/<uuid:pk>/", saved_views.saved_view, name="saved_view"),
    path("drivers/views/<uuid:pk>/deletion/", saved_views.saved_view_deletion, name="saved_view_deletion"),
    path("drivers/<uuid:pk>/status/", one.driver_status, name="driver_status"),
    path("drivers/<uuid:pk>/status/<uuid:act>/undo/", one.driver_status_undo, name="driver_status_undo"),
    path("drivers/<uuid:pk>/details/", one.driver_details, name="driver_details"),
    path("drivers/<uuid:pk>/details/shown/", one.driver_details_shown, name="driver_details_shown"),
    path("drivers/<uuid:pk>/details/<row:entry>/undo/", one.driver_details_undo, name="driver_details_undo"),
    path("drivers/<uuid:pk>/notes/", one.driver_notes, name="driver_notes"),
    path("drivers/<uuid:pk>/notes/shown/", one.driver_notes_shown, name="driver_notes_shown"),
    path("drivers/<uuid:pk>/owner/", one.driver_owner, name="driver_owner"),
    path("drivers/<uuid:pk>/steps/<str:step>/", one.driver_step, name="driver_step"),
    path("drivers/<uuid:pk>/steps/<str:step>/undo/", one.driver_step_undo, name="driver_step_undo"),
    path("drivers/<uuid:pk>/follow-ups/", one.driver_follow_ups, name="driver_follow_ups"),
    path("follow-ups/<uuid:pk>/", one.follow_up, name="follow_up"),
    path("follow-ups/<uuid:pk>/shown/", one.follow_up_shown, name="follow_up_shown"),
    path("follow-ups/<uuid:pk>/done/", one.follow_up_done, name="follow_up_done"),
    path("follow-ups/<uuid:pk>/done/undo/", one.follow_up_reopening, name="follow_up_reopening"),
    path("follow-ups/<uuid:pk>/undo/", one.follow_up_undo, name="follow_up_undo"),
]
