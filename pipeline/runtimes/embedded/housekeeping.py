"""Retention and compaction of the log, in small steps between other work.

Retention takes whole chunks. Compaction goes as Kafka's does: when as much is new as was left
clean, the new part is read to learn each key's last offset, then the topic is walked from its
beginning and superseded records are blanked. That needs no index on keys, whose upkeep
would cost every append. What is younger than `COMPACTION_LAG` is left alone, so that no follower
misses a revision.
"""

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from pipeline.runtimes.embedded.log import Chunk, chunks_from, milliseconds, pack_chunk
from pipeline.telemetry import PipelineTelemetry
from schemas.topics import TOPICS, TOUCHPOINTS, Cleanup

CHUNKS_PER_STEP: Final = 50
"""Chunks that one step looks at: some milliseconds."""

COMPACTION_LAG: Final = timedelta(hours=1)
"""Age below which no record is superseded."""

COMPACTION_PAUSE: Final = timedelta(minutes=10)
"""How often a topic is asked whether it is worth compacting; the question reads all chunks."""

KEYS_MAX: Final = 200_000
"""Keys that one compaction learns; the rest is new again for the next one."""


class Housekeeping:
    """Keeps the log within its retention. Each step is a transaction of its own."""

    def __init__(
        self, connection: sqlite3.Connection, ids: dict[str, int], telemetry: PipelineTelemetry
    ) -> None:
        self._connection = connection
        self._ids = ids
        self._telemetry = telemetry
        self._passes: dict[str, Iterator[int]] = {}
        self._asked_at: dict[str, datetime] = {}
        self._clean: dict[str, int] = {}  # how many chunks the last compaction left

    def step(self, now: datetime, processed: int) -> bool:
        """Do a little; returns whether there is more to do at once.

        Args:
            now: The wall clock.
            processed: Touchpoints from this offset on are kept, however old.

        Raises:
            sqlite3.Error: Nothing of the step was done.
            StorageFailed: A chunk is damaged.
        """
        more = False
        for topic in TOPICS.values():
            if topic.name not in self._ids:
                continue
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                removed = 0
                if topic.cleanup is not Cleanup.COMPACT and topic.retention is not None:
                    keep_from = processed if topic.name == TOUCHPOINTS else None
                    removed = self._retain(topic.name, now - topic.retention, keep_from)
                    more |= removed > 0
                if topic.cleanup is not Cleanup.DELETE:
                    removed += self._compact(topic.name, now)
                self._connection.execute("COMMIT")
            except BaseException:
                self._passes.clear()
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._telemetry.records_removed(topic.name, removed)
        return more

    def _retain(self, topic: str, until: datetime, keep_from: int | None) -> int:
        number = self._ids[topic]
        oldest = self._connection.execute(
            "SELECT base, count, appended_at FROM chunks WHERE topic = ? ORDER BY base LIMIT ?",
            (number, CHUNKS_PER_STEP),
        ).fetchall()
        limit = milliseconds(until)
        expired = [
            (number, base, count)
            for base, count, appended_at in oldest
            if appended_at < limit and (keep_from is None or base + count <= keep_from)
        ]
        self._connection.executemany(
            "DELETE FROM chunks WHERE topic = ? AND base = ?",
            [(number, base) for number, base, _ in expired],
        )
        return sum(count for _, _, count in expired)

    def _compact(self, topic: str, now: datetime) -> int:
        if topic not in self._passes:
            asked_at = self._asked_at.get(topic)
            if asked_at is not None and now - asked_at < COMPACTION_PAUSE:
                return 0
            self._asked_at[topic] = now
            (chunks,) = self._connection.execute(
                "SELECT count(*) FROM chunks WHERE topic = ? AND appended_at < ?",
                (self._ids[topic], milliseconds(now - COMPACTION_LAG)),
            ).fetchone()
            if chunks < 2 or chunks < 2 * self._clean.get(topic, 0):
                return 0
            self._passes[topic] = self._pass(topic, milliseconds(now - COMPACTION_LAG))
        try:
            return next(self._passes[topic])
        except StopIteration:
            del self._passes[topic]
            return 0

    def _pass(self, topic: str, until: int) -> Iterator[int]:
        """A whole compaction; yields after each step how many records it took."""
        last: dict[str, int] = {}
        base = 0
        while chunks := self._some(topic, base, until):
            for chunk in chunks:
                last.update(
                    (entry[0], offset)
                    for offset, entry in enumerate(chunk.entries, chunk.base)
                    if entry is not None
                )
            base = chunks[-1].base + len(chunks[-1].entries)
            yield 0
            if len(last) >= KEYS_MAX:
                break
        end, base, kept = base, 0, 0
        while chunks := [one for one in self._some(topic, base, until) if one.base < end]:
            removed = 0
            for chunk in chunks:
                taken, left = self._blank(topic, chunk, last)
                removed += taken
                kept += left
            base = chunks[-1].base + len(chunks[-1].entries)
            yield removed
        self._clean[topic] = kept

    def _some(self, topic: str, base: int, until: int) -> list[Chunk]:
        chunks: list[Chunk] = []
        for chunk in chunks_from(self._connection, self._ids[topic], base):
            if chunk.appended_at >= until or len(chunks) == CHUNKS_PER_STEP:
                break
            if chunk.base >= base:
                chunks.append(chunk)
        return chunks

    def _blank(self, topic: str, chunk: Chunk, last: dict[str, int]) -> tuple[int, int]:
        """Write a chunk without what is superseded; returns records taken and chunks left."""
        entries = [
            entry if entry is not None and last.get(entry[0], offset) <= offset else None
            for offset, entry in enumerate(chunk.entries, chunk.base)
        ]
        taken = entries.count(None) - chunk.entries.count(None)
        number = self._ids[topic]
        if not any(entries):
            self._connection.execute(
                "DELETE FROM chunks WHERE topic = ? AND base = ?", (number, chunk.base)
            )
            return taken, 0
        if taken:
            checksum, records = pack_chunk(entries)
            self._connection.execute(
                "UPDATE chunks SET checksum = ?, records = ? WHERE topic = ? AND base = ?",
                (checksum, records, number, chunk.base),
            )
        return taken, 1
