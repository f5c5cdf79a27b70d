"""Reading the log: from any process, at any time, without disturbing the writer.

Each call is one short read transaction, so that no reader keeps the writer's WAL from being
emptied.
"""

import asyncio
import sqlite3
from bisect import bisect_right
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from pipeline.runtimes.embedded.database import open_reader
from pipeline.runtimes.embedded.log import Chunk, Entry, chunks_from, known_topic, moment, topic_ids
from pipeline.runtimes.runtime import LogRecord
from schemas.topics import TOUCHPOINTS

POLL: Final = timedelta(milliseconds=50)
"""How often a follower asks whether something was committed; the question costs some 5 µs."""

FOLLOW_RECORDS_MAX: Final = 500
"""Records that a follower takes at once."""


class LogReader:
    """The reading end: a read-only connection of its own.

    Not for several threads at once. Use it as a context manager, or call `close`.

    Raises:
        StorageUnreadable: The folder has no data, or none that this version can read.
    """

    def __init__(self, directory: Path) -> None:
        self._connection = open_reader(directory)
        self._ids = topic_ids(self._connection) if self._has_tables() else {}
        self._version: int | None = None

    def __enter__(self) -> "LogReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def latest_offset(self, topic: str) -> int:
        """The offset of the topic's newest record; -1 where there never was one.

        Raises:
            ValueError: The catalogue has no such topic.
        """
        row = self._connection.execute(
            "SELECT next_offset FROM topics WHERE name = ?", (known_topic(topic),)
        ).fetchone()
        return int(row[0]) - 1 if row else -1

    def changed(self) -> bool:
        """Whether anything was committed since the last call; True on the first."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        before, self._version = self._version, version
        return bool(before != version)

    def read(self, topic: str, from_offset: int, limit: int) -> list[LogRecord]:
        """At most `limit` records from an offset on, in order.

        A `customer-touchpoints` record whose touchpoint retention has taken is left out.

        Raises:
            ValueError: The catalogue has no such topic.
            StorageFailed: The bytes are not those that were written.
        """
        number = self._ids.get(known_topic(topic))
        if number is None:  # a topic newer than the file
            return []
        self._connection.execute("BEGIN")
        try:
            return self._read(topic, number, from_offset, limit)
        finally:
            self._connection.execute("ROLLBACK")

    async def follow(
        self, topic: str, from_offset: int, poll: timedelta = POLL
    ) -> AsyncIterator[LogRecord]:
        """Every record from an offset on, for ever, soon after each is committed."""
        while True:
            waiting = not self.changed()
            records = [] if waiting else self.read(topic, from_offset, FOLLOW_RECORDS_MAX)
            for record in records:
                from_offset = record.offset + 1
                yield record
            if len(records) == FOLLOW_RECORDS_MAX:
                self._version = None  # there may be more of what is already committed
            else:
                await asyncio.sleep(poll.total_seconds())

    def _has_tables(self) -> bool:
        return bool(self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])

    def _read(self, topic: str, number: int, from_offset: int, limit: int) -> list[LogRecord]:
        touchpoints = _Touchpoints(self._connection, self._ids[TOUCHPOINTS])
        records: list[LogRecord] = []
        for chunk in chunks_from(self._connection, number, from_offset):
            appended_at = moment(chunk.appended_at)
            for offset, entry in enumerate(chunk.entries, chunk.base):
                if len(records) == limit:
                    return records
                if entry is None or offset < from_offset:
                    continue
                key, value = entry
                resolved = touchpoints.value(value) if isinstance(value, int) else value
                if resolved is not None:
                    records.append(LogRecord(topic, offset, key, resolved, appended_at))
        return records


class _Touchpoints:
    """The bytes that references stand for; keeps the few chunks that one read goes through."""

    def __init__(self, connection: sqlite3.Connection, topic: int) -> None:
        self._connection = connection
        self._topic = topic
        self._chunks: list[Chunk] = []  # sorted by base

    def value(self, offset: int) -> bytes | None:
        """A touchpoint's bytes; None where retention has taken it."""
        entry = self._held(offset)
        if entry is None:
            chunk = next(chunks_from(self._connection, self._topic, offset), None)
            if chunk is not None and chunk.base <= offset:
                self._chunks.append(chunk)
                self._chunks.sort(key=lambda one: one.base)
                entry = self._held(offset)
        return entry[1] if entry is not None and isinstance(entry[1], bytes) else None

    def _held(self, offset: int) -> Entry | None:
        at = bisect_right(self._chunks, offset, key=lambda one: one.base) - 1
        if at < 0:
            return None
        chunk = self._chunks[at]
        index = offset - chunk.base
        return chunk.entries[index] if index < len(chunk.entries) else None
