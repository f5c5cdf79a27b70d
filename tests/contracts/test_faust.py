"""What we replace in Faust is not public: these fail when an upgrade changes it.

Without a broker: a consumer is built and driven by hand.
"""

import inspect
from typing import Any, NamedTuple

import faust
import pytest
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer import fetcher, group_coordinator
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.runtimes.kafka.batches import AsFetched, BatchConsumer, transport_of
from pipeline.runtimes.kafka.membership import MemberThread

FIRST, SECOND = TP("customer-touchpoints", 0), TP("customer-touchpoints", 1)


class Record(NamedTuple):
    """The fields of aiokafka's record that Faust looks at."""

    topic: str
    partition: int
    offset: int
    key: bytes = b"k"
    value: bytes = b"v"
    timestamp: int = 0
    timestamp_type: int = 0
    headers: tuple[()] = ()
    checksum: int = 0
    serialized_key_size: int = 1
    serialized_value_size: int = 1


def records(tp: TP, *offsets: int) -> list[Record]:
    return [Record(tp.topic, tp.partition, offset) for offset in offsets]


@pytest.fixture
async def consumer(tmp_path):
    app = faust.App("contract", broker="kafka://127.0.0.1:1", autodiscover=False, datadir=tmp_path)
    restored: dict[TP, int] = {}

    async def restore(assigned: set[TP]) -> dict[TP, int]:
        return restored

    async def nothing(*_: Any) -> None:
        return

    made: Any = transport_of(restore, pytest.fail, 60.0)(
        app.conf.broker_consumer, app
    ).create_consumer(
        callback=nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing
    )
    made.restored = restored
    app.consumer = made
    made.flow_active = True
    made.highwater = lambda tp: 0
    yield made
    made._thread.thread_loop.close()  # its thread never started


async def batches(consumer: BatchConsumer, fetched: dict[TP, list[Record]]) -> list[Any]:
    async def next_records(_: float) -> Any:
        return fetched, set(fetched)

    consumer._wait_next_records = next_records  # type: ignore[method-assign]
    return [message async for _, message in consumer.getmany(1.0)]


def test_the_version_is_the_one_that_was_tried():
    assert faust.__version__ == "0.15.3"


def test_what_is_overridden_is_there():
    assert inspect.isasyncgenfunction(faust_consumer.Consumer.getmany)
    assert inspect.iscoroutinefunction(faust_consumer.Consumer.perform_seek)
    assert inspect.iscoroutinefunction(faust_consumer.Consumer._wait_next_records)
    assert list(inspect.signature(faust_consumer.Consumer.ack).parameters) == ["self", "message"]
    assert "self._new_consumer_thread()" in inspect.getsource(faust_consumer.ThreadDelegateConsumer)
    assert "self.Consumer(" in inspect.getsource(driver.Transport.create_consumer)


def test_the_client_divides_waits_and_gives_up_where_we_look():
    coordinator = inspect.getsource(group_coordinator.GroupCoordinator)
    client = inspect.getsource(AIOKafkaClient)

    assert "await self._coordinator._perform_assignment(response)" in inspect.getsource(
        group_coordinator.CoordinatorGroupRebalance
    )
    assert "assignor.assign(self._cluster, member_metadata)" in coordinator
    assert "idle_time >= self._max_poll_interval" in coordinator
    assert "self._pending_exception = exc" in coordinator
    assert "self._coordination_task = create_task(" in coordinator
    assert "self._fetch_task = create_task(" in inspect.getsource(fetcher.Fetcher)
    assert "self._sync_task = create_task(" in client


async def test_the_records_of_a_partition_are_one_message_with_the_offset_of_the_last(consumer):
    found = await batches(consumer, {FIRST: records(FIRST, 3, 4, 7), SECOND: records(SECOND, 1)})

    assert [(one.tp, one.offset, len(one.value)) for one in found] == [
        (FIRST, 7, 3),
        (SECOND, 1, 1),
    ]


async def test_nothing_is_handed_over_while_a_rebalance_goes_on(consumer):
    consumer.flow_active = False

    assert await batches(consumer, {FIRST: records(FIRST, 1)}) == []


