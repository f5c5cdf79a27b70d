"""Downloads: a page's table as CSV that no spreadsheet takes for a formula, or as JSON."""

import csv
import io
from datetime import datetime

import msgspec

from pipeline.console.pieces import Table, Value
from pipeline.spreadsheets import guarded


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
    return guarded(value) if isinstance(value, str) else value
