"""The Kafka runtime as the contract suite drives it: the listeners' publisher, one worker.

The contract suite has one partition a topic, so that the order of what was published is the order
on every topic.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, TopicPartition
from prometheus_client import CollectorRegistry

from listeners import errors
from listeners.publishers.kafka import KafkaPublisher
from listeners.publishers.publisher import Outgoing
from pipeline.runtimes.kafka import app
from pipeline.runtimes.kafka.batch import TIME_KEY
from pipeline.runtimes.kafka.worker import Ownership
from pipeline.runtimes.runtime import LogRecord
from pipeline.settings import WorkerSettings
from pipeline.stitching.rules import Rules
from pipeline.telemetry import PipelineTelemetry
from pipeline.topology import Stage
from schemas.brokers import Brokers
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh
from tests.builders import NO_MISSIONS
from tests.unit.runtimes.counting import Clock, Unavailable
from tests.unit.runtimes.stages import COUNTING


class KafkaRuntime:
    """A worker in this process, and the publisher of the listeners before it."""

    def __init__(
        self,
        brokers: Brokers,
        clock: Clock,
        registry: CollectorRegistry,
        rules: Rules = NO_MISSIONS,
        stages: Sequence[Stage] = COUNTING,
    ) -> None:
        self._brokers, self._stages = brokers, stages
        self._partitions = brokers.partitions or 1
        self._clock = clock
        self._settings = WorkerSettings.model_validate({"session_timeout": "10s"})
        self._publisher = KafkaPublisher(self._brokers)
        self._ownership = Ownership(
            self._brokers,
            msgspec.structs.replace(rules, idle=timedelta(0), out_of_order=timedelta(0)),
            self._settings,
            PipelineTelemetry(registry),
            clock=clock,
            stages=stages,
        )
        self._stack = AsyncExitStack()
        self._stopped = False
        self.failure: BaseException | None = None

    async def start(self) -> None:
        made = app.create(
            self._brokers, self._settings, self._ownership, clock=self._clock, fail=self._fail
        )
        await self._stack.enter_async_context(app.running(made, self._ownership))
        wanted = len(self._stages) * self._partitions
        await self._until(lambda: len(self._ownership.owned) == wanted)

    async def stop(self) -> None:
        self._stopped = True
        await self._publisher.stop()
        await self._stack.aclose()

    async def __aenter__(self) -> "KafkaRuntime":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self._stopped:
            await self.stop()

    async def publish(self, records: Sequence[tuple[str, str, bytes]]) -> None:
        try:
            await self._publisher.publish([Outgoing(*one) for one in records])
        except errors.Unavailable as error:
            raise Unavailable(error.retry_after, error.reason) from error

    async def advance(self, now: datetime) -> None:
        """Wait until all is taken in by every stage, then tell each the time."""
        await self._all_taken_in()
        self._clock.now = now
        for one in self._ownership.owned:
            await self._ownership.tell_time(one, now)
        await self._all_taken_in()  # they have told each other

    async def _all_taken_in(self) -> None:
        still = 0
        async with asyncio.timeout(60):
            while still < 3:  # what one partition sends another may yet be on its way
                still = still + 1 if await asyncio.to_thread(self._caught_up) else 0
                assert self.failure is None, self.failure
                await asyncio.sleep(0.1)

    def _caught_up(self) -> bool:
        """Whether no record is left to read behind what each partition has taken in.

        Ends are no help: behind the last record may stand the markers of several transactions.
        """
        places = [
            TopicPartition(topic, one.number, one.partition.offsets.get(topic, 0))
            for one in self._ownership.owned
            for topic in one.stage.reads
        ]
        reader = self._reader()
        try:
            reader.assign(places)
            ended = 0
            while ended < len(places):
                for record in reader.consume(len(places), 0.1):
                    if record.error() is None:
                        return False
                    assert record.error().code() == KafkaError._PARTITION_EOF
                    ended += 1
            return True
        finally:
            reader.close()

    async def ready(self) -> None:
        await self._publisher.ready()

    def readiness(self) -> tuple[bool, str]:
        return (False, "stopping") if self._stopped else (True, "")

    def read(self, topic: str, from_offset: int, limit: int) -> list[LogRecord]:
        reader = self._reader()
        try:
            reader.assign([TopicPartition(topic, n, from_offset) for n in range(self._partitions)])
            found: list[LogRecord] = []
            ended = 0
            while len(found) < limit and ended < self._partitions:
                for record in reader.consume(limit - len(found), 0.2):
                    if record.error() is None:
                        if record.key() != TIME_KEY:  # what partitions tell each other of time
                            found.append(_as_log_record(record))
                    else:
                        assert record.error().code() == KafkaError._PARTITION_EOF
                        ended += 1
            return found
        finally:
            reader.close()

    def latest_offset(self, topic: str) -> int:
        """Of the newest record: behind it may stand the marker of a transaction."""
        found = self.read(topic, 0, 1_000_000)
        return found[-1].offset if found else -1

    async def _until(self, true: Any) -> None:
        async with asyncio.timeout(60):
            while not true():
                assert self.failure is None, self.failure
                await asyncio.sleep(0.02)

    def _fail(self, error: BaseException) -> None:
        self.failure = error

    def _reader(self) -> Consumer:
        return Consumer(
            {
                **self._brokers.librdkafka(),
                "group.id": "contract-reader",
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
            }
        )


def _as_log_record(record: Any) -> LogRecord:
    at = datetime.fromtimestamp(record.timestamp()[1] / 1_000, UTC)
    return LogRecord(record.topic(), record.offset(), record.key().decode(), record.value(), at)


class KafkaBench:
    """Builds Kafka runtimes on topics of their own."""

    def __init__(self, broker: Broker) -> None:
        self._brokers = fresh(broker, partitions=1)
        self.clock = Clock()
        self.registry = CollectorRegistry()
        self.running: KafkaRuntime | None = None

    def runtime(self) -> KafkaRuntime:
        self.registry = CollectorRegistry()
        self.running = KafkaRuntime(self._brokers, self.clock, self.registry)
        return self.running

    def counted(self, metric: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"touchpoints_{metric}", labels) or 0.0

    @property
    def engine(self) -> Any:
        """What the counting engine would have counted."""
        assert self.running is not None
        newest = self.running.read("customer-touchpoints", 0, 100_000)
        return SimpleNamespace(total=len(newest))
