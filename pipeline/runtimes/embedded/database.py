"""The one SQLite file of the embedded runtime: how it is laid out, opened and judged.

WAL mode: one writer, any number of readers in any process. `synchronous=FULL`: a commit that
returned was fsynced. What is read and written is the work of `log`, `store` and `progress`.
"""

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pipeline.runtimes.errors import StorageFailed, StorageUnreadable
from schemas.topics import TOPICS

DATABASE_NAME: Final = "touchpoints.db"

FORMAT: Final = 1
"""The version of the layout below, kept in SQLite's `user_version`."""

_APPLICATION_ID: Final = 0x54504E54  # "TPNT": tells our file from any other SQLite file

_PAGE_BYTES: Final = 4096
"""Measured: states of 1.5 KB cost 8.8 µs each at 4 KiB, 12 µs at 8 and 16 KiB."""

_CACHE_KIB: Final = 32 * 1024

_REMEDY_OTHER: Final = "Give another folder with --data, or move this one away to start anew."

_TABLES: Final = (
    "CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " next_offset INTEGER NOT NULL)",
    # The blob last: what stands before it is read without its overflow pages.
    "CREATE TABLE chunks (topic INTEGER NOT NULL, base INTEGER NOT NULL, count INTEGER NOT NULL,"
    " appended_at INTEGER NOT NULL, checksum INTEGER NOT NULL, records BLOB NOT NULL,"
    " PRIMARY KEY (topic, base)) WITHOUT ROWID",
    "CREATE TABLE progress (id INTEGER PRIMARY KEY CHECK (id = 1), processed INTEGER NOT NULL,"
    " snapshot BLOB)",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "INSERT INTO progress (id, processed) VALUES (1, 0)",
)

_CANNOT_WRITE: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)
"""Errors after which the file is what it was: a write was refused, and SQLite rolled back.

`ENOSPC` comes as `SQLITE_FULL`; a quota, `RLIMIT_FSIZE` and `EIO` from write(2) as `IOERR_WRITE`.
A failed fsync is not among them: the page cache may then hold what the disk does not.
"""


def database_path(directory: Path) -> Path:
    """Where the file of a folder is."""
    return directory / DATABASE_NAME


def refused_to_write(error: sqlite3.Error) -> bool:
    """Whether the disk took no more, so that the same may be tried again later."""
    return getattr(error, "sqlite_errorcode", None) in _CANNOT_WRITE


def failure_of(path: Path, error: sqlite3.Error) -> StorageFailed:
    """The error to show for one that cannot be tried again."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return StorageFailed(path=path, found=f"the database answered {error} ({name})")


def open_writer(
    directory: Path,
    stages: Iterable[str],
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    """Open the file for its one writer; create it where there is none.

    The caller holds the folder's lock. The connection may be used by one thread at a time.

    Raises:
        StorageUnreadable: It is not our file, or of another version, or damaged.
    """
    path = database_path(directory)
    if path.exists() and path.stat().st_size > 0:
        open_reader(directory).close()  # judges it without changing it
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=64, factory=factory
    )
    try:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # the driver chooses a quiet moment
        connection.execute("PRAGMA secure_delete = OFF")  # some builds overwrite what they free
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        _create_what_is_missing(connection, stages)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _unreadable(path, error) from error
    return connection


def open_reader(directory: Path) -> sqlite3.Connection:
    """Open the file for reading only; allowed to any process, at any time.

    Raises:
        StorageUnreadable: There is none, or it is not ours, of another version, or damaged.
    """
    path = database_path(directory)
    if not path.exists():
        raise StorageUnreadable(
            path=path,
            expected="the data of a pipeline",
            found="no file",
            remedy="Start one with `touchpoints up`, or give its folder with --data.",
        )
    # Reading beside a writer makes a file of SQLite's own; where that cannot be, and nobody has
    # left anything unwritten, the file alone is the whole truth.
    log = path.with_name(f"{path.name}-wal")
    written = not log.exists() or log.stat().st_size == 0
    alone = written and not os.access(directory, os.W_OK)
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables:  # none: created a moment ago, and not yet filled
            _judge(path, application, version)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _unreadable(path, error) from error
    except StorageUnreadable:
        connection.close()
        raise
    return connection


def _judge(path: Path, application: int, version: int) -> None:
    if application != _APPLICATION_ID:
        raise StorageUnreadable(
            path=path,
            expected=f"a touchpoints database of format {FORMAT}",
            found="a database of another program",
            remedy=_REMEDY_OTHER,
        )
    if version != FORMAT:
        newer = version > FORMAT
        raise StorageUnreadable(
            path=path,
            expected=f"a touchpoints database of format {FORMAT}",
            found=f"format {version}, {'newer' if newer else 'older'} than this program's",
            remedy=(
                "Start it with the version of touchpoints that wrote it, or a newer one."
                if newer
                else _REMEDY_OTHER
            ),
        )


def _unreadable(path: Path, error: sqlite3.Error) -> StorageUnreadable:
    return StorageUnreadable(
        path=path,
        expected=f"a touchpoints database of format {FORMAT}",
        found=str(error),
        remedy="Restore it from a copy, or move it away to start anew.",
    )


def _create_what_is_missing(connection: sqlite3.Connection, stages: Iterable[str]) -> None:
    """One transaction: a crash leaves all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.executemany(
        "INSERT INTO topics (name, next_offset) VALUES (?, 0) ON CONFLICT DO NOTHING",
        [(name,) for name in TOPICS],
    )
    for stage in stages:
        # Rows by a small id, not by key: customers who are active together then share pages, and
        # a change costs one search. `wake_at` is never after `due_at`; see `store`.
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS state_{stage} (id INTEGER PRIMARY KEY,"
            " key TEXT NOT NULL UNIQUE, wake_at INTEGER, due_at INTEGER, state BLOB NOT NULL)"
        )
        connection.execute(
            f"CREATE INDEX IF NOT EXISTS wake_{stage} ON state_{stage} (wake_at)"
            " WHERE wake_at IS NOT NULL"
        )
    connection.execute("COMMIT")
