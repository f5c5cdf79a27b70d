"""The embedded runtime: one process, one engine thread, one SQLite file.

The thread owns the only writing connection. Each turn it takes what was published and some of what
waits, does both in one transaction (`processing`), and only then tells the publishers: one fsync
serves all of them. Where there is nothing to do it sleeps; once a second it tells the engine the
time, so that silence has consequences.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Final

from pipeline.runtimes.embedded import orders
from pipeline.runtimes.embedded.database import (
    database_path,
    failure_of,
    open_writer,
    refused_to_write,
)
from pipeline.runtimes.embedded.erasing import Erasing
from pipeline.runtimes.embedded.housekeeping import Housekeeping
from pipeline.runtimes.embedded.intake import (
    RETRY_DISK,
    Intake,
    Publication,
    Request,
    Unavailable,
)
from pipeline.runtimes.embedded.lock import FolderLock
from pipeline.runtimes.embedded.log import Log
from pipeline.runtimes.embedded.obeying import erased, outdated
from pipeline.runtimes.embedded.processing import Processing
from pipeline.runtimes.embedded.reader import LogReader
from pipeline.runtimes.embedded.store import Store
from pipeline.runtimes.errors import RuntimeFault
from pipeline.runtimes.runtime import EngineFactory, LogRecord, Outgoing, StageCodec
from pipeline.telemetry import PipelineTelemetry

TICK: Final = timedelta(seconds=1)
"""How often the engine is told the time, and the log is kept tidy."""

SPACE_PROBE_PAUSE: Final = timedelta(milliseconds=500)
"""How often a full disk is asked whether it takes records again."""

SPACE_PROBE_BYTES: Final = 64 * 1024
"""What it has to take for an answer: some hundred touchpoints."""

CHECKPOINT_BYTES: Final = 64 * 1024 * 1024
"""Written bytes after which the WAL is carried over into the database, after an answer."""

DRAIN_MAX: Final = timedelta(seconds=5)
"""How long a stop goes on processing what is durable already; the rest waits for the next start."""

HALTED: Final = (
    "expected a pipeline at work; found one that has halted, since the stages fail on every "
    "touchpoint. Mend what its log names, start it again, and give the order again"
)
NO_SPACE: Final = "expected room on the disk; found none. Make some, and give the order again"
"""Why an order is refused."""

STALLED_AFTER: Final = timedelta(seconds=30)
"""A turn that takes longer than this is a fault: the runtime is not ready."""

GATHERING_PAUSE: Final = timedelta(milliseconds=5)
"""How long a turn waits for publications while touchpoints gather; without one it processes."""

HOUSEKEEPING_TURNS: Final = 10
"""Turns between two steps of tidying while there is more to do; a step outruns what they append."""


class EmbeddedRuntime:
    """Fulfils `Runtime`, and with `publish` and `ready` the shape of the listeners' publishers.

    Args:
        directory: The folder for everything; made where there is none.
        engine_factory: Builds the engine on its stores.
        codecs: How each stage's state is encoded, by the stage's name, in the stages' order.
        clock: The wall clock.
        unavailable: Builds the error that a refused publisher gets.
        telemetry: Where to count and log.
        erasing: Erases customers when an operator orders it; without it orders wait.
        connection: The class of the writing connection; a test's may fail on cue.

    Attributes:
        failure: What stopped the engine for good; None while it works.
    """

    def __init__(
        self,
        directory: Path,
        engine_factory: EngineFactory,
        codecs: Mapping[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]],
        *,
        clock: Callable[[], datetime],
        unavailable: Unavailable,
        telemetry: PipelineTelemetry,
        erasing: Erasing | None = None,
        connection: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        self._erasing = erasing
        self._directory = directory
        self._engine_factory = engine_factory
        self._codecs = {stage: StageCodec(*codec) for stage, codec in codecs.items()}
        self._clock = clock
        self._telemetry = telemetry
        self._connection_class = connection
        self._intake = Intake(unavailable, telemetry)
        self._lock = FolderLock(directory)
        self._thread: threading.Thread | None = None
        self._reader: LogReader | None = None
        self._turned_at = self._next_tick = 0.0
        self._turns_to_tidy = 0
        self.failure: Exception | None = None

    async def __aenter__(self) -> "EmbeddedRuntime":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the folder, go back to the last commit, begin.

        Raises:
            AlreadyRunning: Another process uses the folder.
            StorageUnreadable: Its file is not ours, of another version, or damaged.
        """
        await asyncio.to_thread(self._open)
        self._turned_at = self._next_tick = monotonic()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._intake.open()
        self._telemetry.started(str(self._directory), self._processing.waiting)
        self._thread.start()

    async def stop(self) -> None:
        """Accept no more, commit what was accepted, let go of the folder. May be called twice."""
        self._intake.stop()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
            self._thread = None
            self._started_reader().close()  # first, so that the writer can take the WAL away
            self._reader = None
            if self.failure is None:
                self._connection.close()
        self._lock.release()

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Return once all records are fsynced, in this order.

        Raises:
            ValueError: The catalogue has no such topic.
            Exception: The caller's `unavailable`, for `queue_full`, `disk_full`, `stopping`,
                `failed` or `not_started`: none of them is acknowledged.
        """
        if records:
            await self._intake.offer(records)

    async def advance(self, now: datetime) -> None:
        """Process all that was accepted, then tell the engine that it is `now`."""
        await self._intake.request(now)

    async def ready(self) -> None:
        """Return where a publish would be accepted; raise the caller's `unavailable` where not."""
        if (refusal := self._intake.refusal()) is not None:
            raise refusal

    def readiness(self) -> tuple[bool, str]:
        """Whether a publish would be accepted now and be processed soon; if not, why."""
        if self.failure is not None:
            return False, str(self.failure)
        if (closed := self._intake.closed) is not None:
            return False, closed
        if self._processing.halted:
            return False, "halted: the stages fail on every touchpoint; see the log"
        if monotonic() - self._turned_at > STALLED_AFTER.total_seconds():
            return False, "stalled: the engine has not finished its turn"
        return True, ""

    def read(self, topic: str, from_offset: int, limit: int) -> list[LogRecord]:
        """See `LogReader.read`."""
        return self._started_reader().read(topic, from_offset, limit)

    def latest_offset(self, topic: str) -> int:
        """See `LogReader.latest_offset`."""
        return self._started_reader().latest_offset(topic)

    def _started_reader(self) -> LogReader:
        if self._reader is None:
            message = "expected a runtime that was started; found one that was not"
            raise RuntimeError(message)
        return self._reader

    def _open(self) -> None:
        self._lock.acquire()
        try:
            self._connection = open_writer(self._directory, self._codecs, self._connection_class)
            log = self._log = Log(self._connection)
            stores = {
                stage: Store(self._connection, stage, codec)
                for stage, codec in self._codecs.items()
            }
            engine = self._engine_factory(stores)
            self._processing = Processing(self._connection, log, stores, engine, self._telemetry)
            self._housekeeping = Housekeeping(self._connection, log.ids, self._telemetry)
            self._reader = LogReader(self._directory)
        except BaseException:
            self._lock.release()
            raise

    def _run(self) -> None:
        """The engine's thread. Whatever happens, nobody is left waiting."""
        try:
            while not self._intake.stopping:
                self._turn()
            self._finish()
        except sqlite3.Error as error:
            self._fail(failure_of(database_path(self._directory), error))
        except Exception as error:
            self._fail(error)

    def _turn(self) -> None:
        self._turned_at = started = monotonic()
        busy = self._processing.waiting > 0 and not self._processing.halted
        patience = 0.0 if busy or self._turns_to_tidy else self._next_tick - started
        if busy and self._processing.gathers(self._clock()):
            patience = GATHERING_PAUSE.total_seconds()
        publications = self._intake.take(patience)
        try:
            self._commit(publications)
            if not busy and (request := self._request()) is not None:
                self._processing.tick(request.now)
                self._intake.acknowledge((request,))
            if monotonic() >= self._next_tick:
                self._next_tick = monotonic() + TICK.total_seconds()
                self._processing.tick(self._clock())
                self._obey()
                self._turns_to_tidy = max(self._turns_to_tidy, 1)
                if not busy:  # else by size alone: a page that many cycles change is copied once
                    self._checkpoint()
            self._tidy()
            if self._processing.written > CHECKPOINT_BYTES:
                self._checkpoint()
        except sqlite3.Error as error:
            if not refused_to_write(error):
                raise
            self._wait_for_space(error)

    def _obey(self) -> None:
        """Carry out what operators ordered since the last tick."""
        if self._erasing is None:
            return
        for order in orders.waiting(self._directory):
            what = order.why if isinstance(order, orders.Append) else "erase"
            try:
                given = self._obeyed(order, self._erasing)
            except Exception as error:
                self._telemetry.order_failed(what, order.id, error)
                # Answered all the same: whoever waits is told, and no next start fails over it.
                given = orders.Answer(refused=f"expected to carry it out; found {error}")
                with suppress(OSError):
                    orders.answer(self._directory, order, given)
                if isinstance(error, sqlite3.Error) or not isinstance(order, orders.Erase):
                    raise  # what is in memory cannot be believed, or the disk cannot
                continue
            self._telemetry.order_obeyed(what, order.id, refused=bool(given.refused))
            orders.answer(self._directory, order, given)

    def _obeyed(self, order: orders.Order, erasing: Erasing) -> orders.Answer:
        if self._processing.halted:
            return orders.Answer(refused=HALTED)
        if isinstance(order, orders.Erase):
            try:
                return erased(order, self._connection, self._log, erasing, self._clock())
            finally:
                self._processing.reload()
        if refused := outdated(order, self._connection):
            return orders.Answer(refused=refused)
        self._processing.cycle([order.records], self._clock())
        return orders.Answer()

    def _refuse_orders(self, why: str) -> None:
        """What cannot be done now is not kept waiting, as far as an answer can be written."""
        with suppress(OSError):
            for order in orders.waiting(self._directory):
                orders.answer(self._directory, order, orders.Answer(refused=why))

    def _commit(self, publications: list[Publication]) -> None:
        if not publications and not self._processing.waiting:
            return
        try:
            self._processing.cycle([one.records for one in publications], self._clock())
        except Exception as error:
            # The door first: who is refused finds it closed.
            full = isinstance(error, sqlite3.Error) and refused_to_write(error)
            reason = "disk_full" if full else "failed"
            self._intake.close(reason, RETRY_DISK)
            self._intake.refuse(publications, reason, RETRY_DISK)
            raise
        self._intake.acknowledge(publications)

    def _request(self) -> Request | None:
        done = not self._processing.waiting or self._processing.halted
        return self._intake.next_request() if done else None

    def _tidy(self) -> None:
        if self._turns_to_tidy:
            self._turns_to_tidy -= 1
            if not self._turns_to_tidy and self._housekeeping.step(
                self._clock(), self._processing.processed
            ):
                self._turns_to_tidy = HOUSEKEEPING_TURNS

    def _checkpoint(self) -> None:
        """Empty the WAL. Where that fails for want of space, the WAL still has everything."""
        if not self._processing.written:
            return
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            if not refused_to_write(error):
                raise
        else:
            self._processing.written = 0

    def _wait_for_space(self, error: sqlite3.Error) -> None:
        """Refuse everything until the disk takes records again."""
        self._telemetry.disk_full(error)
        self._intake.close("disk_full", RETRY_DISK)
        while not self._intake.wait_for_stop(SPACE_PROBE_PAUSE.total_seconds()):
            self._turned_at = monotonic()
            self._refuse_orders(NO_SPACE)
            if self._has_space():
                self._telemetry.disk_has_space()
                self._intake.open()
                return

    def _has_space(self) -> bool:
        self._processing.written = max(1, self._processing.written)
        try:
            self._checkpoint()  # an emptied WAL is space, too
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "INSERT INTO meta VALUES ('probe', zeroblob(?))", (SPACE_PROBE_BYTES,)
            )
            self._connection.execute("COMMIT")
            self._connection.execute("DELETE FROM meta WHERE name = 'probe'")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if not refused_to_write(error):
                raise
            return False
        return True

    def _finish(self) -> None:
        """Commit what was accepted, process for a while what waits, close the file."""
        deadline = monotonic() + DRAIN_MAX.total_seconds()
        try:
            while publications := self._intake.take(0):
                self._commit(publications)
            while self._processing.waiting and not self._processing.halted:
                self._processing.cycle((), self._clock())
                if monotonic() > deadline:
                    break
            while (request := self._intake.next_request()) is not None:
                self._processing.tick(request.now)
                self._intake.acknowledge((request,))
            self._processing.close()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            if not refused_to_write(error):
                raise
            # What is not durable was not acknowledged; what is will be processed after a restart.
        self._intake.close("stopping", RETRY_DISK)
        self._telemetry.stopped()

    def _fail(self, error: Exception) -> None:
        # The connection stays open: to close it would be to write again, after what it answered.
        self.failure = error
        self._intake.close("failed", RETRY_DISK)
        if not isinstance(error, RuntimeFault):
            error.add_note("this is a fault of the program; nothing that was acknowledged is lost")
        self._telemetry.failed(error)
