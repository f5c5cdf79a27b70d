"""One partition's changelog on a real broker: what is kept, and who may write."""

import msgspec
import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from faust.types import TP
from prometheus_client import CollectorRegistry

from pipeline.runtimes.errors import StateUnusable, TakenOver
from pipeline.runtimes.kafka.changelog import FORMAT, PROGRESS, Changelog, Output, Progress
from pipeline.runtimes.kafka.worker import Ownership
from pipeline.settings import WorkerSettings
from pipeline.telemetry import PipelineTelemetry
from schemas.topics import CUSTOMER_TOUCHPOINTS, SESSIONS
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh
from tests.builders import NO_MISSIONS
from tests.unit.runtimes.counting import Clock
from tests.unit.runtimes.stages import STITCH

APPLICATION = "test-changelog"
TOPIC = f"{APPLICATION}-stitch-changelog"


@pytest.fixture
def broker(kafka: Broker) -> Broker:
    kafka.skip_on("tansu", because="it shows what belongs to aborted transactions")
    fresh(kafka, partitions=2, application=APPLICATION)
    return kafka


def changelog(broker: Broker) -> Changelog:
    return Changelog(broker.brokers, TOPIC, 1, commit_timeout=20)


def progress(offset: int) -> Progress:
    return Progress(FORMAT, {CUSTOMER_TOUCHPOINTS: offset}, b"known")


def results(broker: Broker) -> list[bytes]:
    reader = Consumer(
        {
            **broker.brokers.librdkafka(),
            "group.id": "changelog-test",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    )
    reader.assign([TopicPartition(SESSIONS, number, 0) for number in range(2)])
    found, ended = [], 0
    while ended < 2:
        for record in reader.consume(100, 0.2):
            if record.error() is None:
                found.append(record.value())
            else:
                assert record.error().code() == KafkaError._PARTITION_EOF
                ended += 1
    reader.close()
    return sorted(found)


def test_a_new_partition_has_no_states_and_no_progress(broker: Broker) -> None:
    restored = changelog(broker).take_over()

    assert restored.states == {}
    assert restored.progress is None


def test_what_was_committed_is_read_by_the_next_owner(broker: Broker) -> None:
    first = changelog(broker)
    first.take_over()
    first.commit([], [(b"a", b"1"), (b"b", b"2")], progress(10))
    first.commit([], [(b"a", b"3"), (b"b", None)], progress(20))

    restored = changelog(broker).take_over()

    assert restored.states == {b"a": b"3"}
    assert restored.progress == progress(20)


def test_a_former_owner_can_write_no_more(broker: Broker) -> None:
    paused, newer = changelog(broker), changelog(broker)
    paused.take_over()
    paused.commit([Output(SESSIONS, b"k", b"rightly")], [(b"a", b"1")], progress(1))
    newer.take_over()

    with pytest.raises(TakenOver):
        paused.commit([Output(SESSIONS, b"k", b"stale")], [(b"a", b"stale")], progress(2))

    newer.commit([Output(SESSIONS, b"k", b"newer")], [(b"a", b"2")], progress(3))
    assert results(broker) == [b"newer", b"rightly"]
    assert changelog(broker).take_over().states == {b"a": b"2"}


def test_what_a_dead_owner_had_begun_is_not_there(broker: Broker) -> None:
    dying = changelog(broker)
    dying.take_over()
    dying._producer.begin_transaction()
    dying._producer.produce(SESSIONS, b"half", b"k")
    dying._producer.produce(TOPIC, b"half", b"a", partition=1)
    dying._producer.flush(20)

    restored = changelog(broker).take_over()

    assert restored.states == {}
    assert results(broker) == []


def test_a_state_of_another_version_is_refused_and_nothing_is_changed(broker: Broker) -> None:
    newer = changelog(broker)
    newer.take_over()
    newer.commit([], [(b"a", b"1")], Progress(FORMAT + 1, {}, b""))

    with pytest.raises(StateUnusable, match=f"expected state of format {FORMAT}; found format"):
        changelog(broker).take_over()


def test_progress_that_cannot_be_read_is_refused_with_its_place(broker: Broker) -> None:
    torn = changelog(broker)
    torn.take_over()
    torn._producer.begin_transaction()
    torn._producer.produce(TOPIC, msgspec.msgpack.encode("torn"), PROGRESS, partition=1)
    torn._producer.commit_transaction(20)

    with pytest.raises(StateUnusable, match=f"{TOPIC}, partition 1"):
        changelog(broker).take_over()


def ownership(broker: Broker) -> Ownership:
    return Ownership(
        broker.brokers.model_copy(update={"application": APPLICATION}),
        NO_MISSIONS,
        WorkerSettings(),
        PipelineTelemetry(CollectorRegistry()),
        clock=Clock(),
        stages=(STITCH,),
    )


async def test_a_topic_that_was_made_anew_is_told_and_not_skipped(broker: Broker) -> None:
    former = changelog(broker)
    former.take_over()
    former.commit([], [], progress(1_000))

    with pytest.raises(StateUnusable, match="was it made anew"):
        await ownership(broker).restore({TP(CUSTOMER_TOUCHPOINTS, 1)})


async def test_what_is_no_longer_assigned_is_let_go_of(broker: Broker) -> None:
    owning = ownership(broker)
    await owning.restore({TP(CUSTOMER_TOUCHPOINTS, 0), TP(CUSTOMER_TOUCHPOINTS, 1)})
    assert [one.number for one in owning.owned] in ([0, 1], [1, 0])

    await owning.restore(set())
    await owning.take(TP(CUSTOMER_TOUCHPOINTS, 1), [])

    assert owning.owned == []


def test_many_records_fit_one_batch(broker: Broker) -> None:
    one = changelog(broker)
    one.take_over()

    one.commit(
        [Output(SESSIONS, b"%d" % n, b"x" * 500) for n in range(20_000)],
        [(b"%d" % n, b"y" * 500) for n in range(20_000)],
        progress(1),
    )

    assert len(changelog(broker).take_over().states) == 20_000
    assert len(results(broker)) == 20_000
