"""From the post of a touchpoint to a listener until its verdict stands on the topic, committed."""

import json
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from schemas.topics import VERDICTS
from tests.benchmarks.load.measuring import traffic
from tests.benchmarks.load.serving import at
from tests.benchmarks.workers.processes import PARTITIONS, starting, until_done, workers
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh
from tests.integration.serving import Listen

RATES = (50.0, 500.0)
"""Touchpoints a second: few, and many for a machine that runs broker, listener and worker."""

BATCH = 10
TARGET = 500


def post_to_verdict(broker: Broker, quick: bool) -> None:
    for rate in RATES:
        brokers = fresh(broker, partitions=PARTITIONS)
        with (
            tempfile.TemporaryDirectory() as folder,
            workers(brokers, 1) as pids,
            Listen(Path(folder) / "spool", brokers.bootstrap_servers) as listen,
        ):
            until_done(brokers, pids, 0)
            _at(rate, listen, brokers.librdkafka(), int(rate * (4 if quick else 20)))


def rolling_restart(broker: Broker, quick: bool) -> None:
    """Two workers are stopped and started again, one after the other, under an easy load."""
    brokers = fresh(broker, partitions=PARTITIONS)
    pause = 8.0 if quick else 20.0
    with (
        tempfile.TemporaryDirectory() as folder,
        starting(brokers) as start,
        Listen(Path(folder) / "spool", brokers.bootstrap_servers) as listen,
    ):
        running = [start(), start()]
        until_done(brokers, [one.pid for one in running], 0)

        def roll() -> None:
            for one in running:
                time.sleep(pause)
                one.terminate()
                one.wait(60)
                start()

        rolling = threading.Thread(target=roll, daemon=True)
        rolling.start()
        print("two workers restarted one after the other:", end=" ")
        _at(RATES[0], listen, brokers.librdkafka(), int(RATES[0] * 3 * pause))
        rolling.join(60)


def _at(rate: float, listen: Listen, client: dict[str, object], count: int) -> None:
    posted: dict[str, float] = {}
    seen: dict[str, float] = {}
    lines = list(islice(traffic(count, max(50, count // 10)), count))

    def follow() -> None:
        reader = Consumer(
            {**client, "group.id": "latency", "isolation.level": "read_committed"}
            | {"fetch.wait.max.ms": 5, "auto.offset.reset": "earliest"}
        )
        reader.assign([TopicPartition(VERDICTS, number, 0) for number in range(PARTITIONS)])
        deadline = time.perf_counter() + 60 + count / rate
        while len(seen) < count and time.perf_counter() < deadline:
            for record in reader.consume(1_000, 0.005):
                if record.error() is None:
                    seen.setdefault(json.loads(record.value())["id"], time.perf_counter())
        reader.close()

    following = threading.Thread(target=follow, daemon=True)
    following.start()
    started = time.perf_counter()
    for number in range(0, count, BATCH):
        time.sleep(max(0.0, started + number / rate - time.perf_counter()))
        some = [json.loads(line) for line in lines[number : number + BATCH]]
        now = time.perf_counter()
        posted |= dict.fromkeys((one["id"] for one in some), now)
        answer = listen.post(some)
        assert answer.status == 200, answer
    following.join()
    waits = sorted(seen[name] - posted[name] for name in posted if name in seen)
    print(
        f"from post to verdict, {rate:g} touchpoints a second in batches of {BATCH}: "
        f"p50 {at(0.5, waits):.0f} ms, p99 {at(0.99, waits):.0f} ms (target {TARGET} ms), "
        f"most {1e3 * waits[-1]:.0f} ms ({len(waits):,} of {count:,} seen)"
    )
