from django.urls import URLPattern, path

from drivercrm.desk import audit, driver_page, drivers_list, exports, gallery, pipeline, search, today

urlpatterns: list[URLPattern] = [
    path("drivers/", drivers_list.drivers, name="drivers"),
    path("drivers/filters/", drivers_list.driver_filters, name="driver_filters"),
    path("drivers/counts/", drivers_list.driver_counts, name="driver_counts"),
    path("drivers/export/", exports.driver_export, name="driver_export"),
    path("search/", search.search, name="search"),
    path("gallery/", gallery.gallery, name="gallery"),
    path("", today.today, name="today"),
    path("pipeline/", pipeline.pipeline, name="pipeline"),
    path("pipeline/<uuid:pk>/move/", pipeline.pipeline_move, name="pipeline_move"),
    path("drivers/<uuid:pk>/", driver_page.driver, name="driver"),
    path("drivers/<uuid:pk>/live/", driver_page.driver_live, name="driver_live"),
    path("drivers/<uuid:pk>/timeline/", driver_page.driver_timeline, name="driver_timeline"),
    path("settings/audit/", audit.settings_audit, name="settings_audit"),
]
