"""Kafka while it confirms, the spool while it does not: a publisher that is seldom unavailable.

Normally records go straight to Kafka. What it does not confirm in time goes into the spool, and
everything after it goes behind it, until the spool has been sent to Kafka in order and is empty.

Order per key is kept, by three things. Kafka's publisher gives up all it has under way at once, so
that those who waited come here in the order in which they went there. Of what it gave up, only a
beginning without a gap may still reach the log: sent again from the spool, the same records follow
in the same order, and of each the first to arrive counts, since ids absorb the repeat. And nobody
goes straight to Kafka while anything is in the spool, or on its way in.

Under steady traffic a spool would never be quite empty. So while its last records are under way,
newcomers wait for them instead of going behind them.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final, Protocol

from listeners.errors import RecordsRefused, SpoolFailed, Unavailable
from listeners.publishers.publisher import Outgoing
from listeners.publishers.spool import Spool
from listeners.publishers.spool_file import Head
from listeners.telemetry import SpoolTelemetry

DRAIN_BYTES: Final = 4 * 1024 * 1024
"""Bytes that are sent to Kafka at once from the spool, and sent again where that fails."""

DRAIN_PATIENCE: Final = timedelta(seconds=30)
"""How long the brokers may take to confirm those; they may have much to catch up on."""

PAUSE_MIN: Final = timedelta(milliseconds=250)
"""How long it is waited after Kafka did not confirm, doubled each time."""

PAUSE_MAX: Final = timedelta(seconds=2)
"""The longest such pause, and so about how late it is noticed that the brokers are back."""

HOLD_MAX: Final = timedelta(seconds=1)
"""How long newcomers wait for the last of the spool before they go behind it."""

STOP_PATIENCE: Final = timedelta(seconds=3)
"""How long a stop waits for what is being sent from the spool; it is still there afterwards."""


class Brokers(Protocol):
    """What is asked of Kafka's publisher."""

    async def publish(
        self, records: Sequence[Outgoing], *, patience: timedelta | None = None
    ) -> None:
        """See `KafkaPublisher.publish`."""
        ...

    async def ready(self) -> None:
        """See `KafkaPublisher.ready`."""
        ...

    async def stop(self) -> None:
        """See `KafkaPublisher.stop`."""
        ...


class SpoolingPublisher:
    """See the module. Used from one event loop, between `start` and `stop`.

    Args:
        kafka: Where records are to go.
        spool: Where they go meanwhile; started and stopped with this publisher.
        telemetry: Counts and logs.
    """

    def __init__(self, kafka: Brokers, spool: Spool, telemetry: SpoolTelemetry) -> None:
        self._kafka = kafka
        self._spool = spool
        self._telemetry = telemetry
        self._draining: asyncio.Task[None] | None = None
        self._hold: asyncio.Event | None = None
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> "SpoolingPublisher":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def failure(self) -> SpoolFailed | None:
        """Why the process has to stop; None while it works."""
        return self._spool.failure

    async def start(self) -> None:
        """Open the spool, and begin to send what an earlier process left there.

        Raises:
            SpoolInUse, SpoolUnreadable: It cannot be used.
        """
        await self._spool.start()
        self._drain_if_needed()

    async def stop(self) -> None:
        """Finish what is under way; the rest stays in the spool. May be called twice."""
        self._stopping.set()
        if (draining := self._draining) is not None:
            await asyncio.wait([draining], timeout=STOP_PATIENCE.total_seconds())
            draining.cancel()
            await asyncio.wait([draining])
        await self._kafka.stop()
        await self._spool.stop()

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Return once all records are durable, on Kafka or in the spool.

        Raises:
            Unavailable: Neither takes them.
        """
        if self._hold is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(HOLD_MAX.total_seconds()):
                    await self._hold.wait()
        if self._spool.empty:
            try:
                await self._kafka.publish(records)
                return
            except RecordsRefused as refused:
                refused_ones = [records[position] for position in refused.positions]
                await self._spool.set_aside(refused_ones, refused.reason)
                return
            except Unavailable as unavailable:
                self._telemetry.kafka_away(unavailable.reason)
        await self._spool.publish(records)
        self._drain_if_needed()

    async def ready(self) -> None:
        """Return while Kafka or the spool takes records.

        Raises:
            Unavailable: Neither does.
        """
        try:
            await self._spool.ready()
        except Unavailable:
            if not self._spool.empty or self._spool.failure is not None:
                raise
            await self._kafka.ready()

    def _drain_if_needed(self) -> None:
        if self._draining is None and not self._spool.empty and not self._stopping.is_set():
            self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        """Send what is in the spool, oldest first, until it is empty."""
        pause = PAUSE_MIN
        confirming = False
        try:
            while not self._stopping.is_set() and not self._spool.empty:
                try:
                    head = await self._spool.head(DRAIN_BYTES)
                    if head is None:  # what is on its way in is not there yet
                        await asyncio.sleep(0.001)
                        continue
                    if head.whole and confirming and self._hold is None:
                        self._hold = asyncio.Event()
                    refused, why = await self._delivered(head)
                    await self._removed(head, refused, why)
                    pause, confirming = PAUSE_MIN, True
                except SpoolFailed:
                    raise
                except Exception as error:  # whatever it is, the records are still there
                    self._let_go()
                    confirming = False
                    self._telemetry.kafka_away(str(error) or type(error).__name__)
                    await self._wait(pause)
                    pause = min(pause * 2, PAUSE_MAX)
            if self._spool.empty:
                self._telemetry.kafka_back()
        except SpoolFailed:
            pass  # whoever watches `failure` stops the process
        finally:
            self._draining = None
            self._let_go()

    async def _delivered(self, head: Head) -> tuple[list[int], str]:
        """Send the head; gives the positions of what the brokers will never take, and why."""
        records = head.records
        refused: list[int] = []
        why = ""
        try:
            await self._kafka.publish(records, patience=DRAIN_PATIENCE)
        except RecordsRefused as first:
            for position in first.positions:  # alone: a batch is refused as a whole
                try:
                    await self._kafka.publish([records[position]], patience=DRAIN_PATIENCE)
                except RecordsRefused as alone:
                    refused.append(position)
                    why = alone.reason
        return refused, why

    async def _removed(self, head: Head, refused: Sequence[int], why: str) -> None:
        """Forget what was delivered, however long it takes the disk to let us."""
        while True:
            try:
                await self._spool.remove(head, refused, why)
                return
            except Unavailable:
                if self._stopping.is_set():
                    raise
                await self._wait(PAUSE_MAX)

    def _let_go(self) -> None:
        if self._hold is not None:
            self._hold.set()
            self._hold = None

    async def _wait(self, pause: timedelta) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause.total_seconds()):
                await self._stopping.wait()
