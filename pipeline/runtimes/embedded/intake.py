"""The bounded queue between those who publish, on an event loop, and the engine's thread."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from pipeline.runtimes.embedded.log import known_topic
from pipeline.runtimes.runtime import Outgoing
from pipeline.telemetry import PipelineTelemetry

QUEUED_RECORDS_MAX: Final = 20_000
"""Records waiting for their commit; beyond them a publication is refused."""

QUEUED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of values waiting for their commit."""

TAKEN_RECORDS_MAX: Final = 5_000
"""Records that one cycle makes durable, so that a commit does not grow without bound."""

RETRY_QUEUE: Final = timedelta(seconds=1)
"""When to try again after a full queue; a cycle takes some tens of milliseconds."""

RETRY_DISK: Final = timedelta(seconds=5)
"""When to try again after a full disk: someone has to make room first."""

Unavailable = Callable[[timedelta, str], Exception]
"""Builds the caller's own error from when to try again, and why."""


class Publication(NamedTuple):
    """Records that one caller waits for."""

    records: Sequence[Outgoing]
    size: int
    future: "asyncio.Future[None]"
    loop: asyncio.AbstractEventLoop


class Request(NamedTuple):
    """Someone waits until all is processed, and the engine was told the time."""

    now: datetime
    future: "asyncio.Future[None]"
    loop: asyncio.AbstractEventLoop


class Intake:
    """A queue with a door. Offered on event loops, taken by one thread."""

    def __init__(self, unavailable: Unavailable, telemetry: PipelineTelemetry) -> None:
        self._unavailable = unavailable
        self._telemetry = telemetry
        self._condition = threading.Condition()
        self._queue: deque[Publication] = deque()
        self._requests: deque[Request] = deque()
        self._records = 0
        self._bytes = 0
        self._closed: tuple[str, timedelta] | None = ("not_started", RETRY_QUEUE)
        self._stopping = False

    @property
    def closed(self) -> str | None:
        """Why the door is closed; None while it is open."""
        closed = self._closed
        return closed[0] if closed else None

    @property
    def stopping(self) -> bool:
        """Whether the engine is to finish."""
        return self._stopping

    def offer(self, records: Sequence[Outgoing]) -> "asyncio.Future[None]":
        """Queue records; the future is done when they are durable.

        Raises:
            ValueError: The catalogue has no such topic.
            Exception: The caller's own `unavailable`: nothing of it was or will be kept.
        """
        loop = asyncio.get_running_loop()
        size = 0
        for topic, _, value in records:
            known_topic(topic)
            size += len(value)
        publication = Publication(records, size, loop.create_future(), loop)
        with self._condition:
            closed = self._closed
            # An empty queue takes anything, or a large publication could never get in.
            full = self._queue and (
                self._records + len(records) > QUEUED_RECORDS_MAX
                or self._bytes + size > QUEUED_BYTES_MAX
            )
            if closed is None and not full:
                self._queue.append(publication)
                self._records += len(records)
                self._bytes += size
                self._condition.notify()
                return publication.future
        reason, retry_after = closed or ("queue_full", RETRY_QUEUE)
        raise self._refusal(reason, retry_after)

    def request(self, now: datetime) -> "asyncio.Future[None]":
        """Ask for everything to be processed and the engine to be told the time."""
        loop = asyncio.get_running_loop()
        request = Request(now, loop.create_future(), loop)
        with self._condition:
            if self._closed is not None:
                raise self._refusal(*self._closed)
            self._requests.append(request)
            self._condition.notify()
        return request.future

    def take(self, patience: float) -> list[Publication]:
        """What one cycle is to make durable; waits up to `patience` seconds for something."""
        with self._condition:
            if patience > 0 and not self._queue and not self._requests and not self._stopping:
                self._condition.wait(patience)
            taken: list[Publication] = []
            count = 0
            while self._queue and (
                not taken or count + len(self._queue[0].records) <= TAKEN_RECORDS_MAX
            ):
                publication = self._queue.popleft()
                count += len(publication.records)
                self._records -= len(publication.records)
                self._bytes -= publication.size
                taken.append(publication)
            return taken

    def next_request(self) -> Request | None:
        """The oldest request, taken out of the queue."""
        with self._condition:
            return self._requests.popleft() if self._requests else None

    def wait_for_stop(self, patience: float) -> bool:
        """Wait up to `patience` seconds; returns whether the engine is to finish."""
        with self._condition:
            return self._condition.wait_for(lambda: self._stopping, patience)

    def open(self) -> None:
        """Accept from now on, unless the engine is to finish."""
        with self._condition:
            if not self._stopping:
                self._closed = None

    def close(self, reason: str, retry_after: timedelta) -> None:
        """Refuse from now on, and refuse what is queued."""
        with self._condition:
            self._closed = (reason, retry_after)
            refused = [*self._queue]
            self._queue.clear()
            self._records = self._bytes = 0
            requests = [*self._requests]
            self._requests.clear()
        self.refuse([*refused, *requests], reason, retry_after)

    def stop(self) -> None:
        """Refuse from now on; what is queued is still to be taken."""
        with self._condition:
            self._closed = ("stopping", RETRY_QUEUE)
            self._stopping = True
            self._condition.notify()

    def refusal(self) -> Exception | None:
        """What an offer would raise now; None where it would be queued."""
        closed = self._closed
        return None if closed is None else self._unavailable(closed[1], closed[0])

    def refuse(
        self, waiting: Iterable[Publication | Request], reason: str, retry_after: timedelta
    ) -> None:
        """Tell those who wait that nothing of theirs was kept."""
        _conclude(waiting, lambda: self._refusal(reason, retry_after))

    def acknowledge(self, waiting: Iterable[Publication | Request]) -> None:
        """Tell those who wait that theirs is done."""
        _conclude(waiting, None)

    def _refusal(self, reason: str, retry_after: timedelta) -> Exception:
        self._telemetry.publication_refused(reason)
        return self._unavailable(retry_after, reason)


def _conclude(
    waiting: Iterable[Publication | Request], error: Callable[[], Exception] | None
) -> None:
    """One call into each event loop, however many wait there."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for one in waiting:
        by_loop.setdefault(one.loop, []).append(one.future)
    for loop, futures in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, futures, error)


def _resolve(futures: list[Any], error: Callable[[], Exception] | None) -> None:
    for future in futures:
        if future.done():  # the caller has gone
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error())
