"""Rows as CSV: RFC 4180 in UTF-8, no text of which is a formula; what is nested is JSON."""

import base64
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

import msgspec

from pipeline.exporting.columns import Column, Kind, json_text, plain
from pipeline.spreadsheets import guarded
from schemas.records import Record

Cell = Callable[[Any], str | int | float]


class CsvFile:
    """A file that rows are written to; its first line names the columns."""

    def __init__(self, columns: Sequence[Column], stream: BinaryIO) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
        self._writer = csv.writer(self._text)
        self._writer.writerow([column.name for column in columns])
        self._cells = [(column.name, _cell(column.kind)) for column in columns]

    def write(self, records: Sequence[Record]) -> None:
        """Add rows."""
        cells = self._cells
        self._writer.writerows(
            [
                "" if (value := getattr(record, name)) is None else cell(value)
                for name, cell in cells
            ]
            for record in records
        )

    def close(self) -> None:
        """All is written; the stream stays open."""
        self._text.flush()
        self._text.detach()


def _time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _number(value: float) -> float:
    return value


_SCALARS: Final[Mapping[Kind, Cell]] = {
    "text": guarded,
    "time": _time,
    "integer": _number,
    "number": _number,
    "truth": _truth,
    "bytes": lambda value: guarded(base64.b64encode(value).decode()),  # it may begin with a +
    "json": lambda value: guarded(json_text(value)),
}


def _cell(kind: Kind) -> Cell:
    """Makes a value, which is not None, a cell."""
    if isinstance(kind, str):
        return _SCALARS[kind]
    made = plain(kind)
    if made is None:
        return lambda value: msgspec.json.encode(value).decode()
    return lambda value: msgspec.json.encode(made(value)).decode()
