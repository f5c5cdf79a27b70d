"""A worker on new topics by itself, which most partitions never get anything on."""

import asyncio
from datetime import timedelta

from prometheus_client import CollectorRegistry

from schemas import codec
from schemas.records import Session
from schemas.topics import SESSIONS
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh
from tests.contracts.kafka_bench import KafkaRuntime
from tests.unit.runtimes.counting import GAP, NOON, Clock, touchpoint


async def test_a_session_closes_by_the_wall_clock_though_other_partitions_never_got_anything(
    kafka: Broker,
) -> None:
    clock = Clock()
    async with KafkaRuntime(fresh(kafka, partitions=3), clock, CollectorRegistry()) as runtime:
        await runtime.publish([touchpoint(0)])
        clock.now = NOON + GAP + timedelta(minutes=1)  # only the worker looks at it

        said: list[str] = []
        async with asyncio.timeout(30):
            while "closed" not in said:
                await asyncio.sleep(0.2)
                said = await states(runtime)

        assert said == ["open", "closed"]


async def states(runtime: KafkaRuntime) -> list[str]:
    assert runtime.failure is None, runtime.failure
    records = await asyncio.to_thread(runtime.read, SESSIONS, 0, 10)
    return [codec.decode(one.value, Session).state for one in records]
