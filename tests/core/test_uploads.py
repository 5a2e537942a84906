"""Uploads leave no file behind."""

import os

from django.conf import settings
from django.core.files.uploadhandler import load_handler

from drivercrm.core.uploads import UnlinkedUploadHandler


def test_a_large_upload_has_no_name_on_the_disk() -> None:
    handler = UnlinkedUploadHandler()
    handler.new_file("file", "list.csv", "text/csv", 9)
    handler.receive_data_chunk(b"Name,", 0)
    handler.receive_data_chunk(b"Cell", 5)
    upload = handler.file_complete(9)

    assert (upload.name, upload.size, upload.read()) == ("list.csv", 9, b"Name,Cell")
    assert os.fstat(handler.file.fileno()).st_nlink == 0


def test_uploads_are_kept_in_memory_or_without_a_name() -> None:
    last = load_handler(settings.FILE_UPLOAD_HANDLERS[-1])

    assert isinstance(last, UnlinkedUploadHandler)
    assert "django.core.files.uploadhandler.TemporaryFileUploadHandler" not in settings.FILE_UPLOAD_HANDLERS
