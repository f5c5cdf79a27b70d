"""Workers die, pause, come and go, and so do brokers: the results are those of the batch oracle."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from pipeline.topology import STAGES
from tests.brokers.broker import Broker
from tests.faults.kafka.cluster import (
    PARTITIONS,
    SESSION_TIMEOUT,
    Cluster,
    Found,
    Traffic,
    closing,
    expected,
    outcome,
    traffic_of,
)

NO_TANSU = "it keeps nothing on disk, and shows aborted transactions"

Fault = Callable[[Cluster, random.Random], None]


@pytest.fixture
def cluster(own_kafka: Broker, tmp_path) -> Iterator[Cluster]:
    own_kafka.skip_on("tansu", because=NO_TANSU)
    made = Cluster(own_kafka, tmp_path)
    yield made
    made.close()


def kill_a_worker(cluster: Cluster, chance: random.Random) -> None:
    worker = chance.choice(cluster.workers)
    worker.kill()
    time.sleep(chance.uniform(0, 3))
    worker.start()


def let_one_join_and_leave(cluster: Cluster, chance: random.Random) -> None:
    joining = cluster.add()
    time.sleep(chance.uniform(4, 8))
    joining.stop()
    cluster.workers.remove(joining)


def pause_a_worker_for_too_long(cluster: Cluster, chance: random.Random) -> None:
    """It loses its partitions, and finds out only when it tries to write."""
    worker = chance.choice(cluster.workers)
    worker.pause()
    time.sleep(SESSION_TIMEOUT + chance.uniform(2, 5))
    worker.resume()


def kill_the_broker(cluster: Cluster, chance: random.Random) -> None:
    cluster.broker.kill()
    time.sleep(chance.uniform(0, 3))
    cluster.broker.start()


def survived(
    cluster: Cluster, faults: list[Fault], *, count: int, seconds: float, seed: int
) -> Found:
    """What came of the day while these things happened one after the other."""
    chance = random.Random(seed)
    touchpoints = traffic_of(seed, count // 10, count)
    for _ in range(2):
        cluster.add()
    traffic = Traffic(cluster.broker, touchpoints, seconds)
    time.sleep(5)
    for fault in faults:
        fault(cluster, chance)
        time.sleep(chance.uniform(1, 4))
        cluster.keep_running()
    traffic.wait(600)
    found = outcome(cluster, touchpoints)
    assert found.contents == expected(touchpoints)
    assert found.doubled == []
    assert found.gaps == []
    assert found.dead_letters == 0
    assert_accounted_for(found.ledger, len(touchpoints) + len(closing(touchpoints)))
    read = {topic for stage in STAGES for topic in stage.reads}
    assert cluster.lagging() == {(topic, number) for topic in read for number in range(PARTITIONS)}
    return found


def assert_accounted_for(ledger: Counter[str], count: int) -> None:
    """The sum over all workers, though partitions went from one to another and back."""
    assert ledger["unaccounted"] == ledger["in_flight"] == 0
    assert ledger["accepted"] == count
    assert ledger["result"] + ledger["repeated"] + ledger["identity_only"] == count


def test_whoever_dies_or_pauses_nothing_is_missing_doubled_or_stale(cluster: Cluster) -> None:
    faults = [
        kill_a_worker,
        pause_a_worker_for_too_long,
        let_one_join_and_leave,
        kill_the_broker,
        kill_a_worker,
    ]

    survived(cluster, faults, count=5_000, seconds=30, seed=1)


@pytest.mark.torture
@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (kill_a_worker, 30),
        (kill_the_broker, 10),
        (let_one_join_and_leave, 15),
        (pause_a_worker_for_too_long, 5),
    ],
)
def test_so_it_is_again_and_again(cluster: Cluster, fault: Fault, times: int) -> None:
    seconds = 8 * times if fault is kill_a_worker else 14 * times

    survived(cluster, [fault] * times, count=50_000, seconds=seconds, seed=times)
