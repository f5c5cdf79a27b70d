"""Workers as processes on a real broker, the traffic they get, and what must come of it.

The workers are `touchpoints work` as it is run; they are killed, paused, added and removed while
touchpoints arrive. What came out is compared with the batch oracle.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from listeners import settings
from listeners.adapters.native import adapt_replay_line, replay_context
from pipeline.catalogue import files
from pipeline.demo.day import touchpoints_of
from pipeline.stitching.change import Message
from schemas import codec
from schemas.identifiers import primary
from schemas.records import Touchpoint, Verdict
from schemas.topics import DEAD_LETTERS, JOURNEY_OUTCOMES, SESSIONS, TOPICS, TOUCHPOINTS, VERDICTS
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh
from tests.builders import Contents, Results, contents
from tests.integration.serving import fetch
from tests.oracle.contents import contents_of

ROOT = Path(__file__).parents[3]
SEEDS = ROOT / "seeds"
KEYS = {VERDICTS: "id", SESSIONS: "session_id", JOURNEY_OUTCOMES: "journey_id"}
CLOSING = "closing-"
PARTITIONS = 4
SESSION_TIMEOUT = 8.0
"""Seconds after which a worker that does not answer loses its partitions; short, for tests."""


class Worker:
    """One `touchpoints work`, and what it says."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self.name = folder, name
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "pipeline.cli.main", "work"),
                    *("--settings", str(self._folder / "settings.toml")),
                    *("--catalogue", str(SEEDS)),
                ],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._end()

    def stop(self) -> None:
        self._signal(signal.SIGTERM)
        self._end()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def said(self) -> str:
        return (self._folder / f"{self.name}.log").read_text()

    def metrics(self) -> str:
        """Its operations port's, as text; empty where it does not answer."""
        found = re.findall(r"operations on (http://\S+)", self.said())
        try:
            return fetch(f"{found[-1]}/metrics").body.decode() if found else ""
        except OSError:
            return ""

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        if self.running:
            os.kill(self.process.pid, number)

    def _end(self) -> None:
        assert self.process is not None
        self.process.wait(60)


class Traffic:
    """A thread that publishes touchpoints at a steady pace, however the broker fares."""

    def __init__(self, broker: Broker, touchpoints: Sequence[Touchpoint], seconds: float) -> None:
        self._touchpoints, self._seconds = touchpoints, seconds
        self._producer = Producer(
            {
                **broker.brokers.librdkafka(),
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "delivery.timeout.ms": 300_000,
                "log_level": 0,
            }
        )
        self._failed: list[Any] = []
        self.done = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Until all of it is confirmed."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "expected all touchpoints to be published"
        assert not self._failed, self._failed[:3]

    def _run(self) -> None:
        pause = self._seconds / max(1, len(self._touchpoints) / 100)
        for number, one in enumerate(self._touchpoints):
            key = primary(one.identifiers, one.source, one.session_hint, one.id)
            self._producer.produce(TOUCHPOINTS, codec.encode(one), key, on_delivery=self._told)
            if number % 100 == 99:
                self._producer.poll(0)
                time.sleep(pause)
        assert self._producer.flush(300) == 0
        self.done.set()

    def _told(self, error: Any, _: Any) -> None:
        if error is not None:
            self._failed.append(error)


