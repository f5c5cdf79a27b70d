"""Batches: Faust's consumer, handing over what was fetched of a partition as one message.

Stock Faust makes one event of every record, at more than 100 us of CPU each. Here one message
carries all records of a partition and fetch; its offset is the last one's, and Faust takes those
before it for a gap that becomes committable when that message is acknowledged. So agents, flow
control, acknowledgements and commits stay as they are.

What is overridden is not public: `tests/contracts/test_faust.py` fails when an upgrade changes it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message

from pipeline.runtimes.errors import WorkerFailed
from pipeline.runtimes.kafka.membership import MemberThread

Restore = Callable[[set[TP]], Awaitable[dict[TP, int]]]
"""Takes over partitions; where each is to be read on from, for those that have a state."""

Fail = Callable[[BaseException], None]
"""Ends the process at once: no acknowledgement, no commit, no stop that may hang."""


class AsFetched(faust.Schema[Any, Any]):
    """Hands key and value on as they are: the value is a list of fetched records."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        """The key."""
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """The records."""
        return message.value


class BatchConsumer(driver.Consumer):
    """A consumer whose messages are batches, and whose partitions begin where their state says.

    Attributes:
        broken: Set once a batch has failed: from then on nothing is acknowledged.
        expected: Offset of the first record to come, of partitions whose state knows it.
        handed: Offset behind the last record that was handed over since the last rebalance.
        sought_again: Those of them that were sought a second time.
        patience: Seconds that taking over all partitions may take.
    """

    broken: bool = False
    patience: float = 90.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.expected: dict[TP, int] = {}
        self.handed: dict[TP, int] = {}
        self.sought_again: set[TP] = set()

    async def restore(self, assigned: set[TP]) -> dict[TP, int]:
        """Take over partitions; `transport_of` gives the real one."""
        return {}

    def fail(self, error: BaseException) -> None:
        """End the process; `transport_of` gives what does."""
        raise error

    def trouble(self) -> BaseException | None:
        """See `MemberThread.trouble`."""
        thread: Any = self._thread
        trouble: BaseException | None = thread.trouble()
        return trouble

    def _new_consumer_thread(self) -> Any:
        return MemberThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109
        """One message for each partition with fetched records."""
        records, active = await self._wait_next_records(timeout)
        # After the fetch, never before it: records fetched right after a rebalance would be
        # dropped while the position has moved on.
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active:  # a rebalance has begun: these will be fetched again
            return
        for tp, fetched in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if not fetched or not (
                active is None or tp in active or tp in self._buffered_partitions
            ):
                continue
            if await self._overshot(tp, fetched[0].offset):
                continue
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            message: Any = self._to_message(tp, fetched[-1])
            message.key, message.value = None, fetched
            self.handed[tp] = fetched[-1].offset + 1
            yield tp, message

    async def _overshot(self, tp: TP, offset: int) -> bool:
        """Whether a first batch begins behind the state's offset: then it is fetched again, once.

        A fetch that was on its way when the partition was sought may still be handed out after it.
        The second time the gap is the log's own: markers of transactions, or retention.
        """
        expected = self.expected.get(tp)
        if expected is None:
            return False
        if offset <= expected or tp in self.sought_again:
            del self.expected[tp]
            self.sought_again.discard(tp)
            return False
        self.sought_again.add(tp)
        await self.seek(tp, expected)
        return True

    def exhausted(self, tp: TP, taken: int) -> bool:
        """Whether nothing waits of a partition, as of its broker's newest answer.

        The next fetch has to begin where the partition ends: `taken` alone does not tell, since
        behind the last record may stand markers of transactions, which are no records.

        Args:
            tp: An input.
            taken: The offset behind the last record of it that was taken in.
        """
        subscription = self._thread._ensure_consumer()._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        state = None if assignment is None else assignment.state_value(tp)
        if state is None or state.highwater is None or not state.has_valid_position:
            return False  # not asked yet
        return bool(state.position >= state.highwater and taken >= self.handed.get(tp, 0))

    def ack(self, message: Message) -> bool:
        """Acknowledge, unless the message is from before a rebalance or a batch has failed.

        Without the first, a stale acknowledgement would commit past records never processed.
        """
        current = message.generation_id == self.app.consumer_generation_id
        return current and not self.broken and bool(super().ack(message))

    async def perform_seek(self) -> None:
        """Start every partition where its state says, not where the group's offset stands.

        Faust, too, gives up after a time, and goes on as a member that does nothing.
        """
        given = asyncio.timeout(self.patience)
        try:
            async with given:
                await self._seek_all()
        except TimeoutError:
            if given.expired():
                message = (
                    f"expected to take over {len(self.assignment())} partitions within "
                    f"{self.patience:g} s; it took longer. Raise take_over_timeout of [pipeline], "
                    f"or add workers; or do the brokers not answer?"
                )
                self.fail(WorkerFailed(message))
            raise

    async def _seek_all(self) -> None:
        await super().perform_seek()
        assigned = set(self.assignment())
        offsets = await self.restore(assigned)
        if unread := assigned - offsets.keys():
            # Its state knows of no record; where this consumer stands may be behind some that it
            # fetched and dropped in a rebalance.
            offsets = {**await self.earliest_offsets(*unread), **offsets}
        self.expected = dict(offsets)
        self.sought_again, self.handed = set(), {}
        for tp, offset in offsets.items():
            await self.seek(tp, offset)
            self._committed_offset[tp] = offset


def transport_of(
    restore_partitions: Restore, fail: Fail, patience: float
) -> type[driver.Transport]:
    """The transport of an app.

    Args:
        restore_partitions: Takes its partitions over.
        fail: Called when the worker must not go on.
        patience: Seconds that taking over all partitions may take.
    """
    within, end = patience, fail

    class OurConsumer(BatchConsumer):
        patience = within

        async def restore(self, assigned: set[TP]) -> dict[TP, int]:
            return await restore_partitions(assigned)

        def fail(self, error: BaseException) -> None:
            end(error)

    class OurTransport(driver.Transport):
        Consumer = OurConsumer

    return OurTransport
