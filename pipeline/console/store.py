"""The console's own store: one bounded SQLite file beside the data, made of result topics alone.

It can be deleted at any time; then it is filled anew from what the topics still hold. One process
writes (`keeping`), any number read (`questions`). Times are whole milliseconds since 1970, hours
and minutes whole hours and minutes since then.
"""

import logging
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pipeline.errors import PipelineError

STORE_NAME: Final = "console.db"

FORMAT: Final = 4
"""The version of the layout below; a file of another one is emptied and filled anew."""

_CACHE_KIB: Final = 32 * 1024

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_logger: Final = logging.getLogger("touchpoints.console")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_TABLES: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE offsets (topic TEXT, partition INTEGER, next INTEGER NOT NULL,"
    " PRIMARY KEY (topic, partition)) WITHOUT ROWID",
    # Rows in the order of their coming: what is oldest has the smallest rowid, and goes first.
    "CREATE TABLE verdicts (at INTEGER PRIMARY KEY, id TEXT NOT NULL, source TEXT NOT NULL,"
    " customer TEXT, touchpoint TEXT, mission TEXT, journey TEXT, occurred INTEGER, broken INTEGER,"
    " record BLOB, UNIQUE (id, source))",
    "CREATE INDEX verdicts_of_customer ON verdicts (customer, occurred)",
    "CREATE INDEX verdicts_broken ON verdicts (touchpoint, occurred) WHERE broken = 1",
    "CREATE TABLE journeys (at INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, customer TEXT,"
    " mission TEXT, broke_at TEXT, ended INTEGER, record BLOB)",
    "CREATE INDEX journeys_of_customer ON journeys (customer)",
    "CREATE INDEX journeys_lost ON journeys (broke_at, ended) WHERE broke_at IS NOT NULL",
    "CREATE TABLE sessions (at INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, customer TEXT,"
    " ended INTEGER, record BLOB)",
    "CREATE INDEX sessions_of_customer ON sessions (customer)",
    "CREATE TABLE alerts (id TEXT PRIMARY KEY, version INTEGER, state TEXT, touchpoint TEXT,"
    " since INTEGER, happened INTEGER, record BLOB) WITHOUT ROWID",
    "CREATE TABLE alert_versions (id TEXT, version INTEGER, record BLOB,"
    " PRIMARY KEY (id, version)) WITHOUT ROWID",
    "CREATE TABLE series (id INTEGER PRIMARY KEY, touchpoint TEXT NOT NULL, mission TEXT NOT NULL,"
    " UNIQUE (touchpoint, mission))",
    "CREATE TABLE minutes (series INTEGER, minute INTEGER, partition INTEGER, votes INTEGER,"
    " broken INTEGER, customers INTEGER, PRIMARY KEY (series, minute, partition)) WITHOUT ROWID",
    "CREATE TABLE spans (width INTEGER, start INTEGER, series INTEGER, votes INTEGER,"
    " broken INTEGER, customers INTEGER, PRIMARY KEY (width, start, series)) WITHOUT ROWID",
    "CREATE TABLE journey_tallies (width INTEGER, kind TEXT, mission TEXT, start INTEGER,"
    " name TEXT, completed INTEGER, frustrated INTEGER, abandoned INTEGER, effort REAL,"
    " value REAL, PRIMARY KEY (width, kind, mission, start, name)) WITHOUT ROWID",
    "CREATE TABLE touchpoint_tallies (width INTEGER, start INTEGER, touchpoint TEXT,"
    " broken INTEGER, functional INTEGER, excellent INTEGER, unjudged INTEGER,"
    " PRIMARY KEY (width, start, touchpoint)) WITHOUT ROWID",
    "CREATE TABLE verdict_tallies (width INTEGER, touchpoint TEXT, start INTEGER, mission TEXT,"
    " broken INTEGER, functional INTEGER, excellent INTEGER, unjudged INTEGER,"
    " PRIMARY KEY (width, touchpoint, start, mission)) WITHOUT ROWID",
    "CREATE TABLE reason_tallies (width INTEGER, touchpoint TEXT, start INTEGER, mission TEXT,"
    " rule TEXT, broken INTEGER, PRIMARY KEY (width, touchpoint, start, mission, rule))"
    " WITHOUT ROWID",
    "CREATE TABLE answer_tallies (width INTEGER, touchpoint TEXT, start INTEGER, mission TEXT,"
    " scale TEXT, answers INTEGER, total REAL,"
    " PRIMARY KEY (width, touchpoint, start, mission, scale)) WITHOUT ROWID",
    "CREATE TABLE letters (at INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, source TEXT,"
    " reason TEXT, place TEXT, expected TEXT, received INTEGER)",
    # An identifier may have belonged to several customers, to each from a time on.
    "CREATE TABLE belongs (identifier TEXT, since INTEGER, customer TEXT,"
    " PRIMARY KEY (identifier, since, customer)) WITHOUT ROWID",
    "CREATE INDEX belongs_to ON belongs (customer)",
    "CREATE TABLE merged (customer TEXT PRIMARY KEY, survivor TEXT) WITHOUT ROWID",
    "CREATE INDEX merged_into ON merged (survivor)",
    # Digests of customers and results that were erased, and until when what comes is theirs.
    "CREATE TABLE gone (at INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, until INTEGER NOT NULL,"
    " revision INTEGER NOT NULL)",
)

