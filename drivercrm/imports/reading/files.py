"""The door: what kind of file this is, by its first bytes rather than by its name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from drivercrm.imports.reading import text, workbook
from drivercrm.imports.reading.sheet import Sheet, UnreadableFile

MAX_BYTES = 256 * 1024 * 1024
_HEAD = 4096

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a compressed archive"),
    (b"7z\xbc\xaf", "a compressed archive"),
    (b"Rar!", "a compressed archive"),
    (b"BZh", "a compressed archive"),
    (b"\xfd7zXZ", "a compressed archive"),
    (b"{\\rtf", "a text document"),
    (b"SQLite format 3", "a database"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
)


def read(source: Path | bytes | BinaryIO, *, sheet: str | None = None) -> Sheet:
    """The list in a file: XLSX or CSV, whatever its name says; `sheet` chooses one of several by name.

    Raises UnreadableFile, and never anything else, for a file that is broken, hostile, too large or no list.
    A path or bytes may be read at any time later; an open file must stay open while the sheet is used.
    """
    if isinstance(source, bytes):
        source = BytesIO(source)
    with _opened(source) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(_HEAD)
        _refuse_by_kind(file, head, size)
        if head.startswith(_ZIP):
            return workbook.read_workbook(file, sheet)
        return text.read_text(source, head)


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    if not isinstance(source, Path):
        yield source
        return
    try:
        file = source.open("rb")
    except FileNotFoundError as error:
        raise UnreadableFile("no_file", f"There is no file {source.name}.") from error
    except OSError as error:
        raise UnreadableFile("no_access", f"The file {source.name} cannot be opened.") from error
    with file:
        yield file


def _refuse_by_kind(file: BinaryIO, head: bytes, size: int) -> None:
    if not head.strip(b"\x00\xff\xfe\xef\xbb\xbf \t\r\n"):
        raise UnreadableFile("empty_file", "The file is empty.")
    if size > MAX_BYTES:
        raise UnreadableFile(
            "file_too_large", f"The file is larger than {MAX_BYTES // 1024**2} MB. Split it."
        )
    if head.startswith(_OLE):
        if _contains(file, _ENCRYPTED):
            raise UnreadableFile(
                "encrypted", "The workbook is protected with a password. Save it without one and try again."
            )
        raise UnreadableFile(
            "old_excel", "This is an old Excel workbook (.xls). Save it as .xlsx or CSV and try again."
        )
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, kind in _KINDS:
        if start.startswith(magic):
            raise UnreadableFile("wrong_kind", f"This is {kind}, not a list. Use an XLSX or CSV file.")
    if start[:1] == b"<" or b"<html" in start[:512].lower():
        raise UnreadableFile(
            "wrong_kind", "This is a web page or XML file, not a list. Save it as XLSX or CSV and try again."
        )


def _contains(file: BinaryIO, needle: bytes) -> bool:
    file.seek(0)
    carried = b""
    while chunk := file.read(1 << 20):
        if needle in carried + chunk:
            return True
        carried = chunk[-len(needle) :]
    return False
