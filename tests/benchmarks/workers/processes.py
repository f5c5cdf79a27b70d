"""Workers as processes whose CPU is counted, on fresh topics that are filled before."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from listeners import settings
from listeners.adapters.native import adapt_replay_line, replay_context
from schemas import codec
from schemas.brokers import Brokers
from schemas.identifiers import primary
from schemas.records import Touchpoint
from schemas.topics import TOUCHPOINTS, VERDICTS
from tests.benchmarks.load.measuring import ROOT, cpu_seconds

PARTITIONS = 4
QUIET = 5.0
"""Seconds without a new record, after which all is taken to be done."""


def fill(brokers: Brokers, lines: Iterable[bytes]) -> None:
    """Publish native lines as a listener would."""
    context = replay_context(settings.load(None))
    publish(brokers, (adapt_replay_line(line, context) for line in lines))


def publish(brokers: Brokers, touchpoints: Iterable[Touchpoint]) -> None:
    """Publish touchpoints, keyed as a listener would."""
    producer = Producer(
        {
            **brokers.librdkafka(),
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "compression.type": "lz4",
        }
    )
    for one in touchpoints:
        key = primary(one.identifiers, one.source, one.session_hint, one.id)
        while True:
            try:
                producer.produce(TOUCHPOINTS, codec.encode(one), key)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(120) == 0


@contextmanager
def workers(brokers: Brokers, count: int, *, watching: bool = True) -> Iterator[list[int]]:
    """So many `touchpoints work`; their process ids."""
    with starting(brokers, watching=watching) as start:
        yield [start().pid for _ in range(count)]


@contextmanager
def starting(
    brokers: Brokers, *, watching: bool = True
) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Starts `touchpoints work`, as often as it is called; all that still run end with it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "settings.toml")
        file.write_text(
            f'[kafka]\nbootstrap_servers = "{brokers.bootstrap_servers}"\n'
            f'application = "{brokers.application}"\n'
            f"[pipeline]\nwatching = {str(watching).lower()}\n"
        )
        command = [sys.executable, "-m", "pipeline.cli.main", "work", "--settings", str(file)]
        running: list[subprocess.Popen[bytes]] = []
        with Path(folder, "said").open("wb") as said:

            def start() -> "subprocess.Popen[bytes]":
                running.append(subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said))
                return running[-1]

            try:
                yield start
            finally:
                for one in running:
                    one.terminate()
                for one in running:
                    one.wait(60)


def written(brokers: Brokers, topic: str) -> int:
    """The sum of a topic's end offsets."""
    asking = Consumer({**brokers.librdkafka(), "group.id": "asking"})
    try:
        return sum(
            asking.get_watermark_offsets(TopicPartition(topic, number), 10)[1]
            for number in range(PARTITIONS)
        )
    finally:
        asking.close()


def until_done(brokers: Brokers, pids: list[int], least: int) -> list[float]:
    """Wait until verdicts on `least` touchpoints stand there and no more come; CPU of each."""
    last, changed_at = 0, time.monotonic()
    while True:
        time.sleep(0.5)
        spent = [cpu_seconds(pid) for pid in pids]
        now = written(brokers, VERDICTS)
        if now != last:
            last, changed_at = now, time.monotonic()
        elif now >= least and time.monotonic() - changed_at > QUIET:
            return spent
