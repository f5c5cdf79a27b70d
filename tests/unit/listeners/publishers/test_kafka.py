import asyncio
import time
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from confluent_kafka import KafkaError

from listeners.errors import KafkaRefused, RecordsRefused, Unavailable
from listeners.publishers import kafka
from listeners.publishers.kafka import KafkaPublisher
from listeners.publishers.publisher import Outgoing
from schemas.brokers import Brokers
from schemas.topics import DEAD_LETTERS, TOUCHPOINTS
from tests.unit.listeners.publishers.brokers import FakeBrokers

BROKERS = Brokers(bootstrap_servers="kafka-1:9092")
LONG = timedelta(seconds=30)


def records(*values: str) -> list[Outgoing]:
    return [Outgoing(TOUCHPOINTS, "anonymous_id:a", value.encode()) for value in values]


@asynccontextmanager
async def publishing(patience=LONG, **options):
    brokers = FakeBrokers(**options)
    publisher = KafkaPublisher(BROKERS, connect=brokers, patience=patience)
    yield publisher, brokers
    for producer in brokers.producers:
        producer.confirm()
    await publisher.stop()


async def handed(publisher, *values):
    """A publication under way: handed to the producer, not confirmed."""
    task = asyncio.create_task(publisher.publish(records(*values)))
    await asyncio.sleep(0)
    return task


async def test_nothing_is_published_before_every_record_is_confirmed():
    async with publishing() as (publisher, brokers):
        task = await handed(publisher, "1", "2", "3")
        brokers.now.confirm(2)
        await asyncio.sleep(0.05)
        early = task.done()
        brokers.now.confirm()
        await task

        assert not early
        assert brokers.now.confirmed == [b"1", b"2", b"3"]


async def test_records_wait_for_all_replicas_and_go_to_the_partition_of_other_clients():
    async with publishing() as (publisher, brokers):
        await handed(publisher, "1")

        settings = brokers.now.settings
        wanted = {
            "bootstrap.servers": "kafka-1:9092",
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "message.timeout.ms": 0,
        }
        assert {name: settings[name] for name in wanted} == wanted


async def test_without_an_answer_in_time_everything_under_way_is_given_up_at_once_and_in_order():
    async with publishing(patience=timedelta(seconds=0.2)) as (publisher, brokers):
        ended = []
        tasks = []
        for one in ("1", "2", "3"):
            tasks.append(await handed(publisher, one))
            tasks[-1].add_done_callback(lambda _, one=one: ended.append(one))
        first = brokers.now

        with pytest.raises(Unavailable, match="did not confirm in time") as refused:
            await tasks[0]
        await asyncio.wait(tasks)

        assert refused.value.retry_after > timedelta(0)
        assert ended == ["1", "2", "3"]
        assert all(isinstance(one.exception(), Unavailable) for one in tasks)
        assert first.purged


async def test_after_a_link_was_given_up_the_next_publication_makes_another():
    async with publishing(patience=timedelta(seconds=0.1)) as (publisher, brokers):
        with pytest.raises(Unavailable):
            await publisher.publish(records("lost"))
        task = await handed(publisher, "found")
        brokers.now.confirm()
        await task

        assert [one.confirmed for one in brokers.producers] == [[], [b"found"]]


async def test_one_publication_may_be_given_more_time_than_others():
    async with publishing(patience=timedelta(seconds=0.1)) as (publisher, brokers):
        task = asyncio.create_task(publisher.publish(records("1"), patience=LONG))
        await asyncio.sleep(0.4)
        brokers.now.confirm()
        await task

        assert len(brokers.producers) == 1