class Cluster:
    """A broker with fresh topics, and workers that belong to it."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self._folder = folder
        self.application = fresh(broker, PARTITIONS).application
        (folder / "settings.toml").write_text(
            f'[kafka]\nbootstrap_servers = "{broker.bootstrap_servers}"\n'
            f'application = "{self.application}"\n'
            f'[pipeline]\nsession_timeout = "{SESSION_TIMEOUT:g}s"\nbatch_records_max = 500\n'
        )
        self.workers: list[Worker] = []

    def add(self) -> Worker:
        worker = Worker(self._folder, f"worker-{len(self.workers)}")
        self.workers.append(worker)
        worker.start()
        return worker

    def keep_running(self) -> None:
        """What a service manager does: start again whatever ended by itself."""
        for worker in self.workers:
            if worker.process is not None and not worker.running:
                worker.start()

    def close(self) -> None:
        for worker in self.workers:
            if worker.running:
                worker.resume()
                worker.kill()

    def read(self, topic: str) -> list[Any]:
        """All committed records of a topic."""
        reader = Consumer(
            {
                **self.broker.brokers.librdkafka(),
                "group.id": "faults-reader",
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "log_level": 0,
            }
        )
        reader.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        found, ended = [], 0
        while ended < PARTITIONS:
            for record in reader.consume(10_000, 0.2):
                error = record.error()
                if error is None:
                    found.append(record)
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended += 1
        reader.close()
        return found

    def messages(self) -> Iterator[tuple[tuple[str, int], Message]]:
        """Every result, with the id and revision that must be its own."""
        for topic, name in KEYS.items():
            for record in self.read(topic):
                result: Any = codec.decode(record.value(), TOPICS[topic].record)
                told = (f"{topic} {getattr(result, name)}", result.revision)
                yield told, Message(topic, record.key().decode(), result)

    def ledger(self) -> Counter[str]:
        """The books of all workers together: what each entry comes to, and `unaccounted`."""
        total: Counter[str] = Counter()
        pattern = r'^touchpoints_(un)?accounted\{(?:entry="(\w+)",)?source="[^"]*"\} (\S+)$'
        for worker in self.workers:
            for missing, entry, count in re.findall(pattern, worker.metrics(), re.MULTILINE):
                value = int(float(count))
                total["unaccounted" if missing else entry] += abs(value) if missing else value
        return total

    def lagging(self) -> set[tuple[str, int]]:
        """Topics and partitions of which workers show how much waits."""
        pattern = r'^touchpoints_lag_records\{partition="(\d+)",topic="([^"]+)"\}'
        shown = "\n".join(worker.metrics() for worker in self.workers)
        return {(topic, int(number)) for number, topic in re.findall(pattern, shown, re.MULTILINE)}

    def verdicts(self) -> Iterator[Verdict]:
        """Every verdict."""
        return (codec.decode(record.value(), Verdict) for record in self.read(VERDICTS))


def traffic_of(seed: int, customers: int, count: int) -> list[Touchpoint]:
    """A believable day that has just ended, each touchpoint received as it happened."""
    now = datetime.now(UTC)  # noqa: TID251 - the workers read the clock, too
    context = replay_context(settings.load(None))
    lines = touchpoints_of(seed, customers, count, now - timedelta(hours=20), timedelta(hours=20))
    return [adapt_replay_line(line, context) for line in lines]


def closing(touchpoints: Sequence[Touchpoint]) -> list[Touchpoint]:
    """Of people who come long after all others, so that event time closes everything before."""
    at = touchpoints[-1].occurred_at + timedelta(days=60)
    return [
        Touchpoint(
            id=f"{CLOSING}{number}",
            source="closing",
            channel="web",
            name="closing",
            occurred_at=at,
            received_at=at,
            identifiers={"anonymous_id": f"{CLOSING}{number}"},
        )
        for number in range(200 * PARTITIONS)
    ]


def expected(touchpoints: Sequence[Touchpoint]) -> Contents:
    """What the batch oracle says of them."""
    return contents_of(touchpoints, files.load(SEEDS))


@dataclass(frozen=True)
class Found:
    """What stands on the topics at the end.

    Attributes:
        contents: Without those who came to close the day.
        doubled: Results that stand there twice under one id and revision.
        gaps: Results one of whose revisions is missing.
        dead_letters: Records that could not be used.
        ledger: What the workers' books say of those who came to close the day as well.
    """

    contents: Contents
    doubled: list[str]
    gaps: list[str]
    dead_letters: int
    ledger: Counter[str]


def found(cluster: Cluster) -> Found:
    """Read all results."""
    told = list(cluster.messages())
    strangers = {
        message.record.customer  # type: ignore[attr-defined]
        for _, message in told
        if message.topic == VERDICTS and message.record.id.startswith(CLOSING)  # type: ignore[attr-defined]
    }
    ours = [one for one in told if one[1].record.customer not in strangers]  # type: ignore[attr-defined]
    times = Counter((name, revision) for (name, revision), _ in told)
    highest = Counter[str]()
    for name, revision in times:
        highest[name] = max(highest[name], revision)
    return Found(
        contents=contents(Results([message for _, message in ours])),
        doubled=[f"{name} {revision}" for (name, revision), count in times.items() if count > 1],
        gaps=[
            f"{name} {revision}"
            for name, most in highest.items()
            for revision in range(1, most)
            if (name, revision) not in times
        ],
        dead_letters=len(cluster.read(DEAD_LETTERS)),
        ledger=cluster.ledger(),
    )


def outcome(cluster: Cluster, touchpoints: Sequence[Touchpoint], within: float = 240.0) -> Found:
    """Wait until all is taken in, let event time close it, and read what came of it."""
    wanted = expected(touchpoints)

    def until(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + within
        while not done() and time.monotonic() < deadline:
            cluster.keep_running()
            time.sleep(1)

    until(lambda: wanted.verdicts.keys() <= {one.ref for one in cluster.verdicts()})
    Traffic(cluster.broker, closing(touchpoints), seconds=0).wait(60)
    until(lambda: found(cluster).contents == wanted)
    whole = len(touchpoints) + len(closing(touchpoints))
    until(lambda: (books := cluster.ledger())["accepted"] == whole and not books["in_flight"])
    return found(cluster)
