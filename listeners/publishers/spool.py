"""The spool: keeps records on disk, in order, while the brokers are away.

A publisher like others: what it took is fsynced. One thread owns the file; whoever publishes while
it writes is gathered into its next commit. At a limit it refuses; it never drops. What is to be
done with what it holds is left to `spooling`.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from listeners.errors import SpoolFailed, Unavailable
from listeners.publishers.publisher import Outgoing
from listeners.publishers.spool_file import Head, SpoolFile
from listeners.publishers.spool_layout import refused_to_write
from listeners.telemetry import SpoolTelemetry

QUEUED_RECORDS_MAX: Final = 20_000
"""Records that wait for their commit; beyond them a publication is refused."""

QUEUED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of values that wait for their commit."""

RETRY_QUEUE: Final = timedelta(seconds=1)
"""When to come again after a full queue; a commit takes some milliseconds."""

RETRY_DISK: Final = timedelta(seconds=5)
"""When to come again after a full disk: someone has to make room first."""

RETRY_FULL: Final = timedelta(seconds=30)
"""When to come again after a limit of the spool: the brokers have to come back first."""

ROOM_BYTES: Final = 64 * 1024
"""Room below which it is not ready, though a small publication may still fit: some hundred
touchpoints."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

T = TypeVar("T")


class _Waiting(NamedTuple):
    """A publication that waits for its commit."""

    records: Sequence[Outgoing]
    size: int
    future: "asyncio.Future[None]"


class Spool:
    """See the module. Used from one event loop.

    Args:
        directory: Where the file is kept.
        bytes_max: What it may take on the disk.
        age_max: How old its oldest record may be while more are taken.
        clock: Now, aware and in UTC.
        telemetry: Counts and logs.
        connection: The class of the file's connection; a test's may fail on cue.

    Attributes:
        failure: Why it takes nothing any more, for good; None while it works.
    """

    def __init__(
        self,
        directory: Path,
        *,
        bytes_max: int,
        age_max: timedelta,
        clock: Callable[[], datetime],
        telemetry: SpoolTelemetry,
        connection: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        self._directory = directory
        self._bytes_max = bytes_max
        self._age_max = age_max
        self._clock = clock
        self._telemetry = telemetry
        self._connection_class = connection
        self._waiting: list[_Waiting] = []
        self._queued = self._queued_bytes = 0
        self._committing: asyncio.Task[None] | None = None
        self._file: SpoolFile | None = None
        self._disk_full = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self.failure: SpoolFailed | None = None
        telemetry.watch_spool(lambda: self._bytes, lambda: self._age.total_seconds())

    async def start(self) -> None:
        """Open the file and read it through: what an earlier process left is there again.

        Raises:
            SpoolInUse: Another process has it.
            SpoolUnreadable: It is not ours, of another version, or damaged beyond reading.
        """

        def opened() -> SpoolFile:
            return SpoolFile(
                self._directory,
                at=self._now(),
                tell=self._telemetry.records_set_aside,
                connection=self._connection_class,
            )

        self._file = await asyncio.get_running_loop().run_in_executor(self._thread, opened)

    async def stop(self) -> None:
        """Commit what waits, and let go of the file. What it holds stays. May be called twice."""
        while self._committing is not None:
            await asyncio.wait([self._committing])
        # After a failure the file stays open: to close it would be to write again.
        if self._file is not None and self.failure is None:
            await self._in_thread(self._file.close)
        self._file = None
        self._thread.shutdown()

    @property
    def empty(self) -> bool:
        """Whether it holds nothing and nothing is on its way in: nobody can be overtaken."""
        held = self._file is not None and self._file.oldest_at is not None
        return not held and not self._queued

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Return once all records are fsynced, behind all that came before.

        Raises:
            Unavailable: At a limit, on a full disk, or after a failure; none of them is kept.
        """
        if not records:
            return
        size = sum(len(value) for _, _, value in records)
        self._admit(len(records), size)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(records, size, loop.create_future())
        self._waiting.append(waiting)
        self._queued += len(records)
        self._queued_bytes += size
        if self._committing is None:
            self._committing = loop.create_task(self._commit())
        await waiting.future
        self._telemetry.records_spooled(len(records))

    async def ready(self) -> None:
        """Return where a publication would be taken now.

        Raises:
            Unavailable: It would not; says why.
        """
        if (reached := self._reached(0, ROOM_BYTES)) is not None:
            raise reached[1]
        if self._disk_full and self._file is not None:
            try:
                await self._in_thread(self._file.probe)
            except sqlite3.Error as error:
                raise self._refusal(error) from error
            self._disk_full = False

    async def head(self, bytes_max: int) -> Head | None:
        """The oldest records, up to about so many bytes; None where there are none.

        Raises:
            SpoolFailed: The file cannot be read; what it holds is as it was.
        """
        file = self._opened()
        return await self._guarded(lambda: file.head(bytes_max, self._now()))

    async def remove(self, head: Head, refused: Sequence[int] = (), why: str = "") -> None:
        """Forget the head, which was delivered but for what the brokers will never take.

        Args:
            head: As `head` gave it last.
            refused: Positions in its records; they are set aside.
            why: What the brokers said.

        Raises:
            Unavailable: The disk is full; to be tried again.
            SpoolFailed: The disk can no longer be believed.
        """
        file = self._opened()
        await self._guarded(lambda: file.remove(head, refused, why, self._now()))
        self._telemetry.records_drained(len(head.records) - len(refused))

    async def set_aside(self, records: Sequence[Outgoing], why: str) -> None:
        """Keep records that the brokers will not take, out of the way of all others.

        Raises:
            Unavailable: As for `publish`.
        """
        self._admit(len(records), sum(len(value) for _, _, value in records))
        file = self._opened()
        await self._guarded(lambda: file.set_aside(records, why, self._now()))

    async def _commit(self) -> None:
        """Write what has gathered until nothing has."""
        file = self._opened()
        while self._waiting:
            taken, self._waiting = self._waiting, []
            records = [record for one in taken for record in one.records]
            refusal: Unavailable | None = None
            try:
                await self._in_thread(partial(file.append, records, self._now()))
                self._disk_full = False
            except Exception as error:
                refusal = self._refusal(error)
            for waiting in taken:
                self._queued -= len(waiting.records)
                self._queued_bytes -= waiting.size
                if waiting.future.done():
                    continue  # the caller has gone
                if refusal is None:
                    waiting.future.set_result(None)
                else:
                    waiting.future.set_exception(
                        Unavailable(retry_after=refusal.retry_after, reason=refusal.reason)
                    )
        self._committing = None

    def _admit(self, count: int, size: int) -> None:
        """Refuse what would go beyond a limit, and count it.

        Raises:
            Unavailable: It would.
        """
        if (reached := self._reached(count, size)) is not None:
            limit, refusal = reached
            if limit is not None:
                self._telemetry.spool_refused(limit)
            raise refusal

    def _reached(self, count: int, size: int) -> tuple[str | None, Unavailable] | None:
        """The limit that so much more would go beyond, by its name; None as name for a failure."""
        if self.failure is not None:
            return None, Unavailable(retry_after=RETRY_DISK, reason=str(self.failure))
        if self._bytes + self._queued_bytes + size > self._bytes_max:
            limit, pause = "spool_bytes_max", RETRY_FULL
        elif self._age > self._age_max:
            limit, pause = "spool_age_max", RETRY_FULL
        # An empty queue takes anything, or a large publication could never get in.
        elif self._queued and (
            self._queued + count > QUEUED_RECORDS_MAX
            or self._queued_bytes + size > QUEUED_BYTES_MAX
        ):
            limit, pause = "queue", RETRY_QUEUE
        else:
            return None
        return limit, Unavailable(retry_after=pause, reason=f"the spool has reached {limit}")

    def _refusal(self, error: Exception) -> Unavailable:
        """What whoever publishes is told of a failed write; after some, nothing more is written."""
        if refused_to_write(error):
            self._disk_full = True
            self._telemetry.spool_refused("disk_full")
            return Unavailable(retry_after=RETRY_DISK, reason=f"the spool's disk is full: {error}")
        failure = self._fail(error)
        return Unavailable(retry_after=RETRY_DISK, reason=str(failure))

    def _fail(self, error: Exception) -> SpoolFailed:
        if self.failure is None:
            file = self._opened()
            self.failure = (
                file.failure(error)
                if isinstance(error, sqlite3.Error)
                else SpoolFailed(path=file.path, found=f"{type(error).__name__}: {error}")
            )
            self._telemetry.spool_failed(str(self.failure))
        return self.failure

    async def _guarded(self, call: Callable[[], T]) -> T:
        try:
            return await self._in_thread(call)
        except sqlite3.Error as error:
            if refused_to_write(error):
                raise self._refusal(error) from error
            raise self._fail(error) from error

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _opened(self) -> SpoolFile:
        if self._file is None:
            message = "expected a spool that was started; found one that was not"
            raise RuntimeError(message)
        return self._file

    def _now(self) -> int:
        return (self._clock() - _EPOCH) // _MILLISECOND

    @property
    def _bytes(self) -> int:
        return 0 if self._file is None else self._file.bytes

    @property
    def _age(self) -> timedelta:
        if self._file is None or self._file.oldest_at is None:
            return timedelta(0)
        return max(self._now() - self._file.oldest_at, 0) * _MILLISECOND