async def test_a_report_that_comes_after_the_link_was_given_up_changes_nothing(caplog):
    async with publishing() as (publisher, brokers):
        late = await handed(publisher, "1")
        brokers.now.say(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")
        brokers.now.confirm()
        time.sleep(0.2)  # noqa: ASYNC251 - both reach the loop at once, in this order
        await asyncio.wait([late])
        task = await handed(publisher, "2")
        brokers.now.confirm()
        await task

        assert isinstance(late.exception(), Unavailable)
        assert caplog.records == []


async def test_all_brokers_gone_is_not_waited_for():
    async with publishing() as (publisher, brokers):
        task = await handed(publisher, "1")
        brokers.now.say(KafkaError._TRANSPORT, "connection refused")
        brokers.now.say(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")

        with pytest.raises(Unavailable, match="connection refused"):
            await asyncio.wait_for(task, 10)


async def test_an_idle_connection_that_is_closed_costs_nothing():
    async with publishing() as (publisher, brokers):
        await publisher.check()
        brokers.now.say(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")
        await asyncio.sleep(0.1)
        task = await handed(publisher, "1")
        brokers.now.confirm()
        await task

        assert len(brokers.producers) == 1


async def test_a_producer_that_is_of_no_use_any_more_is_replaced():
    async with publishing() as (publisher, brokers):
        await publisher.check()
        brokers.now.say(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "fenced", fatal=True)
        await asyncio.sleep(0.1)
        task = await handed(publisher, "1")
        brokers.now.confirm()
        await task

        assert [one.purged for one in brokers.producers] == [True, False]


async def test_a_producer_that_dies_while_somebody_waits_says_why_and_is_replaced():
    async with publishing() as (publisher, brokers):
        task = await handed(publisher, "1")
        brokers.now.die(KafkaError.CLUSTER_AUTHORIZATION_FAILED)
        with pytest.raises(Unavailable, match="Write and Describe"):
            await asyncio.wait_for(task, 10)
        task = await handed(publisher, "2")
        brokers.now.confirm()
        await task

        assert [one.confirmed for one in brokers.producers] == [[], [b"2"]]


async def test_a_record_that_fails_takes_back_what_came_after_it():
    async with publishing() as (publisher, brokers):
        first, second = await handed(publisher, "1"), await handed(publisher, "2")
        brokers.now.fail(KafkaError.TOPIC_AUTHORIZATION_FAILED)

        with pytest.raises(Unavailable, match="Write and Describe"):
            await first
        with pytest.raises(Unavailable):
            await second
        assert brokers.producers[0].purged


async def test_a_record_too_large_for_its_topic_is_named_and_its_neighbours_are_kept():
    async with publishing() as (publisher, brokers):
        task = await handed(publisher, "1", "large", "3")
        brokers.now.confirm(1)
        brokers.now.fail(KafkaError.MSG_SIZE_TOO_LARGE)
        brokers.now.confirm()
        other = await handed(publisher, "4")
        brokers.now.confirm()

        with pytest.raises(RecordsRefused, match=r"max\.message\.bytes") as refused:
            await task
        await other
        assert refused.value.positions == (1,)
        assert brokers.now.confirmed == [b"1", b"3", b"4"]


async def test_a_record_larger_than_any_is_not_sent_and_its_neighbours_are():
    async with publishing() as (publisher, brokers):
        large = Outgoing(TOUCHPOINTS, "anonymous_id:a", b"x" * kafka.RECORD_BYTES_MAX)
        task = asyncio.create_task(publisher.publish([*records("1"), large, *records("3")]))
        await asyncio.sleep(0)
        brokers.now.confirm()

        with pytest.raises(RecordsRefused) as refused:
            await task
        assert refused.value.positions == (1,)
        assert brokers.now.confirmed == [b"1", b"3"]


async def test_beyond_the_queue_a_publication_is_refused_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr(kafka, "QUEUED_RECORDS_MAX", 3)
    async with publishing() as (publisher, brokers):
        first = await handed(publisher, "1", "2")

        with pytest.raises(Unavailable, match="full"):
            await publisher.publish(records("3", "4"))
        brokers.now.confirm()
        await first
        again = await handed(publisher, "3", "4")
        brokers.now.confirm()
        await again

        assert brokers.now.confirmed == [b"1", b"2", b"3", b"4"]


async def test_a_caller_who_leaves_takes_nothing_with_him():
    async with publishing() as (publisher, brokers):
        gone, stays = await handed(publisher, "1"), await handed(publisher, "2")
        gone.cancel()
        await asyncio.wait([gone])
        brokers.now.confirm()
        await stays

        assert brokers.now.confirmed == [b"1", b"2"]


async def test_a_stop_waits_for_what_is_on_its_way():
    async with publishing() as (publisher, brokers):
        task = await handed(publisher, "1")
        stopping = asyncio.create_task(publisher.stop())
        await asyncio.sleep(0.05)
        brokers.now.confirm()
        await asyncio.gather(stopping, task)

        assert brokers.now.closed


async def test_it_is_ready_while_the_brokers_answer():
    async with publishing() as (publisher, brokers):
        await publisher.ready()
        brokers.now.away = True
        brokers.now.say(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")

        with pytest.raises(Unavailable):
            await publisher.ready()


async def test_brokers_that_are_away_may_come_back():
    async with publishing(away=True, says=[KafkaError._ALL_BROKERS_DOWN]) as (publisher, _):
        with pytest.raises(Unavailable):
            await asyncio.wait_for(publisher.check(), 10)


@pytest.mark.parametrize(
    ("code", "said"), [(KafkaError._AUTHENTICATION, "sasl_username"), (KafkaError._SSL, "ssl_ca")]
)
async def test_brokers_that_will_not_have_us_need_a_person(code, said):
    async with publishing(away=True, says=[code]) as (publisher, _):
        with pytest.raises(KafkaRefused, match=said):
            await asyncio.wait_for(publisher.check(), 10)


async def test_a_missing_topic_is_named():
    async with publishing() as (publisher, brokers):
        await publisher.check()
        del brokers.now.topics[DEAD_LETTERS]

        with pytest.raises(KafkaRefused, match=f"found no {DEAD_LETTERS}"):
            await publisher.check()
