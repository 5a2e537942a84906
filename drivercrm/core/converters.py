"""Numbers of rows in addresses: `<row:entry>` in place of `<int:entry>`, and those that stand behind the `?`."""

from django.urls import register_converter
from django.urls.converters import IntConverter

MOST_DIGITS = 9 + 9  # every number of 18 digits fits the 64 bits of a key in either database


class RowNumber(IntConverter):
    """A whole number that a row may have; an address with a longer one leads nowhere (404)."""

    regex = f"[0-9]{{1,{MOST_DIGITS}}}"


register_converter(RowNumber, "row")


def read_row_number(text: str) -> int | None:
    """A whole number that a row may have; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None
