"""Workers' group on a real broker: who divides the partitions by what, and who comes back to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from pipeline.runtimes.kafka import app
from pipeline.runtimes.kafka.worker import Ownership
from pipeline.settings import WorkerSettings
from pipeline.telemetry import PipelineTelemetry
from pipeline.topology import STAGES
from schemas.brokers import Brokers
from schemas.topics import CUSTOMER_TOUCHPOINTS, LINKS
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh
from tests.builders import NO_MISSIONS
from tests.unit.runtimes.counting import Clock

WITHIN = 40.0
READ = {topic for stage in STAGES for topic in stage.reads}
LONG_AGO = timedelta(days=400).total_seconds()


class Member:
    """A worker that runs in this process.

    Attributes:
        failures: What would have ended it.
    """

    def __init__(self, brokers: Brokers) -> None:
        settings = WorkerSettings().model_copy(update={"session_timeout": timedelta(seconds=8)})
        self.failures: list[BaseException] = []
        self.ownership = Ownership(
            brokers,
            NO_MISSIONS,
            settings,
            PipelineTelemetry(CollectorRegistry()),
            clock=Clock(),
        )
        self.app: Any = app.create(
            brokers, settings, self.ownership, clock=Clock(), fail=self.failures.append
        )

    @property
    def client(self) -> Any:
        """aiokafka's consumer."""
        return self.app.consumer._thread._consumer

    @property
    def owned(self) -> int:
        return len(self.ownership.owned)


@asynccontextmanager
async def running(*members: Member) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for one in members:
            await stack.enter_async_context(app.running(one.app, one.ownership))
        yield


async def until(done: Callable[[], Any]) -> None:
    async with asyncio.timeout(WITHIN):
        while not done():  # noqa: ASYNC110 - another thread's doing
            await asyncio.sleep(0.1)


@pytest.fixture
def brokers(kafka: Broker) -> Brokers:
    return fresh(kafka, partitions=1)


def forgetful(member: Member, topics: Iterable[str], answers: int) -> None:
    """Let so many answers of the brokers not name these topics, as one does that has just begun."""
    cluster = member.client._client.cluster
    update, left = cluster.update_metadata, [answers]

    def told(metadata: Any) -> None:
        if left[0]:
            left[0] -= 1
            metadata.topics = [one for one in metadata.topics if one[1] not in topics]
        update(metadata)

    cluster.update_metadata = told


@pytest.mark.parametrize("hidden", [READ, {LINKS}, {CUSTOMER_TOUCHPOINTS}], ids=len)
async def test_who_divides_the_partitions_waits_for_topics_that_a_broker_does_not_name_yet(
    brokers, monkeypatch, hidden
):
    member = Member(brokers)
    subscribe = member.app.consumer.subscribe

    async def forgetting(topics: Any) -> None:
        forgetful(member, hidden, 3)
        await subscribe(topics)

    monkeypatch.setattr(member.app.consumer, "subscribe", forgetting)
    async with running(member):
        await until(lambda: member.owned or member.failures)

        assert member.failures == []
        assert member.owned == len(STAGES)


async def test_a_worker_too_many_takes_over_however_long_it_had_nothing_to_do(brokers):
    first, second = Member(brokers), Member(brokers)
    async with AsyncExitStack() as stack:
        ends = {one: await stack.enter_async_context(AsyncExitStack()) for one in (first, second)}
        for one, end in ends.items():
            await end.enter_async_context(running(one))
        await until(lambda: one_of_them_works(first, second))
        busy, idle = (first, second) if first.owned else (second, first)
        idle.client._subscription._last_fetch_ended -= LONG_AGO
        await ends[busy].aclose()
        await until(lambda: idle.owned == len(STAGES))

        assert idle.failures == []


def one_of_them_works(*members: Member) -> bool:
    settled = all(one.client is not None and not one.app.rebalancing for one in members)
    joined = settled and all(one.client._coordinator.generation > 0 for one in members)
    return joined and sorted(one.owned for one in members) == [0, len(STAGES)]
