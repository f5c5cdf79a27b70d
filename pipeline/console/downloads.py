"""Downloads: a page's table as CSV that no spreadsheet takes for a formula, or as JSON."""

import csv
import io
from datetime import datetime
from typing import Final

import msgspec

from pipeline.console.pieces import Table, Value

FORMULA: Final = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
    "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)
"""What text must not begin with, or a spreadsheet may run it (OWASP, CSV injection)."""


def as_csv(table: Table) -> str:
    """The table as RFC 4180; text that looks like a formula gets an apostrophe before it."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow([one.key for one in table.columns])
    for row in table.rows:
        writer.writerow([_guarded(cell.value) for cell in row])
    return written.getvalue()


def as_json(table: Table) -> bytes:
    """The table as an array of objects."""
    keys = [one.key for one in table.columns]
    rows = [dict(zip(keys, (cell.value for cell in row), strict=True)) for row in table.rows]
    return msgspec.json.encode(rows)


def _guarded(value: Value) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA):
        return f"'{value}"
    return value
