"""One cycle's work in one transaction: append what was published, process, write what follows.

Plain and synchronous; the thread and the waiting are the driver's. Records, results, state and
progress become durable together or not at all, which is what makes "exactly once" a matter of
counting offsets.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from time import perf_counter
from typing import Final

from pipeline.runtimes.embedded.backlog import Backlog
from pipeline.runtimes.embedded.log import Log, chunks_from, milliseconds, moment
from pipeline.runtimes.embedded.store import Store
from pipeline.runtimes.failures import FAILURES_MAX, dead_letter, failures_after
from pipeline.runtimes.runtime import Engine, Outgoing
from pipeline.stitching.change import Message
from pipeline.telemetry import EVERY_STAGE, PipelineTelemetry
from schemas import codec
from schemas.records import Touchpoint
from schemas.topics import CUSTOMER_TOUCHPOINTS, DEAD_LETTERS, TOUCHPOINTS

PROCESSED_RECORDS_MAX: Final = 2_000
"""Touchpoints that one cycle processes: what a publisher at most waits behind."""

PROCESSING_TIME_MAX: Final = timedelta(milliseconds=20)
"""Time after which a cycle processes no more, however few it was."""

GATHERED_MIN: Final = 100
"""Touchpoints that wait, from which more are waited for: a state that several of a cycle change
is written once."""

GATHERED_MAX: Final = 1_500
"""Touchpoints that are enough for a cycle."""

GATHERING_TIME_MAX: Final = timedelta(milliseconds=100)
"""How long a touchpoint is kept waiting for others."""

GATHERED_TIME_MAX: Final = timedelta(milliseconds=150)
"""Instead of `PROCESSING_TIME_MAX` where so many wait: publishers are slowed to what is processed.
"""


class CoreFailed(Exception):
    """The engine, or writing what it made, raised.

    Attributes:
        offset: The touchpoint to blame; None where it is none, or one of several.
        stage: The stage that was at work.
        cause: What it raised.
    """

    def __init__(self, offset: int | None, stage: str, cause: Exception) -> None:
        super().__init__(offset, stage, cause)
        self.offset = offset
        self.stage = stage
        self.cause = cause


class Processing:
    """The engine, its stores and the log, taken from one commit to the next.

    Attributes:
        processed: The offset of the first touchpoint not yet processed, as of the last commit.
        halted: Whether the stages are halted, because nearly everything fails.
        written: Bytes written since the last checkpoint, roughly.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        log: Log,
        stores: Mapping[str, Store],
        engine: Engine,
        telemetry: PipelineTelemetry,
    ) -> None:
        self._connection = connection
        self._log = log
        self._stores = stores
        self._engine = engine
        self._telemetry = telemetry
        processed, snapshot = connection.execute(
            "SELECT processed, snapshot FROM progress"
        ).fetchone()
        self.processed: int = processed
        self.halted = False
        self.written = 0
        self._baseline = engine.snapshot()  # what to go back to before the first commit
        if snapshot is not None:
            engine.restore(snapshot)
        self._backlog = Backlog(connection, log.ids[TOUCHPOINTS], processed)
        self._poison: dict[int, CoreFailed] = {}
        self._careful = 0  # how many of the next touchpoints to process one at a time
        self._failures = 0
        self._count_the_waiting()

    @property
    def waiting(self) -> int:
        """Durable touchpoints not yet processed."""
        return self._log.next_offset(TOUCHPOINTS) - self.processed

    def gathers(self, now: datetime) -> bool:
        """Whether what waits had better wait for more. While few come, none waits."""
        oldest = self._backlog.oldest_at
        if oldest is None or not GATHERED_MIN <= self.waiting < GATHERED_MAX:
            return False
        return moment(oldest) > now - GATHERING_TIME_MAX

    def cycle(self, publications: Sequence[Sequence[Outgoing]], now: datetime) -> None:
        """Make publications durable and process some of what waits, in one commit.

        Raises:
            sqlite3.Error: Nothing of it was done; the state is that of the last commit.
            StorageFailed: The same; the file is damaged.
        """
        limit = PROCESSED_RECORDS_MAX
        while True:
            if self._careful:
                limit = 1
            try:
                self._attempt(publications, now, limit)
            except CoreFailed as failure:
                self._undo()
                if failure.offset is None:
                    self._careful = limit
                    self._poison.clear()
                else:
                    # Again, up to the bad one, so that no touchpoint is processed a third time.
                    self._poison[failure.offset] = failure
                    limit = failure.offset - self.processed + 1
            except BaseException:
                self._undo()
                raise
            else:
                return

    def tick(self, now: datetime) -> None:
        """Tell the engine the time, and commit what follows. A stage that fails at it is logged.

        Raises:
            sqlite3.Error: Nothing of it was done; the state is that of the last commit.
        """
        if self.halted:
            return
        try:
            self._attempt((), now, None)
        except CoreFailed as failure:
            self._undo()
            self._telemetry.tick_failed(failure.stage, failure.cause)
        except BaseException:
            self._undo()
            raise

    def reload(self) -> None:
        """Somebody rewrote the file between two cycles: forget what memory holds of it."""
        snapshot = self._engine.snapshot()
        self._undo()
        self._engine.restore(snapshot)

    def close(self) -> None:
        """Keep what the engine learnt from the clock alone, for the next start."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._write_progress(self.processed)
            self._connection.execute("COMMIT")
        except BaseException:
            self._undo()
            raise

    def _attempt(
        self, publications: Sequence[Sequence[Outgoing]], now: datetime, limit: int | None
    ) -> None:
        """One transaction. A limit of None tells the engine the time instead of processing."""
        started = perf_counter()
        self._connection.execute("BEGIN IMMEDIATE")
        before = self._connection.total_changes
        published = self._append(publications, milliseconds(now))
        results: list[Message] = []
        dead: list[int] = []
        count = 0
        if limit is None:
            self._tell_time(now, results)
        elif not self.halted and not (published and self.gathers(now)):
            count = self._process(limit, now, results, dead, started)
        processed = self.processed + count
        self._engine.books.publish(results)
        states = self._flush(count)
        appended, size = self._log.write(now)
        if count or self._connection.total_changes != before:
            self._write_progress(processed)
        wrote = perf_counter()
        self._connection.execute("COMMIT")
        # Durable. Nothing below may fail.
        ended = perf_counter()
        self._settle(count, processed, dead, states, size)
        self._telemetry.cycle_committed(
            appended=appended,
            published=published,
            processed=count,
            now=now,
            seconds=ended - started,
            commit_seconds=ended - wrote,
        )
        self._telemetry.results_published(results)
        self._tell_how_it_stands(now)

    def _tell_how_it_stands(self, now: datetime) -> None:
        oldest = self._backlog.oldest_at
        telemetry, waiting, engine = self._telemetry, self.waiting, self._engine
        telemetry.backlog_is(waiting, None if oldest is None else moment(oldest), now)
        telemetry.lag_is({(TOUCHPOINTS, 0): waiting})
        telemetry.partition_stands(EVERY_STAGE, 0, engine.books, engine.watermark, waiting)

    def _append(self, publications: Iterable[Sequence[Outgoing]], now: int) -> int:
        append, hold, accept = self._log.append, self._backlog.hold, self._engine.books.accept
        count = 0
        for records in publications:
            count += len(records)
            for topic, key, value in records:
                offset = append(topic, key, value)
                if topic == TOUCHPOINTS:
                    accept(value)
                    hold((offset, value, now))
        return count

    def _process(
        self, limit: int, now: datetime, results: list[Message], dead: list[int], started: float
    ) -> int:
        many = self.waiting >= GATHERED_MIN
        time_max = GATHERED_TIME_MAX if many else PROCESSING_TIME_MAX
        deadline = started + time_max.total_seconds()
        count = 0
        for offset, value, _ in self._backlog.first(limit):
            if offset in self._poison:
                failure = self._poison[offset]
                letter = dead_letter(value, failure.stage, failure.cause, now)
                self._log.append(DEAD_LETTERS, letter.source, codec.encode(letter))
                self._engine.books.bury(TOUCHPOINTS, value)
                dead.append(offset)
            else:
                accesses = self._accesses()
                try:
                    touchpoint = codec.decode_touchpoint(value)
                    self._engine.process(touchpoint)
                    self._collect(touchpoint, offset, results)
                except sqlite3.Error:
                    raise
                except Exception as error:
                    raise CoreFailed(offset, self._stage_since(accesses), error) from error
            count += 1
            if perf_counter() > deadline:
                break
        return count

    def _tell_time(self, now: datetime, results: list[Message]) -> None:
        accesses = self._accesses()
        try:
            self._engine.tick(now, caught_up=not self.waiting)
            self._collect(None, -1, results)
        except sqlite3.Error:
            raise
        except Exception as error:
            raise CoreFailed(None, self._stage_since(accesses), error) from error

    def _collect(self, touchpoint: Touchpoint | None, offset: int, results: list[Message]) -> None:
        for stage, _, error in self._engine.failures:
            self._telemetry.tick_failed(stage, error)
        self._engine.failures.clear()
        outbox = self._engine.outbox
        for message in outbox:
            topic, key, record = message.topic, message.key, message.record
            if record is touchpoint and topic == CUSTOMER_TOUCHPOINTS:
                self._log.append(topic, key, offset)  # the bytes are those of the touchpoint
            else:
                self._log.append(topic, key, codec.encode(record))
                results.append(message)
        outbox.clear()

    def _count_the_waiting(self) -> None:
        """Open the books for a file of a version that kept none: what waits was accepted."""
        books = self._engine.books
        if books.accounts or not self.waiting:
            return
        for chunk in chunks_from(self._connection, self._log.ids[TOUCHPOINTS], self.processed):
            for offset, entry in enumerate(chunk.entries, chunk.base):
                if offset >= self.processed and entry is not None and isinstance(entry[1], bytes):
                    books.accept(entry[1])

    def _flush(self, count: int) -> int:
        states = 0
        for stage, store in self._stores.items():
            try:
                states += store.flush()
            except sqlite3.Error:
                raise
            except Exception as error:
                # A state that cannot be encoded: of the only touchpoint, or of one of many.
                offset = self.processed if count == 1 else None
                raise CoreFailed(offset, stage, error) from error
        return states

    def _write_progress(self, processed: int) -> None:
        self._connection.execute(
            "UPDATE progress SET processed = ?, snapshot = ?", (processed, self._engine.snapshot())
        )

    def _settle(self, count: int, processed: int, dead: list[int], states: int, size: int) -> None:
        """Memory follows the commit."""
        self.processed = processed
        self._log.commit()
        self._backlog.forget(count)
        for store in self._stores.values():
            store.commit()
        self.written += size + states * 4096
        self._careful = max(0, self._careful - count)
        for offset in dead:
            failure = self._poison.pop(offset)
            self._telemetry.processing_failed(failure.stage, offset, failure.cause)
        self._failures = failures_after(self._failures, count - len(dead), len(dead))
        if self._failures >= FAILURES_MAX and not self.halted:
            self.halted = True
            self._telemetry.processing_halted(self._failures)

    def _undo(self) -> None:
        """Back to the last commit, in the file and in memory."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        (snapshot,) = self._connection.execute("SELECT snapshot FROM progress").fetchone()
        self._log.rollback()
        self._backlog.rewind(self.processed)
        for store in self._stores.values():
            store.rollback()
        self._engine.outbox.clear()
        self._engine.restore(self._baseline if snapshot is None else snapshot)
        self._count_the_waiting()

    def _accesses(self) -> list[int]:
        return [store.accesses for store in self._stores.values()]

    def _stage_since(self, before: list[int]) -> str:
        """The last stage that asked for state: the one that was at work."""
        at_work = TOUCHPOINTS  # none yet: the record itself could not be read
        for stage, store, accesses in zip(self._stores, self._stores.values(), before, strict=True):
            if store.accesses != accesses:
                at_work = stage
        return at_work
