"""Touchpoints that are durable and wait to be processed."""

import sqlite3
from collections import deque
from itertools import islice
from typing import Final

from pipeline.runtimes.embedded.log import chunks_from

HELD_RECORDS_MAX: Final = 10_000
"""Appended touchpoints kept in memory until processed; beyond them the log is read again."""

Item = tuple[int, bytes, int]
"""Offset, bytes and `appended_at` of a touchpoint that waits to be processed."""


class Backlog:
    """Durable touchpoints that wait, in order: the newest from memory, others from the log."""

    def __init__(self, connection: sqlite3.Connection, topic: int, processed: int) -> None:
        self._connection = connection
        self._topic = topic
        self._items: deque[Item] = deque()
        self._end = processed  # what follows the newest held; a gap after it is read from the log

    def hold(self, item: Item) -> None:
        """Keep one that was just appended, if it follows on what is held and there is room."""
        if item[0] == self._end and len(self._items) < HELD_RECORDS_MAX:
            self._items.append(item)
            self._end += 1

    def first(self, limit: int) -> list[Item]:
        """The oldest that wait, at least one where any is written; they go on waiting."""
        if not self._items:
            for chunk in chunks_from(self._connection, self._topic, self._end):
                for offset, entry in enumerate(chunk.entries, chunk.base):
                    if offset >= self._end and entry is not None and isinstance(entry[1], bytes):
                        self._items.append((offset, entry[1], chunk.appended_at))
                        self._end = offset + 1
                if len(self._items) >= limit:
                    break
        return list(islice(self._items, limit))

    @property
    def oldest_at(self) -> int | None:
        """When the oldest one in memory was appended; None where memory holds none."""
        return self._items[0][2] if self._items else None

    def forget(self, count: int) -> None:
        """The oldest `count` are processed."""
        for _ in range(count):
            self._items.popleft()

    def rewind(self, processed: int) -> None:
        """Begin again at an offset."""
        self._items.clear()
        self._end = processed
