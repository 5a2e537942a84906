"""Large uploads on their way in: they hold people's numbers, so none of them may stay on the disk."""

import tempfile
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler


class UnlinkedUploadHandler(FileUploadHandler):
    """Keeps an upload in a file without a name, which is gone as soon as the process is, however it ends."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Opens the nameless file for the next upload."""
        super().new_file(*args, **kwargs)
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the request

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Writes what has arrived."""
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile:
        """The upload as forms expect it, read from its beginning."""
        self.file.seek(0)
        return UploadedFile(
            file=self.file,
            name=self.file_name,
            content_type=self.content_type,
            size=file_size,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )

    def upload_interrupted(self) -> None:
        """Lets go of a file that will not be completed."""
        if hasattr(self, "file"):
            self.file.close()
