"""Lists of drivers as files: XLSX and CSV, told apart by content and never trusted (spec §10)."""

from drivercrm.imports.reading.files import read
from drivercrm.imports.reading.sheet import Row, Sheet, UnreadableFile

__all__ = ["Row", "Sheet", "UnreadableFile", "read"]
