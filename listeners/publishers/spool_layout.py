"""How the spool's SQLite file is laid out, opened and judged.

`synchronous=FULL` and a rollback journal, not a WAL: a WAL of which a byte has changed ends there
in silence, and what follows would be lost without anyone being told. Every chunk has a checksum,
and the extent says which chunks have to be there, so that a missing one is noticed, too.
"""

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from listeners.errors import SpoolInUse, SpoolUnreadable
from listeners.publishers.publisher import Outgoing

SPOOL_NAME: Final = "spool.db"

FORMAT: Final = 1
"""The version of the layout below, kept in SQLite's `user_version`."""

CHUNK_RECORDS_MAX: Final = 1_000
"""Records of a chunk."""

CHUNK_BYTES_MAX: Final = 1024 * 1024
"""Bytes of values after which a chunk is full."""

_APPLICATION_ID: Final = 0x54505350  # "TPSP": tells our file from any other SQLite file

_CANNOT_WRITE: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_TRUNCATE}
)
"""Errors after which the file is what it was: a write was refused, and SQLite rolled back. A failed
fsync is not among them: the page cache may then hold what the disk does not."""

_JOURNAL_BYTES: Final = 4 * 1024 * 1024
"""The journal's room is kept between commits: that is faster, and works on a full disk."""

_TABLES: Final = (
    "CREATE TABLE chunks (id INTEGER PRIMARY KEY, appended_at INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, records BLOB NOT NULL)",
    # What has to be there: every chunk from `first` to the one before `next`.
    "CREATE TABLE extent (id INTEGER PRIMARY KEY CHECK (id = 1), first INTEGER NOT NULL,"
    " next INTEGER NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE set_aside (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, reason TEXT NOT NULL,"
    " why TEXT NOT NULL, records BLOB NOT NULL)",
)

pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder(list[Outgoing]).decode

Row = tuple[int, int, int, bytes]
"""A chunk as it stands in the file: id, appended_at, checksum, records."""


def believed(error: BaseException) -> bool:
    """Whether the disk can be believed after an error, so that taking back makes sense."""
    code = getattr(error, "sqlite_errorcode", 0)
    return refused_to_write(error) or code & 0xFF != sqlite3.SQLITE_IOERR


def refused_to_write(error: BaseException) -> bool:
    """Whether the disk took no more, so that the same may be tried again later."""
    return getattr(error, "sqlite_errorcode", None) in _CANNOT_WRITE


def open_spool(path: Path, factory: type[sqlite3.Connection]) -> sqlite3.Connection:
    """Open the file for us alone; make it where there is none.

    Raises:
        SpoolInUse: Another process has it.
        SpoolUnreadable: It is not ours, of another version, or damaged beyond reading.
    """
    connection = sqlite3.connect(
        path, timeout=0, isolation_level=None, check_same_thread=False, factory=factory
    )
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and (application, version) != (_APPLICATION_ID, FORMAT):
            found = f"format {version}" if application == _APPLICATION_ID else "another program's"
            raise SpoolUnreadable(
                path=path, found=f"expected a spool of format {FORMAT}; found {found}"
            )
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # held until the process ends
        connection.execute("PRAGMA journal_mode = PERSIST")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = OFF")  # some builds overwrite what they free
        connection.execute("BEGIN EXCLUSIVE")
        if not tables:
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute("INSERT INTO extent VALUES (1, 1, 1, ?)", (extent_checksum(1, 1),))
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise SpoolInUse(path=path, found="another process is using this spool") from error
        raise SpoolUnreadable(path=path, found=str(error)) from error
    except SpoolUnreadable:
        connection.close()
        raise
    return connection


def chunks_of(records: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """Records in pieces of the size of a chunk."""
    chunk: list[Outgoing] = []
    size = 0
    for record in records:
        chunk.append(record)
        size += len(record.value)
        if len(chunk) == CHUNK_RECORDS_MAX or size >= CHUNK_BYTES_MAX:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def row_of(number: int, at: int, chunk: list[Outgoing]) -> Row:
    """A chunk as it will stand in the file."""
    records = pack(chunk)
    return number, at, _checksum(number, at, records), records


def sound(row: Row) -> bool:
    """Whether a chunk is what was written; of other types than declared, it is not."""
    number, at, checksum, records = row
    if not isinstance(at, int) or not isinstance(records, bytes):
        return False
    return checksum == _checksum(number, at, records)


def known(extent: tuple[int, int, int] | None) -> bool:
    """Whether the two numbers that say what has to be there are those that were written."""
    if extent is None or not all(isinstance(one, int) for one in extent):
        return False
    return extent[2] == extent_checksum(extent[0], extent[1])


def extent_checksum(first: int, behind: int) -> int:
    """Of the two numbers that say what has to be there."""
    return zlib.crc32(b"%d %d" % (first, behind))


def _checksum(number: int, at: int, records: bytes) -> int:
    return zlib.crc32(records, zlib.crc32(b"%d %d" % (number, at)))
