"""The brokers of the tests are what tests take them for, and all three clients read from them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer, Producer, TopicPartition
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient

from tests.brokers.broker import answers

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
VALUES = [b"value %d of a batch that is worth compressing" % number for number in range(100)]
WITHIN = 30.0
"""Seconds within which records have to be read; generous, since machines may be busy."""


def create(broker, topic):
    admin = KafkaAdminClient(**broker.brokers.kafka_python())
    admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
    admin.close()


def produce(broker, topic, values):
    """One batch, compressed with lz4."""
    lz4 = {"compression.type": "lz4", "linger.ms": 200, "message.timeout.ms": 30_000}
    producer = Producer(broker.brokers.librdkafka() | lz4)
    errors = []
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(WITHIN) == 0
    assert errors == [None] * len(values)


async def by_aiokafka(broker, topic, count):
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest"
    )
    async with consumer:
        values = []
        deadline = time.monotonic() + WITHIN
        while len(values) < count and time.monotonic() < deadline:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                values += [record.value for record in records]
        return values


async def by_kafka_python(broker, topic, count):
    consumer = KafkaConsumer(
        topic,
        **broker.brokers.kafka_python(),
        auto_offset_reset="earliest",
        consumer_timeout_ms=int(WITHIN * 1_000),
    )
    values = [record.value for _, record in zip(range(count), consumer, strict=False)]
    consumer.close()
    return values


async def by_confluent_kafka(broker, topic, count):
    consumer = Consumer(
        broker.brokers.librdkafka() | {"group.id": "unused", "auto.offset.reset": "earliest"}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    values = [record.value() for record in consumer.consume(count, WITHIN)]
    consumer.close()
    return values


READERS = (by_aiokafka, by_kafka_python, by_confluent_kafka)


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__[3:])
async def test_every_client_reads_a_topic_that_is_compressed_with_lz4(kafka, read):
    topic = f"compressed-for-{read.__name__[3:]}"
    create(kafka, topic)
    produce(kafka, topic, VALUES)

    values = await read(kafka, topic, len(VALUES))

    assert values == VALUES


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_restart_keeps_the_address_and_what_was_acknowledged(own_kafka, end):
    own_kafka.skip_on("tansu", because="keeps everything in memory")
    address = own_kafka.bootstrap_servers
    create(own_kafka, "kept")
    produce(own_kafka, "kept", VALUES)

    getattr(own_kafka, end)()
    gone = not answers(address, 1.5, lambda: True)
    own_kafka.start()

    assert gone
    assert own_kafka.bootstrap_servers == address
    assert await by_confluent_kafka(own_kafka, "kept", len(VALUES)) == VALUES


async def test_a_paused_broker_answers_when_it_goes_on(own_kafka):
    create(own_kafka, "kept")
    produce(own_kafka, "kept", VALUES)

    own_kafka.pause()
    silent = not answers(own_kafka.bootstrap_servers, 1.5, lambda: True)
    own_kafka.resume()

    assert silent
    assert await by_confluent_kafka(own_kafka, "kept", len(VALUES)) == VALUES


def test_a_broker_can_be_had_without_pytest_and_leaves_nothing(kafka, tmp_path):
    kafka.skip_on("cluster", because="it is not ours to start")
    command = [sys.executable, "-m", "tests.brokers", "--kind", kafka.kind]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        address = process.stdout.readline().strip()
        reached = answers(address, WITHIN, lambda: True)
        process.send_signal(signal.SIGTERM)
        code = process.wait(WITHIN)

    assert reached
    assert code == 0
    assert not answers(address, 1.0, lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_a_broker_does_not_outlive_whoever_was_killed(kafka, tmp_path):
    kafka.skip_on("cluster", "docker", because="it is no process of ours")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.brokers", "--kind", kafka.kind],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        address = process.stdout.readline().strip()
        reached = answers(address, WITHIN, lambda: True)
        process.kill()

    deadline = time.monotonic() + WITHIN
    while list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert reached
    assert list(tmp_path.iterdir()) == []
    assert not answers(address, 1.0, lambda: True)
