"""Tables that people open in a spreadsheet, as CSV."""

import csv
import io
from collections.abc import Iterable

BYTE_ORDER_MARK = "\ufeff"
"""By which a spreadsheet knows UTF-8."""

STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")


def cell(value: object) -> object:
    """A value for a CSV cell: text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(STARTS_A_FORMULA) else value


def rows(values: Iterable[Iterable[object]]) -> str:
    """Rows as lines of CSV."""
    text = io.StringIO()
    csv.writer(text).writerows([cell(value) for value in row] for row in values)
    return text.getvalue()
