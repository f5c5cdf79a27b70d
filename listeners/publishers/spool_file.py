"""The spool's one SQLite file: records in the order in which they came, until they are taken out.

What one commit adds is kept as chunks. What cannot stay in its place - a chunk whose bytes have
changed, a record that the brokers will never take - is set aside in a table of its own, and told.
Used by one thread at a time; when to write what is left to `spool`.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from listeners.errors import SpoolFailed, SpoolUnreadable
from listeners.publishers.publisher import Outgoing
from listeners.publishers.spool_layout import (
    SPOOL_NAME,
    Row,
    believed,
    chunks_of,
    extent_checksum,
    known,
    open_spool,
    pack,
    refused_to_write,
    row_of,
    sound,
    unpack,
)

DAMAGED: Final = "damaged"
"""Set aside because its bytes are not those that were written."""

REFUSED: Final = "refused"
"""Set aside because the brokers would not take it."""

PROBE_BYTES: Final = 64 * 1024
"""What a disk that was full has to take before it is believed to have room again."""

SHRINK_BYTES: Final = 64 * 1024 * 1024
"""Size from which an emptied file is made small again."""

SetAside = Callable[[str, int, str], None]
"""Told of what was set aside: the reason, how many records or, damaged, chunks, and why."""


class Head(NamedTuple):
    """The oldest records, in order, to be removed once they are delivered.

    Attributes:
        last: The chunk up to which they reach.
        records: All of them.
        whole: Whether nothing stands behind them.
    """

    last: int
    records: list[Outgoing]
    whole: bool


class SpoolFile:
    """See the module. Opened and read through on construction; ours alone until `close`.

    Args:
        directory: The folder; made where there is none.
        at: Now, in milliseconds since 1970: what was refused is tried again from now on.
        tell: Who is told of what was set aside.
        connection: The class of the connection; a test's may fail on cue.

    Attributes:
        path: The file.
        bytes: What it takes on the disk; 0 while it holds nothing.
        oldest_at: When its oldest record came, in milliseconds since 1970; None while empty.

    Raises:
        SpoolInUse: Another process has it.
        SpoolUnreadable: It is not ours, of another version, or damaged beyond reading.
    """

    def __init__(
        self,
        directory: Path,
        *,
        at: int,
        tell: SetAside,
        connection: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / SPOOL_NAME
        self.bytes = 0
        self.oldest_at: int | None = None
        self._tell = tell
        self._untold: list[tuple[str, int, str]] = []  # of the transaction under way
        self._factory = connection
        self._connection = open_spool(self.path, connection)
        try:
            try:
                self._check(at)
            except sqlite3.DatabaseError as error:
                if refused_to_write(error):
                    raise
                self._connection = self._salvaged()
                self._check(at)
            with self._transaction():
                self._retry_refused(at)
            self._measure()
        except sqlite3.Error as error:
            self._connection.close()
            raise SpoolUnreadable(path=self.path, found=str(error)) from error
        except BaseException:
            self._connection.close()
            raise

    def append(self, records: Sequence[Outgoing], at: int) -> None:
        """Add records behind all others. They are fsynced when this returns, or none is kept."""
        with self._transaction():
            self._append(records, at)
        self._measure()

    def head(self, bytes_max: int, at: int) -> Head | None:
        """The oldest records, up to about so many bytes; None where there are none.

        A chunk whose bytes have changed is set aside, and those behind it are read.
        """
        first, behind = self._extent()
        records: list[Outgoing] = []
        damaged: list[tuple[int, Row | None]] = []
        size, last = 0, first - 1
        for last, row in self._rows(first, behind):
            if row is None or not sound(row):
                damaged.append((last, row))
                continue
            records += unpack(row[3])
            size += len(row[3])
            if size >= bytes_max:
                break
        if damaged:
            with self._transaction():
                self._move(damaged, at)
        return Head(last, records, last == behind - 1) if last >= first else None

    def remove(self, head: Head, refused: Sequence[int], why: str, at: int) -> None:
        """Forget delivered records; those at the positions in `refused` are set aside."""
        with self._transaction():
            self._keep_refused([head.records[one] for one in refused], why, at)
            self._connection.execute("DELETE FROM chunks WHERE id <= ?", (head.last,))
            self._set_extent(head.last + 1, self._extent()[1])
        self._measure()
        if self.oldest_at is None and self._pages("page_count") > SHRINK_BYTES:
            with suppress(sqlite3.OperationalError):  # for want of room, say; it may stay large
                self._connection.execute("VACUUM")

    def set_aside(self, records: Sequence[Outgoing], why: str, at: int) -> None:
        """Keep records that the brokers will not take, out of the way of all others."""
        with self._transaction():
            self._keep_refused(records, why, at)
        self._measure()

    def probe(self) -> None:
        """Return where the disk takes records.

        Raises:
            sqlite3.Error: It does not.
        """
        with self._transaction():
            self._connection.execute(
                "INSERT INTO set_aside VALUES (-1, 0, 'probe', '', zeroblob(?))", (PROBE_BYTES,)
            )
        with self._transaction():
            self._connection.execute("DELETE FROM set_aside WHERE id = -1")

    def failure(self, error: sqlite3.Error) -> SpoolFailed:
        """The error to show for one that cannot be tried again."""
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        return SpoolFailed(path=self.path, found=f"the database answered {error} ({name})")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._untold.clear()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException as error:
            # After a failed fsync nothing more is written, not even to take something back.
            if believed(error) and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        for one in self._untold:
            self._tell(*one)

    def _append(self, records: Sequence[Outgoing], at: int) -> None:
        first, behind = self._extent()
        for chunk in chunks_of(records):
            self._insert(self._connection, row_of(behind, at, chunk))
            behind += 1
        self._set_extent(first, behind)

    @staticmethod
    def _insert(connection: sqlite3.Connection, row: Row) -> None:
        connection.execute("INSERT INTO chunks VALUES (?, ?, ?, ?)", row)

    def _extent(self) -> tuple[int, int]:
        """The first chunk that has to be there, and the number of the next one to come."""
        first, behind = self._connection.execute("SELECT first, next FROM extent").fetchone()
        return first, behind

    def _set_extent(self, first: int, behind: int) -> None:
        self._connection.execute(
            "UPDATE extent SET first = ?, next = ?, checksum = ?",
            (first, behind, extent_checksum(first, behind)),
        )

    def _rows(self, first: int, behind: int) -> Iterator[tuple[int, Row | None]]:
        """Every chunk that has to be there, in order, and None for one that is not."""
        expected = first
        for row in self._connection.execute(
            "SELECT * FROM chunks WHERE id BETWEEN ? AND ? ORDER BY id", (first, behind - 1)
        ):
            yield from ((gone, None) for gone in range(expected, row[0]))
            yield row[0], row
            expected = row[0] + 1
        yield from ((gone, None) for gone in range(expected, behind))

    def _check(self, at: int) -> None:
        """Read everything, and set aside what is missing or is not what was written."""
        extent = self._connection.execute("SELECT first, next, checksum FROM extent").fetchone()
        if known(extent):
            first, behind = extent[0], extent[1]
        else:  # from the chunks that are what was written
            every = self._connection.execute("SELECT * FROM chunks ORDER BY id")
            numbers = [row[0] for row in every if sound(row)]
            first, behind = (numbers[0], numbers[-1] + 1) if numbers else (1, 1)
        damaged = [
            (number, row)
            for number, row in self._rows(first, behind)
            if row is None or not sound(row)
        ]
        damaged += (
            (row[0], row)
            for row in self._connection.execute(
                "SELECT * FROM chunks WHERE id < ? OR id >= ?", (first, behind)
            )
        )
        with self._transaction():
            if not known(extent):
                self._connection.execute("DELETE FROM extent")
                self._connection.execute("INSERT INTO extent VALUES (1, 1, 1, 0)")
                self._set_extent(first, behind)
                why = f"{self.path}: it is not known how many chunks there were"
                self._untold.append((DAMAGED, 1, why))
            self._move(damaged, at)

    def _move(self, damaged: Iterable[tuple[int, Row | None]], at: int) -> None:
        """Put damaged chunks, as they are, where they are in nobody's way, and fill their place."""
        first, behind = self._extent()
        for number, row in damaged:
            why = "is missing" if row is None else "is not what was written"
            if row is not None:
                self._keep(DAMAGED, why, row[3], at)
                self._connection.execute("DELETE FROM chunks WHERE id = ?", (number,))
            if first <= number < behind:
                self._insert(self._connection, row_of(number, at, []))
            self._untold.append((DAMAGED, 1, f"{self.path}: chunk {number} {why}"))

    def _keep_refused(self, records: Sequence[Outgoing], why: str, at: int) -> None:
        if records:
            self._keep(REFUSED, why, pack(list(records)), at)
            self._untold.append((REFUSED, len(records), why))

    def _keep(self, reason: str, why: str, content: object, at: int) -> None:
        self._connection.execute(
            "INSERT INTO set_aside (at, reason, why, records) VALUES (?, ?, ?, ?)",
            (at, reason, why, content),
        )

    def _retry_refused(self, at: int) -> None:
        """What the brokers refused is tried again at every start: a limit may have been raised."""
        numbers = self._connection.execute(
            "SELECT id FROM set_aside WHERE reason = ? ORDER BY id", (REFUSED,)
        ).fetchall()
        for number in numbers:
            (packed,) = self._connection.execute(
                "SELECT records FROM set_aside WHERE id = ?", number
            ).fetchone()
            self._append(unpack(packed), at)
            self._connection.execute("DELETE FROM set_aside WHERE id = ?", number)

    def _measure(self) -> None:
        oldest = self._connection.execute(
            "SELECT appended_at FROM chunks ORDER BY id LIMIT 1"
        ).fetchone()
        self.oldest_at = oldest[0] if oldest else None
        aside = self._connection.execute("SELECT 1 FROM set_aside LIMIT 1").fetchone()
        used = self._pages("page_count") - self._pages("freelist_count")
        self.bytes = used if oldest or aside else 0

    def _pages(self, which: str) -> int:
        (size,) = self._connection.execute("PRAGMA page_size").fetchone()
        (count,) = self._connection.execute(f"PRAGMA {which}").fetchone()
        return int(size * count)

    def _salvaged(self) -> sqlite3.Connection:
        """A new file with every chunk that can still be read; the old one is kept beside it."""
        fresh = self.path.with_name("spool.new.db")
        fresh.unlink(missing_ok=True)
        kept = _free_name(self.path)
        extent = self._connection.execute("SELECT first, next, checksum FROM extent").fetchone()
        if not known(extent):
            found = "neither its chunks nor their number can be read"
            raise SpoolUnreadable(path=self.path, found=found)
        with closing(open_spool(fresh, sqlite3.Connection)) as new:
            new.execute("BEGIN IMMEDIATE")
            new.execute("UPDATE extent SET first = ?, next = ?, checksum = ?", extent)
            for number in range(extent[0], extent[1]):
                row = None
                with suppress(sqlite3.DatabaseError):
                    row = self._connection.execute(
                        "SELECT * FROM chunks WHERE id = ?", (number,)
                    ).fetchone()
                if row is not None:
                    self._insert(new, row)
            new.execute("COMMIT")
        self._connection.close()
        os.link(self.path, kept)
        os.replace(fresh, self.path)
        self._tell(DAMAGED, 1, f"the spool was damaged; what can be read goes on, see {kept}")
        return open_spool(self.path, self._factory)


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"spool.damaged-{number}.db") for number in range(1, 1_000_000))
    return next(name for name in names if not name.exists())