async def test_acknowledging_a_batch_makes_its_last_offset_the_one_to_commit(consumer):
    (message,) = await batches(consumer, {FIRST: records(FIRST, 0, 1, 2)})
    consumer.track_message(message)
    consumer.app.topics.acks_enabled_for = lambda topic: True  # as an agent's subscription does

    assert consumer.ack(message)
    assert list(consumer._acked[FIRST]) == [2]


async def test_a_message_from_before_a_rebalance_is_not_acknowledged(consumer):
    (message,) = await batches(consumer, {FIRST: records(FIRST, 0)})
    consumer.track_message(message)
    consumer.app.consumer_generation_id += 1

    assert not consumer.ack(message)


async def test_nothing_is_acknowledged_once_a_batch_has_failed(consumer):
    (message,) = await batches(consumer, {FIRST: records(FIRST, 0)})
    consumer.track_message(message)
    consumer.broken = True

    assert not consumer.ack(message)


async def test_a_first_batch_that_overshot_is_fetched_again_once(consumer):
    sought: list[tuple[TP, int]] = []

    async def seek(tp: TP, offset: int) -> None:
        sought.append((tp, offset))

    consumer.seek = seek
    consumer.expected = {FIRST: 5}

    assert await batches(consumer, {FIRST: records(FIRST, 9)}) == []
    assert sought == [(FIRST, 5)]
    assert len(await batches(consumer, {FIRST: records(FIRST, 9)})) == 1
    assert sought == [(FIRST, 5)]


async def test_a_partition_begins_where_its_state_says_or_at_its_beginning(consumer):
    sought: list[tuple[TP, int]] = []

    async def seek(tp: TP, offset: int) -> None:
        sought.append((tp, offset))

    async def committed() -> dict[TP, int]:
        return {FIRST: 3, SECOND: 3}

    async def earliest(*partitions: TP) -> dict[TP, int]:
        return dict.fromkeys(partitions, 2)

    consumer.seek, consumer.seek_to_committed = seek, committed
    consumer.earliest_offsets = earliest
    consumer.assignment = lambda: {FIRST, SECOND}
    consumer.restored[FIRST] = 40

    await consumer.perform_seek()

    assert sorted(sought) == [(FIRST, 40), (SECOND, 2)]
    assert consumer._committed_offset[FIRST] == 40
    assert consumer._committed_offset[SECOND] == 2


async def test_a_partition_is_exhausted_where_the_next_fetch_begins_at_its_end(consumer):
    client = consumer._thread._create_worker_consumer(consumer.transport)
    client._closed = True  # it never connected
    consumer._thread._consumer = client
    told = []
    told.append(consumer.exhausted(FIRST, 0))
    client.assign([TopicPartition(*FIRST)])
    told.append(consumer.exhausted(FIRST, 0))
    state = client._subscription.subscription.assignment.state_value(TopicPartition(*FIRST))
    state.seek(3)
    told.append(consumer.exhausted(FIRST, 3))
    state.highwater = 5
    told.append(consumer.exhausted(FIRST, 3))
    await batches(consumer, {FIRST: records(FIRST, 3)})
    state.consumed_to(5)  # the last is a transaction's marker
    told += [consumer.exhausted(FIRST, 3), consumer.exhausted(FIRST, 4)]

    assert told == [False, False, False, False, False, True]
    assert not consumer.exhausted(SECOND, 0)


async def test_only_what_was_committed_is_read(consumer):
    thread = consumer._thread

    made = thread._create_worker_consumer(consumer.transport)

    assert isinstance(thread, MemberThread)
    assert made._isolation_level == "read_committed"
    made._closed = True  # it never connected


async def test_key_and_value_are_handed_on_as_they_were_fetched():
    schema = AsFetched()

    class Message(NamedTuple):
        key: Any
        value: Any

    assert schema.loads_value(None, Message(None, [1, 2])) == [1, 2]
    assert schema.loads_key(None, Message(b"k", None)) == b"k"