SPAN_MINUTES: Final = (5, 60, 240)
"""The widths of the spans that votes are added up over, in minutes."""


TALLY_HOURS: Final = (1, 24)
"""The widths over which results are added up, in hours: a day has its hours, a month its days."""


class StoreFailed(PipelineError):
    """The console's store cannot be read or written. The message says which, and why."""


def milliseconds(at: datetime) -> int:
    """A time as the store keeps it."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def moment(at: int) -> datetime:
    """A time of the store, aware and in UTC."""
    return _EPOCH + timedelta(milliseconds=at)


def minute_of(at: datetime) -> int:
    """The minute of a time, since 1970."""
    return (at - _EPOCH) // timedelta(minutes=1)


def hour_of(at: datetime) -> int:
    """The hour of a time, since 1970."""
    return (at - _EPOCH) // timedelta(hours=1)


def at_minute(minute: int) -> datetime:
    """When a minute begins."""
    return _EPOCH + timedelta(minutes=minute)


def store_path(directory: Path) -> Path:
    """Where the store of a folder is."""
    return directory / STORE_NAME


def file_of(directory: Path) -> tuple[int, int] | None:
    """Which file the store of a folder is at present, by device and inode; None: there is none."""
    try:
        found = store_path(directory).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def damaged(error: BaseException) -> bool:
    """Whether an error says that the file is no database, or none any more."""
    return getattr(error, "sqlite_errorcode", None) in _DAMAGED


def remove(directory: Path) -> None:
    """Away with the file: it holds nothing that the topics did not tell.

    Raises:
        OSError: It cannot be removed.
    """
    for name in (STORE_NAME, f"{STORE_NAME}-wal", f"{STORE_NAME}-shm"):
        (directory / name).unlink(missing_ok=True)


def open_to_write(directory: Path) -> sqlite3.Connection:
    """The writing connection; makes the file, and makes anew one of another version or damaged.

    Raises:
        StoreFailed: The folder takes no file.
    """
    try:
        return _opened(directory)
    except StoreFailed as error:
        if error.__cause__ is None or not damaged(error.__cause__):
            raise
        _logger.warning("%s; it is made anew", error)
        remove(directory)
        return _opened(directory)


def _opened(directory: Path) -> sqlite3.Connection:
    path = store_path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        connection = _connect(path)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if version != FORMAT and tables:
            connection.close()
            remove(directory)
            connection = _connect(path)
            tables = 0
        if not tables:
            connection.execute("BEGIN IMMEDIATE")
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        raise failed(path, error) from error
    path.chmod(0o600)
    return connection


def open_to_read(directory: Path) -> sqlite3.Connection:
    """A reading connection, for one thread at a time.

    Raises:
        StoreFailed: There is no store yet, or it is damaged.
    """
    path = store_path(directory)
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        raise failed(path, error) from error
    return connection


def empty(connection: sqlite3.Connection) -> None:
    """Forget everything, within the open transaction: the topics were begun anew."""
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    for (name,) in names:
        connection.execute(f"DELETE FROM {name}")  # names of our own tables


def failed(path: Path, error: Exception) -> StoreFailed:
    """The error to show."""
    return StoreFailed(
        f"{path}: expected the console's store; found {error}. It holds nothing that the topics "
        "do not: remove it, and it is made anew"
    )


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    # A power cut may take the last moments: they are read from the topics again.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")  # erased customers leave no bytes behind
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection
