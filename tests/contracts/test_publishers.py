"""What every publisher promises, whatever it writes to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from listeners.errors import Unavailable
from listeners.listener import Delivery, Listener
from listeners.publishers.memory import MemoryPublisher
from listeners.publishers.publisher import KnowsReadiness, Outgoing, Publisher
from pipeline.runtimes.embedded.driver import EmbeddedRuntime
from pipeline.telemetry import PipelineTelemetry
from schemas.topics import TOUCHPOINTS
from tests.unit.listeners.doors import NOON, Door, page_view, written
from tests.unit.runtimes.counting import CODECS, Clock, CountingEngine, touchpoint

Shut = Callable[[], Awaitable[None]]
Kept = Callable[[], list[Outgoing]]


class Harness:
    """A publisher, how to see what it kept, and how to stop it."""

    def __init__(self, publisher: Publisher, kept: Kept, shut: Shut) -> None:
        self.publisher, self.kept, self.shut = publisher, kept, shut


@asynccontextmanager
async def memory(_: Path) -> AsyncIterator[Harness]:
    publisher = MemoryPublisher()

    async def shut() -> None:
        publisher.down = True

    yield Harness(publisher, lambda: publisher.of(TOUCHPOINTS), shut)


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Harness]:
    runtime = EmbeddedRuntime(
        folder / "data",
        CountingEngine,
        CODECS,
        clock=Clock(),
        unavailable=lambda pause, reason: Unavailable(retry_after=pause, reason=reason),
        telemetry=PipelineTelemetry(CollectorRegistry()),
    )

    def kept() -> list[Outgoing]:
        found = runtime.read(TOUCHPOINTS, 0, 1_000)
        return [Outgoing(TOUCHPOINTS, one.key, one.value) for one in found]

    async with runtime:
        yield Harness(runtime, kept, runtime.stop)


@pytest.fixture(params=[memory, embedded], ids=["memory", "embedded"])
async def harness(request, tmp_path):
    async with request.param(tmp_path) as one:
        yield one


def records(*numbers: int) -> list[Outgoing]:
    return [Outgoing(*touchpoint(number)) for number in numbers]


async def test_what_was_published_is_kept_in_order(harness):
    await harness.publisher.publish(records(1, 2, 3))
    await harness.publisher.publish(records(4))

    assert harness.kept() == records(1, 2, 3, 4)


async def test_publishing_nothing_is_no_mistake(harness):
    await harness.publisher.publish([])

    assert harness.kept() == []


async def test_publications_at_once_keep_each_its_order(harness):
    parts = [records(*range(start, start + 5)) for start in range(0, 50, 5)]

    await asyncio.gather(*(harness.publisher.publish(part) for part in parts))

    kept = harness.kept()
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

    assert receipt.accepted == len(harness.kept()) == 1
