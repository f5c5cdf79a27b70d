"""The topics: made, filled once, watched while an engine works, removed afterwards."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from kafka.admin import KafkaAdminClient

from tests.benchmarks.engines.jobs import PARTITIONS
from tests.benchmarks.engines.traffic import records, tick

PREFIX: Final = "bench-engines"
_KEPT: Final = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
"""The touchpoints are of the past; a broker that looks at their time would remove them at once."""


class Topics:
    """One broker's topics of this benchmark."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.servers = bootstrap_servers
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers.split(","))
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 50,
                "batch.size": 262_144,
                "queue.buffering.max.messages": 200_000,
            }
        )
        self._ticks = 0

    def make(self, name: str, configs: Mapping[str, str] = _KEPT) -> None:
        self._admin.create_topics(
            {name: {"num_partitions": PARTITIONS, "replication_factor": 1, "configs": configs}},
            wait_for_metadata=True,
        )

    def remove(self, part: str) -> None:
        """Remove every topic of this benchmark whose name contains `part`."""
        names = [one for one in self._admin.list_topics() if part in one and PREFIX in one]
        if names:
            self._admin.delete_topics(names)

    def filled(self, touchpoints: Sequence[tuple[int, str]]) -> tuple[str, int]:
        """The input topic with these touchpoints, filled unless it is already; name and bytes."""
        name = f"{PREFIX}-input-{len(touchpoints)}"
        if name in self._admin.list_topics():
            if self._size(name) >= len(touchpoints):
                return name, 0
            self._admin.delete_topics([name])
        self.make(name)
        size = 0
        for key, at, value in records(touchpoints):
            self._send(name, key, at, value)
            size += len(value)
        self._flush()
        return name, size

    def tick(self, name: str, last_ms: int) -> None:
        """Let every partition know that hours have passed."""
        self._ticks += 1
        for partition in range(PARTITIONS):
            key, at, value = tick(partition, self._ticks, last_ms)
            self._send(name, key, at, value, partition)
        self._flush()

    def _send(
        self, name: str, key: str, at: int, value: bytes, partition: int | None = None
    ) -> None:
        chosen = {} if partition is None else {"partition": partition}
        while True:
            try:
                self._producer.produce(name, value, key, timestamp=at, **chosen)
            except BufferError:
                self._producer.poll(0.1)
            else:
                break
        self._producer.poll(0)

    def _flush(self) -> None:
        if left := self._producer.flush(60):
            message = f"expected the broker to take all records; found {left} still waiting"
            raise RuntimeError(message)

    def _size(self, name: str) -> int:
        with self.reader(name) as reader:
            ends = [
                reader.get_watermark_offsets(TopicPartition(name, one))[1]
                for one in range(PARTITIONS)
            ]
        return sum(ends)

    @contextlib.contextmanager
    def reader(self, name: str) -> Iterator[Consumer]:
        """A consumer of a whole topic, of what was committed only."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": f"{PREFIX}-reader",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            }
        )
        consumer.assign([TopicPartition(name, one, 0) for one in range(PARTITIONS)])
        try:
            yield consumer
        finally:
            consumer.close()

    def close(self) -> None:
        self._admin.close()


def values(consumer: Consumer, timeout: float) -> list[bytes]:
    """What arrived within the time."""
    found = []
    for record in consumer.consume(10_000, timeout):
        error = record.error()
        if error is None:
            found.append(record.value())
        elif error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
    return found
