from django.urls import URLPattern, path

from drivercrm.core import converters  # noqa: F401  makes `<row:…>` known
from drivercrm.imports.views import columns, duplicates, going, lists, rows

urlpatterns: list[URLPattern] = [
    path("", lists.import_list, name="imports"),
    path("<uuid:pk>/", lists.import_page, name="import_page"),
    path("<uuid:pk>/deletion/", lists.import_deletion, name="import_deletion"),
    path("<uuid:pk>/columns/", columns.import_columns, name="import_columns"),
    path("<uuid:pk>/rows/", rows.import_rows, name="import_rows"),
    path("<uuid:pk>/rows/<row:number>/", rows.import_row, name="import_row"),
    path("<uuid:pk>/rows/<row:number>/decision/", rows.import_row_decision, name="import_row_decision"),
    path("<uuid:pk>/review/", rows.import_review, name="import_review"),
    path("<uuid:pk>/duplicates/", duplicates.import_duplicates, name="import_duplicates"),
    path("<uuid:pk>/duplicates/rest/", duplicates.import_duplicates_rest, name="import_duplicates_rest"),
    path("<uuid:pk>/duplicates/<row:number>/", duplicates.import_duplicate, name="import_duplicate"),
    path("<uuid:pk>/run/", going.import_run, name="import_run"),
    path("<uuid:pk>/stop/", going.import_stop, name="import_stop"),
    path("<uuid:pk>/undo/", going.import_undo, name="import_undo"),
]
