"""The last revision of each result, however many there are: kept on disk, not in memory."""

import sqlite3
from collections.abc import Iterator
from types import TracebackType
from typing import Final

from pipeline.exporting.tables import Head

CACHE_KIB: Final = 64 * 1024
"""Memory that the database may take; beyond it, it is on the disk, in the system's folder for
temporary files."""

WRITTEN_AT_ONCE: Final = 2_000


class Keeping:
    """Values by id, in the order in which each id was first seen.

    A context manager; what it kept is gone at its end.
    """

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)  # a file without a name
        execute = self._connection.execute
        execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        execute("PRAGMA journal_mode = OFF")  # if it fails, it is begun anew
        execute("PRAGMA synchronous = OFF")
        execute(
            "CREATE TABLE kept (n INTEGER PRIMARY KEY, id TEXT UNIQUE, revision INTEGER,"
            " key TEXT, value BLOB)"
        )
        execute("BEGIN")
        self._pending: list[tuple[str | None, int, str, bytes]] = []
        self._by_key = False

    def __enter__(self) -> "Keeping":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def put(self, head: Head, key: str, value: bytes) -> None:
        """Keep a value, unless one of a higher revision is kept by that id.

        Args:
            head: Its id and revision.
            key: What it was keyed by on its topic.
            value: Its bytes; empty where nothing is to be given of it, nor of a lower revision.
        """
        named = head.id if head.source is None else f"{head.source}\0{head.id}"
        self._pending.append((named, head.revision, key, value))
        if len(self._pending) >= WRITTEN_AT_ONCE:
            self._write()

    def delete(self, key: str) -> None:
        """Nothing that was put by this key is kept."""
        self._write()
        if not self._by_key:
            self._connection.execute("CREATE INDEX by_key ON kept (key)")
            self._by_key = True
        self._connection.execute("DELETE FROM kept WHERE key = ?", (key,))

    def values(self) -> Iterator[bytes]:
        """What is kept, but for what is empty."""
        self._write()
        for (value,) in self._connection.execute(
            "SELECT value FROM kept WHERE length(value) ORDER BY n"
        ):
            yield value

    def _write(self) -> None:
        self._connection.executemany(
            "INSERT INTO kept (id, revision, key, value) VALUES (?, ?, ?, ?) ON CONFLICT (id)"
            " DO UPDATE SET revision = excluded.revision, value = excluded.value"
            " WHERE excluded.revision >= revision",
            self._pending,
        )
        self._pending.clear()
