"""The floor: reading and decoding only, by the two clients that are fast enough to matter.

No engine in Python can be faster than its client.
"""

import asyncio
from importlib.metadata import version

from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer

from schemas.codec import decode_touchpoint
from tests.benchmarks.engines.here import python
from tests.benchmarks.engines.jobs import TICK, Engine, Job, Progress, job_of

BATCH = 5_000


def confluent(job: Job, progress: Progress) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": job.bootstrap_servers,
            "group.id": job.application,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([job.input])
    tick = TICK.encode()
    while True:
        records = consumer.consume(BATCH, 1.0)
        for record in records:
            decode_touchpoint(record.value())
        progress.saw(sum(not record.key().startswith(tick) for record in records))


async def aio(job: Job, progress: Progress) -> None:
    consumer = AIOKafkaConsumer(
        job.input,
        bootstrap_servers=job.bootstrap_servers,
        group_id=job.application,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 2**20,
    )
    await consumer.start()
    tick = TICK.encode()
    while True:
        for records in (await consumer.getmany(timeout_ms=1_000, max_records=BATCH)).values():
            for record in records:
                decode_touchpoint(record.value)
            progress.saw(sum(not record.key.startswith(tick) for record in records))


ENGINES = tuple(
    Engine(
        name="floor",
        variant=package,
        about=f"reading and decoding only, {package}",
        versions=lambda package=package: f"{package} {version(package)}",
        command=lambda job: python("tests.benchmarks.engines.floor", job),
        publishes=False,
    )
    for package in ("confluent-kafka", "aiokafka")
)


def main() -> None:
    job = job_of()
    progress = Progress(job.count)
    if job.variant == "aiokafka":
        asyncio.run(aio(job, progress))
    else:
        confluent(job, progress)


if __name__ == "__main__":
    main()
