"""The topics of a real broker, as a test of publishing needs them: there, and read from now on."""

import os
import time
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from listeners.publishers.publisher import Outgoing
from schemas.topics import DEAD_LETTERS, TOUCHPOINTS
from tests.integration.serving import SOON

BYTES_MAX = 1_200_000
"""`max.message.bytes` of the topics: the largest record a listener makes, and some room."""

PARTITIONS = 4


def broker(request: pytest.FixtureRequest, fixture: str = "kafka") -> Any:
    """The broker of a fixture; without such a fixture, the one of the environment."""
    try:
        return request.getfixturevalue(fixture)
    except pytest.FixtureLookupError:
        servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if fixture != "kafka" or not servers:
            pytest.skip("no broker: KAFKA_BOOTSTRAP_SERVERS is not set")
        return SimpleNamespace(bootstrap_servers=servers)


def make(servers: str, topics: tuple[str, ...] = (TOUCHPOINTS, DEAD_LETTERS)) -> None:
    """Topics where there are none, as large as our records."""
    admin = AdminClient({"bootstrap.servers": servers})
    config = {"max.message.bytes": str(BYTES_MAX)}
    wanted = [NewTopic(name, PARTITIONS, 1, config=config) for name in topics]
    for made in admin.create_topics(wanted).values():
        try:
            made.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


class Topic:
    """What is published to a topic from the moment this was made."""

    def __init__(self, servers: str, name: str = TOUCHPOINTS) -> None:
        self._name = name
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "tests",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        found = self._consumer.list_topics(name, 20).topics[name]
        self._starts = {number: self._ends(number)[1] for number in found.partitions}

    def close(self) -> None:
        self._consumer.close()

    def records(self) -> list[Outgoing]:
        """All of them, partition by partition, each in its order."""
        read: dict[int, list[Outgoing]] = defaultdict(list)
        missing = {
            number: self._ends(number)[1] - start
            for number, start in self._starts.items()
            if self._ends(number)[1] > start
        }
        self._consumer.assign(
            [TopicPartition(self._name, number, self._starts[number]) for number in missing]
        )
        while sum(missing.values()) > sum(map(len, read.values())):
            for message in self._consumer.consume(1_000, 0.1):
                assert message.error() is None, message.error()
                key, value = message.key(), message.value()
                assert key is not None
                assert value is not None
                read[message.partition() or 0].append(Outgoing(self._name, key.decode(), value))
        return [record for number in sorted(read) for record in read[number]]

    def _ends(self, number: int) -> tuple[int, int]:
        """First and next offset; a topic made a moment ago may still be without a leader."""
        deadline = time.monotonic() + SOON
        while True:
            try:
                ends = self._consumer.get_watermark_offsets(TopicPartition(self._name, number), 20)
            except KafkaException:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            else:
                assert ends is not None
                return ends
