"""What every publisher promises, whatever it writes to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from confluent_kafka import Producer
from prometheus_client import CollectorRegistry

from listeners.errors import Unavailable
from listeners.listener import Delivery, Listener
from listeners.publishers.kafka import KafkaPublisher
from listeners.publishers.memory import MemoryPublisher
from listeners.publishers.publisher import KnowsReadiness, Outgoing, Publisher
from listeners.publishers.spooling import SpoolingPublisher
from pipeline.runtimes.embedded.driver import EmbeddedRuntime
from pipeline.telemetry import PipelineTelemetry
from schemas.brokers import Brokers
from schemas.topics import TOUCHPOINTS
from tests.integration import topics
from tests.unit.listeners.doors import NOON, Door, page_view, written
from tests.unit.listeners.publishers.brokers import FakeKafka
from tests.unit.listeners.publishers.spools import Bench, contents
from tests.unit.runtimes.counting import CODECS, Clock, CountingEngine, touchpoint

Shut = Callable[[], Awaitable[None]]
Kept = Callable[[], Awaitable[list[Outgoing]]]


class Harness:
    """A publisher, how to see what it kept, and how to stop it."""

    def __init__(self, publisher: Publisher, kept: Kept, shut: Shut) -> None:
        self.publisher, self.kept, self.shut = publisher, kept, shut


@asynccontextmanager
async def memory(*_: object) -> AsyncIterator[Harness]:
    publisher = MemoryPublisher()

    async def kept() -> list[Outgoing]:
        return publisher.of(TOUCHPOINTS)

    async def shut() -> None:
        publisher.down = True

    yield Harness(publisher, kept, shut)


@asynccontextmanager
async def embedded(folder: Path, _: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    runtime = EmbeddedRuntime(
        folder / "data",
        CountingEngine,
        CODECS,
        clock=Clock(),
        unavailable=lambda pause, reason: Unavailable(retry_after=pause, reason=reason),
        telemetry=PipelineTelemetry(CollectorRegistry()),
    )

    async def kept() -> list[Outgoing]:
        found = runtime.read(TOUCHPOINTS, 0, 1_000)
        return [Outgoing(TOUCHPOINTS, one.key, one.value) for one in found]

    async with runtime:
        yield Harness(runtime, kept, runtime.stop)


@asynccontextmanager
async def spool(folder: Path, _: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    bench = Bench(folder)
    one = bench.spool(age_max=timedelta(hours=1))
    await one.start()

    async def shut() -> None:
        if one.empty:
            await one.publish(records(0))
        bench.now += timedelta(hours=2)

    yield Harness(one, lambda: contents(one), shut)
    await one.stop()


@asynccontextmanager
async def spooling(folder: Path, _: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    """Kafka confirms, and then, once shut, neither it nor the spool takes anything."""
    kafka, bench = FakeKafka(), Bench(folder)
    one = bench.spool(age_max=timedelta(hours=1))

    async def kept() -> list[Outgoing]:
        return kafka.confirmed

    async with SpoolingPublisher(kafka, one, bench.telemetry) as publisher:

        async def shut() -> None:
            kafka.away = True
            await publisher.publish(records(0))
            bench.now += timedelta(hours=2)

        yield Harness(publisher, kept, shut)


@asynccontextmanager
async def spooling_away(folder: Path, _: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    """Kafka is away from the beginning: all that is published is in the spool."""
    kafka, bench = FakeKafka(), Bench(folder)
    kafka.away = True
    one = bench.spool(age_max=timedelta(hours=1))
    async with SpoolingPublisher(kafka, one, bench.telemetry) as publisher:

        async def shut() -> None:
            await publisher.publish(records(0))
            bench.now += timedelta(hours=2)

        yield Harness(publisher, lambda: contents(one), shut)


@asynccontextmanager
async def kafka(_: Path, request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    """A real broker; once shut, the publisher looks for it where nobody listens."""
    servers = topics.broker(request).bootstrap_servers
    topics.make(servers)
    topic = topics.Topic(servers)
    nowhere = {"bootstrap.servers": "127.0.0.1:1"}
    overriding: dict[str, str] = {}
    publisher = KafkaPublisher(
        Brokers(bootstrap_servers=servers),
        patience=timedelta(seconds=20),
        connect=lambda settings: Producer(settings | overriding),
    )

    async def kept() -> list[Outgoing]:
        return await asyncio.to_thread(topic.records)

    async def shut() -> None:
        overriding.update(nowhere)
        await publisher.stop()

    yield Harness(publisher, kept, shut)
    await publisher.stop()
    topic.close()


@pytest.fixture(
    params=[
        memory,
        embedded,
        spool,
        spooling,
        spooling_away,
        pytest.param(kafka, marks=pytest.mark.integration),
    ],
    ids=lambda one: one.__name__,
)
async def harness(request, tmp_path):
    async with request.param(tmp_path, request) as one:
        yield one


def records(*numbers: int) -> list[Outgoing]:
    return [Outgoing(*touchpoint(number)) for number in numbers]


async def test_what_was_published_is_kept_in_order(harness):
    await harness.publisher.publish(records(1, 2, 3))
    await harness.publisher.publish(records(4))

    assert await harness.kept() == records(1, 2, 3, 4)


async def test_publishing_nothing_is_no_mistake(harness):
    await harness.publisher.publish([])

    assert await harness.kept() == []


async def test_publications_at_once_keep_each_its_order(harness):
    parts = [records(*range(start, start + 5)) for start in range(0, 50, 5)]

    await asyncio.gather(*(harness.publisher.publish(part) for part in parts))

    kept = await harness.kept()
    assert len(kept) == 50
    assert all([one for one in kept if one in part] == part for part in parts)


async def test_one_that_cannot_deliver_says_when_to_come_again(harness):
    await harness.shut()

    with pytest.raises(Unavailable) as caught:
        await harness.publisher.publish(records(1))

    assert caught.value.retry_after > timedelta(0)


async def test_one_that_knows_says_whether_it_is_ready(harness):
    assert isinstance(harness.publisher, KnowsReadiness)

    await harness.publisher.ready()
    await harness.shut()

    with pytest.raises(Unavailable):
        await harness.publisher.ready()


async def test_a_listener_acknowledges_what_is_kept(harness):
    door = Door()
    listener = Listener(
        door.settings, harness.publisher, door.telemetry, clock=lambda: NOON, new_id=str
    )

    receipt = await listener.receive(written(page_view()), Delivery())

    assert receipt.accepted == len(await harness.kept()) == 1
