"""Publishing to Kafka, and through the spool: records a CPU-second of the publishing process.

    KAFKA_BOOTSTRAP_SERVERS=… python -m tests.benchmarks.publishing [--quick]

The brokers' own CPU is not counted. Without brokers only the spool is measured. The records are the
demo's traffic, keyed as the listener keys them. Targets: 300,000 records a CPU-second to Kafka in
batches of 20; the spool drained at 5 times the rate at which it fills.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from listeners.publishers.kafka import KafkaPublisher
from listeners.publishers.publisher import Outgoing
from listeners.publishers.spool import Spool
from listeners.publishers.spooling import DRAIN_BYTES
from listeners.telemetry import SpoolTelemetry
from schemas.brokers import Brokers
from schemas.topics import TOUCHPOINTS
from tests.benchmarks.load.measuring import machine, traffic
from tests.benchmarks.load.serving import at
from tests.integration import topics
from tests.unit.listeners.doors import Door

Publish = Callable[[Sequence[Outgoing]], Awaitable[None]]


def records(count: int) -> list[Outgoing]:
    """Touchpoints of the demo as they go to the topic."""
    door = Door()
    lines = list(traffic(count, count // 10))
    for start in range(0, count, 2_000):
        body = b"\n".join(lines[start : start + 2_000])
        asyncio.run(door.raw(body, key="shop"))
    return door.publisher.of(TOUCHPOINTS)


async def measured(
    what: str, publish: Publish, made: list[Outgoing], batch: int, lanes: int
) -> None:
    """Publish all in batches, so many at once, and print what it cost."""
    waits: list[float] = []
    starts = iter(range(0, len(made), batch))

    async def lane() -> None:
        for start in starts:
            began = time.perf_counter()
            await publish(made[start : start + batch])
            waits.append(time.perf_counter() - began)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(lanes)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(
        f"{what}, batches of {batch}, {lanes} at once: {len(made) / cpu:,.0f} records a CPU-second "
        f"({1e6 * cpu / len(made):.1f} us each), {len(made) / wall:,.0f}/s; confirmed after p50 "
        f"{at(0.5, waits):.1f} ms, p99 {at(0.99, waits):.1f} ms"
    )


async def kafka(servers: str, made: list[Outgoing], part: int) -> None:
    topics.make(servers)
    publisher = KafkaPublisher(Brokers(bootstrap_servers=servers), patience=timedelta(seconds=30))
    await publisher.publish(made[:100])  # connections
    await measured("Kafka", publisher.publish, made, 20, 64)
    await measured("Kafka", publisher.publish, made[: 30_000 // part], 1, 64)
    await measured("Kafka, as from the spool", publisher.publish, made, 5_000, 1)
    await publisher.stop()


async def spool(made: list[Outgoing]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one = Spool(
            Path(folder),
            bytes_max=2**32,
            age_max=timedelta(days=1),
            clock=lambda: datetime(2026, 11, 22, tzinfo=UTC),
            telemetry=SpoolTelemetry(CollectorRegistry()),
        )
        await one.start()
        await measured("into the spool, fsynced", one.publish, made, 20, 64)
        cpu, wall = time.process_time(), time.perf_counter()
        while (head := await one.head(DRAIN_BYTES)) is not None:
            await one.remove(head)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(
            f"out of the spool, Kafka apart: {len(made) / cpu:,.0f} records a CPU-second, "
            f"{len(made) / wall:,.0f}/s"
        )
        await one.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the work")
    part = 5 if parser.parse_args().quick else 1
    print(machine())
    made = records(200_000 // part)
    size = sum(len(one.value) for one in made) / len(made)
    print(f"{len(made):,} records of the demo's traffic, {size:.0f} bytes each")
    asyncio.run(spool(made))
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if servers is None:
        print("Kafka: not measured, KAFKA_BOOTSTRAP_SERVERS is not set")
    else:
        asyncio.run(kafka(servers, made, part))


if __name__ == "__main__":
    main()
