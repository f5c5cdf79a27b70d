"""Rows as Parquet: lists, maps and records within a record stay what they are.

The only module that needs `pyarrow`, which is installed with the extra `export`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, Final

import pyarrow as pa
from pyarrow import parquet

from pipeline.exporting.columns import Column, Kind, Listed, Mapped, Nested, plain
from schemas.records import Record

GROUP_ROWS: Final = 50_000
"""Rows of a group, which is what is held in memory."""

_TYPES: Final[Mapping[str, Callable[[], Any]]] = {
    "text": pa.string,
    "time": lambda: pa.timestamp("us", tz="UTC"),
    "integer": pa.int64,
    "number": pa.float64,
    "truth": pa.bool_,
    "bytes": pa.binary,
    "json": pa.string,
}


class ParquetFile:
    """A file that rows are written to, compressed with zstd."""

    def __init__(self, columns: Sequence[Column], stream: BinaryIO) -> None:
        self._columns = [
            (column.name, _type(column.kind), plain(column.kind)) for column in columns
        ]
        self._schema = pa.schema([(name, kind) for name, kind, _ in self._columns])
        self._writer = parquet.ParquetWriter(stream, self._schema, compression="zstd")
        self._waiting: list[Record] = []

    def write(self, records: Sequence[Record]) -> None:
        """Add rows."""
        self._waiting += records
        if len(self._waiting) >= GROUP_ROWS:
            self._write_group()

    def close(self) -> None:
        """Write what waits, and the end of the file; the stream stays open."""
        if self._waiting:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        arrays = []
        for name, kind, made in self._columns:
            values = [getattr(record, name) for record in self._waiting]
            if made is not None:
                values = [None if value is None else made(value) for value in values]
            arrays.append(pa.array(values, kind))
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._waiting.clear()


def _type(kind: Kind) -> Any:
    if isinstance(kind, Listed):
        return pa.list_(_type(kind.of))
    if isinstance(kind, Mapped):
        return pa.map_(pa.string(), _type(kind.of))
    if isinstance(kind, Nested):
        return pa.struct([(column.name, _type(column.kind)) for column in kind.columns])
    return _TYPES[kind]()
